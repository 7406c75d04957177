// Every op says all it must about itself: see the `Op` type in src/ops/op.ts. Reads the compiled list, dist/ops/index.js.
import { readFileSync } from 'node:fs';

/** Sample classes every op needs, and how many inputs it must be seen to refuse. */
const SAMPLES = 12;
const BAD_SAMPLES = 4;
/** Ops for which fewer make sense, and why. Nothing else may fall below. */
const FEWER = {};

const listed = await import('../dist/ops/index.js');
const isOp = (value) => typeof value?.name === 'string' && typeof value.shape === 'function';
const found = Object.values(listed).flatMap((value) => {
  if (isOp(value)) return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).filter(isOp) : [];
});
const ops = [...new Set(found)];
const api = readFileSync('src/index.ts', 'utf8') + readFileSync('src/tensor/tensor.ts', 'utf8');
const changes = readFileSync('CHANGELOG.md', 'utf8');

const filled = (text) => typeof text === 'string' && text.trim() !== '';
const camelCase = (name) => name.replace(/[-_](\w)/g, (_, letter) => letter.toUpperCase());

function docProblems({ doc }) {
  const parts = { formula: doc?.formula, gradient: doc?.gradient, source: doc?.source };
  const empty = Object.keys(parts).filter((key) => !filled(parts[key]));
  if (!filled(doc?.why?.en)) empty.push('why.en');
  if (!/[\u4e00-\u9fff]/.test(doc?.why?.zh ?? '')) empty.push('why.zh');
  return empty.map((key) => `doc.${key} is empty`);
}

function problemsOf(op) {
  const problems = docProblems(op);
  const { samples = SAMPLES, bad = BAD_SAMPLES } = FEWER[op.name] ?? {};
  if (typeof op.cost !== 'function' || typeof op.forward !== 'function') problems.push('no cost or no forward');
  if (typeof op.backward !== 'function' && !filled(op.backward?.reason)) problems.push('no backward and no reason');
  const kinds = new Set((op.samples ?? []).map(({ name }) => name));
  if (kinds.size !== op.samples?.length) problems.push('two samples have one name');
  if (kinds.size < samples) problems.push(`${kinds.size} samples, needs ${samples}`);
  if ((op.badSamples ?? []).length < bad) problems.push(`${op.badSamples?.length ?? 0} bad samples, needs ${bad}`);
  const mentioned = [op.name, camelCase(op.name)].some((name) => new RegExp(`\\b${name}\\b`).test(api + changes));
  if (!mentioned) problems.push('is neither in the API nor in CHANGELOG.md');
  return problems.map((problem) => `${op.name}: ${problem}`);
}

const problems = ops.flatMap(problemsOf);
if (ops.length === 0) problems.push('dist/ops/index.js exports no ops');
if (new Set(ops.map(({ name }) => name)).size !== ops.length) problems.push('two ops have one name');
for (const problem of problems) console.log(problem);
const fused = ops.filter(({ compose }) => compose !== undefined).length;
const samples = ops.reduce((sum, op) => sum + (op.samples?.length ?? 0), 0);
console.log(`ops: ${ops.length}, of them fused: ${fused}; samples: ${samples}; problems: ${problems.length}`);
process.exit(problems.length > 0 ? 1 : 0);

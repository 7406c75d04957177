// Imports in src/ point one way; a folder is a layer. Fails on any other arrow, on cycles between files, on Node's
// modules outside the edge, on gpu.js outside backend/gpu and on packages that package.json does not list.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const CHAIN = ['core', 'backend', 'ops', 'autograd', 'tensor', 'nn', 'bert', 'train', 'bench'];
const upTo = (layer) => CHAIN.slice(0, CHAIN.indexOf(layer));
/** Layer -> layers it may import besides itself. */
const MAY_IMPORT = {
  ...Object.fromEntries(CHAIN.map((layer) => [layer, upTo(layer)])),
  data: ['core'],
  io: ['core'],
  train: [...upTo('train'), 'data', 'io'],
  bench: [...upTo('bench'), 'data', 'io'],
  cli: [...CHAIN, 'data', 'io'],
  explorer: [...CHAIN, 'data', 'io'],
  index: [...upTo('bench'), 'data', 'io'], // src/index.ts, the public API
};
const NODE_ALLOWED = [/^src\/io\//, /^src\/cli\//, /^src\/backend\/native\//, /^src\/train\//, /^src\/bench\//];
const GPU_JS_ALLOWED = /^src\/backend\/gpu\//;
/** What the names of package.json's `imports` stand for in Node. */
const SEAMS = { '#native': 'src/backend/native/index.ts', '#gpu': 'src/backend/gpu/provider-node.ts' };

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const files = readdirSync('src', { recursive: true })
  .map((name) => join('src', name))
  .filter((name) => name.endsWith('.ts'));
const layerOf = (path) => (dirname(path) === 'src' ? 'index' : path.split('/')[1]);

/** Specifiers of all imports and re-exports; comments do not count, strings other than these are rare enough. */
function importsOf(path) {
  const text = readFileSync(path, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
  const pattern = /(?:^|[;}\s])(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2]);
}

const problems = [];
const graph = new Map();

function checkPackage(path, name) {
  if (name.startsWith('node:')) {
    if (!NODE_ALLOWED.some((pattern) => pattern.test(path)))
      problems.push(`${path}: ${name} would not run in a browser`);
    return;
  }
  const packageName = name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
  if (!(packageName in manifest.dependencies)) problems.push(`${path}: "${packageName}" is not in dependencies`);
  if (packageName === 'gpu.js' && !GPU_JS_ALLOWED.test(path))
    problems.push(`${path}: only src/backend/gpu imports gpu.js`);
}

function checkArrow(path, target) {
  const from = layerOf(path);
  const to = layerOf(target);
  if (!(from in MAY_IMPORT)) problems.push(`${path}: folder "${from}" is no layer`);
  else if (from !== to && !MAY_IMPORT[from].includes(to))
    problems.push(`${path}: ${from} may not import ${to} (${target})`);
}

for (const path of files) {
  const targets = [];
  for (const name of importsOf(path)) {
    if (!name.startsWith('.') && !(name in SEAMS)) {
      checkPackage(path, name);
      continue;
    }
    const target = SEAMS[name] ?? normalize(join(dirname(path), name)).replace(/\.js$/, '.ts');
    if (!existsSync(target)) problems.push(`${path}: ${name} is not there`);
    else checkArrow(path, target);
    targets.push(target);
  }
  graph.set(path, targets);
}

/** Depth first; a file met again while it is still open closes a cycle. */
function findCycles() {
  const state = new Map();
  const stack = [];
  const visit = (path) => {
    state.set(path, 'open');
    stack.push(path);
    for (const next of graph.get(path) ?? []) {
      if (state.get(next) === 'open')
        problems.push(`cycle: ${[...stack.slice(stack.indexOf(next)), next].join(' -> ')}`);
      else if (!state.has(next)) visit(next);
    }
    stack.pop();
    state.set(path, 'done');
  };
  for (const path of graph.keys()) if (!state.has(path)) visit(path);
}

findCycles();
for (const problem of problems) console.log(problem);
console.log(`layers: ${files.length} files, ${[...graph.values()].flat().length} imports, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);

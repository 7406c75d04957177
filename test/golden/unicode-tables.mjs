/**
 * Writes src/data/unicode-tables.ts: how the two dialects of BERT's tokenizer treat every Unicode scalar, asked of the
 * tokenizers themselves: Hugging Face's Rust (npm `tokenizers`) and google-research/bert's functions under Python.
 * Run: `node test/golden/unicode-tables.mjs` (needs `npm ci` and python3; 20 s).
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const hf = require('tokenizers');
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const off = { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false };

function askHuggingFace() {
  const clean = hf.bertNormalizer({ ...off, cleanText: true });
  const strip = hf.bertNormalizer({ ...off, stripAccents: true });
  const lower = hf.bertNormalizer({ ...off, lowercase: true });
  const cjk = hf.bertNormalizer({ ...off, handleChineseChars: true });
  const split = hf.bertPreTokenizer();
  const out = { drop: [], space: [], punct: [], mark: [], decomposes: [], lower: [], cjk: [] };
  for (let cp = 0; cp < 0x110000; cp++) {
    if (cp >= 0xd800 && cp < 0xe000) continue;
    const c = String.fromCodePoint(cp);
    const cleaned = clean.normalizeString(`a${c}b`);
    const pieces = split.preTokenizeString(`a${c}b`).length;
    if (cleaned === 'ab') out.drop.push(cp);
    else if (cleaned === 'a b' || pieces === 2) out.space.push(cp);
    else {
      if (cleaned !== `a${c}b`) throw new Error(`U+${cp.toString(16)} is cleaned to ${JSON.stringify(cleaned)}`);
      if (pieces === 3) out.punct.push(cp);
      if (cjk.normalizeString(c) !== c) out.cjk.push(cp);
      const stripped = strip.normalizeString(c);
      const isMark = stripped === '' && c.normalize('NFD') === c;
      if (isMark) out.mark.push(cp);
      else if (stripped !== c) out.decomposes.push([cp, stripped]);
      const lowered = lower.normalizeString(c);
      if (lowered !== c) out.lower.push([cp, lowered]);
    }
  }
  return out;
}

/** Sorted code points -> boundaries [start, end, start, end, ...), ends exclusive. */
function boundaries(cps) {
  const out = [];
  for (const cp of cps) {
    if (out.at(-1) === cp) out[out.length - 1] = cp + 1;
    else out.push(cp, cp + 1);
  }
  return out;
}

/** Boundaries of the symmetric difference: those that only one of the two sets has. */
const xor = (a, b) => [...a.filter((x) => !b.includes(x)), ...b.filter((x) => !a.includes(x))].sort((x, y) => x - y);

/** Increasing integers -> their differences in base 36. */
const packed = (list) => list.map((x, i) => (x - (i === 0 ? 0 : list[i - 1])).toString(36)).join(' ');

/** [cp, lower-case] -> runs [start, count, step, shift]; the one mapping to two code points is kept out. */
function lowerRuns(pairs) {
  const runs = [];
  for (const [cp, lowered] of pairs) {
    if ([...lowered].length !== 1) {
      if (cp !== 0x130) throw new Error(`U+${cp.toString(16)} has a long lower case`);
      continue;
    }
    const shift = lowered.codePointAt(0) - cp;
    const run = runs.at(-1);
    const step = run === undefined ? 0 : cp - (run[0] + (run[1] - 1) * run[2]);
    if (run !== undefined && run[3] === shift && (run[1] === 1 ? step <= 2 : step === run[2])) {
      run[1]++;
      run[2] = step;
    } else runs.push([cp, 1, 1, shift]);
  }
  return runs.map(([start, ...rest], i) =>
    [start - (i === 0 ? 0 : runs[i - 1][0]), ...rest].map((x) => x.toString(36)).join(','),
  );
}

/** The engine's NFD, restricted to the listed code points and without marks, must be what the tokenizer made. */
function checkDecompositions(name, table) {
  const marks = new Set(table.mark);
  for (const [cp, stripped] of table.decomposes) {
    const nfd = [...String.fromCodePoint(cp).normalize('NFD')];
    const got = nfd.filter((x) => !marks.has(x.codePointAt(0))).join('');
    if (got !== stripped)
      throw new Error(`${name}: U+${cp.toString(16)} decomposes to ${stripped}, the engine says ${got}`);
  }
}

const python = execFileSync('python3', [here('unicode-tables.py')], { maxBuffer: 1 << 28, encoding: 'utf8' });
const google = JSON.parse(python);
const rust = askHuggingFace();
checkDecompositions('google', google);
checkDecompositions('hf', rust);

const sets = ['drop', 'space', 'punct', 'mark', 'decomposes'];
const points = (list) => list.map((x) => (Array.isArray(x) ? x[0] : x));
const lines = [];
for (const set of sets) lines.push(`  ${set}: '${packed(boundaries(points(google[set])))}',`);
lines.push(`  lower: '${lowerRuns(google.lower).join(' ')}',`);
const diff = [];
for (const set of sets)
  diff.push(`  ${set}: '${packed(xor(boundaries(points(google[set])), boundaries(points(rust[set]))))}',`);
const known = new Map(google.lower);
const newer = rust.lower.filter(([cp, l]) => known.get(cp) !== l);
const mine = new Set(points(rust.lower));
const missing = google.lower.filter(([cp]) => !mine.has(cp));
if (missing.length > 0) throw new Error('hf lacks lower-case pairs that google has');
diff.push(`  lower: '${lowerRuns(newer).join(' ')}',`);
console.log(
  `cjk of hf: ${boundaries(rust.cjk)
    .map((x) => x.toString(16))
    .join(' ')}`,
);
for (const set of sets) console.log(set, points(google[set]).length, points(rust[set]).length);
console.log('lower', google.lower.length, rust.lower.length);

writeFileSync(
  here('../../src/data/unicode-tables.ts'),
  `/**
 * How BERT's tokenizers treat each Unicode scalar; written by test/golden/unicode-tables.mjs, which asked them.
 * Kept as data of our own because \\p{...} follows the Unicode version of the engine, and ids must not.
 * Sets are boundaries [start, end), as differences in base 36; \`lower\` holds runs start,count,step,shift.
 */

/** google-research/bert tokenization.py under Python 3.11 (Unicode ${google.unicode}). */
export const googleTables = {
${lines.join('\n')}
} as const;

/** Hugging Face tokenizers 0.23: boundaries that only one of the two has (the symmetric difference); more lower case. */
export const hfDifferences = {
${diff.join('\n')}
} as const;
`,
);

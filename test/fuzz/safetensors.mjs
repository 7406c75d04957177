// Mutated files of tensors: each must be read whole, or be refused by an error of ours, within a second and without
// memory beyond its size and 64 MiB. Deterministic: a failure names the seed of its file.
//   npm run build:ts && node test/fuzz/safetensors.mjs [FILES = 10000] [FIRST SEED = 0]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BertgradError } from '../../dist/core/errors.js';
import { readSafetensors, safetensorsChunks } from '../../dist/io/safetensors.js';

const [files = 10_000, first = 0] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'bertgrad-fuzz-'));
const path = join(folder, 'model.safetensors');
const SLOWEST = 1000; // ms of computing, so that a machine that does something else does not count
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '-',
  '0',
  '1',
  'e9',
  '.5',
  'null',
  'true',
  '\\u0000',
  '\\',
  ' ',
  '\ud83d',
  '__metadata__',
  '"F32"',
  '"I64"',
  '"F8_E5M2"',
  '"BOOL"',
  '"shape"',
  '"dtype"',
  '"data_offsets"',
  '9007199254740993',
  '9223372036854775807',
  '18446744073709551615',
  '4294967296',
  '[[[[[[[',
];
const LENGTHS = [0n, 1n, 7n, 8n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 25_000_001n, 100_000_001n];

/** Numerical Recipes' generator: the same files everywhere. */
function random(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const float = (...shape) => ({ shape, data: new Float32Array(shape.reduce((n, s) => n * s, 1)).fill(0.5) });
const BASES = [
  new Map([
    ['a', float(2, 2)],
    ['b', { shape: [3], data: Int32Array.of(1, 2, 3) }],
  ]),
  new Map(Array.from({ length: 40 }, (_, i) => [`bert.encoder.layer.${i}.weight`, float(i % 4, 3)])),
  new Map([
    ['', float()],
    ['__proto__', float(0, 9)],
    ['权重😀', float(7)],
  ]),
].map((tensors, i) => Buffer.concat([...safetensorsChunks(tensors, i === 1 ? { format: 'pt', note: 'x' } : {})]));
// Types that the writer does not know, by hand.
const odd =
  '{"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"l":{"dtype":"I64","shape":[1],"data_offsets":[8,16]},"o":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]}}';
const head = Buffer.alloc(8);
head.writeBigUInt64LE(BigInt(odd.length));
BASES.push(Buffer.concat([head, Buffer.from(odd), Buffer.alloc(19, 1)]));

/** Replaces bytes [from, to) and, two times of three, corrects the length of the header, so that the change is looked at. */
function splice(bytes, from, to, piece, repair) {
  const out = Buffer.concat([bytes.subarray(0, from), piece, bytes.subarray(to)]);
  const length = Number(bytes.readBigUInt64LE());
  if (repair && length < bytes.length && from >= 8 && to <= 8 + length)
    out.writeBigUInt64LE(BigInt(Math.max(0, length + piece.length - (to - from))));
  return out;
}

function mutate(bytes, below) {
  if (bytes.length < 16) return bytes;
  const length = Math.min(Number(bytes.readBigUInt64LE() & 0xffffffn), bytes.length - 8);
  const at = 8 + below(Math.max(1, length));
  const repair = below(3) > 0;
  switch (below(8)) {
    case 0: {
      const copy = Buffer.from(bytes);
      copy[below(copy.length)] ^= 1 << below(8);
      return copy;
    }
    case 1:
      return bytes.subarray(0, below(bytes.length));
    case 2:
      return Buffer.concat([bytes, Buffer.alloc(1 + below(9))]);
    case 3: {
      const copy = Buffer.from(bytes);
      copy.writeBigUInt64LE(LENGTHS[below(LENGTHS.length)]);
      return copy;
    }
    case 4:
      return splice(bytes, at, at, Buffer.from(TOKENS[below(TOKENS.length)]), repair);
    case 5:
      return splice(
        bytes,
        at,
        Math.min(8 + length, at + 1 + below(12)),
        Buffer.from(TOKENS[below(TOKENS.length)]),
        repair,
      );
    case 6: {
      // A number becomes another one.
      const text = bytes.toString('latin1', 8, 8 + length);
      const numbers = [...text.matchAll(/\d+/g)];
      if (numbers.length === 0) return bytes;
      const found = numbers[below(numbers.length)];
      const value = below(2) === 0 ? `${Number(found[0]) + below(17) - 8}` : TOKENS[24 + below(6)];
      return splice(bytes, 8 + found.index, 8 + found.index + found[0].length, Buffer.from(value), repair);
    }
    default: {
      // A part of the header once more.
      const end = Math.min(8 + length, at + 1 + below(60));
      return splice(bytes, at, at, Buffer.from(bytes.subarray(at, end)), repair);
    }
  }
}

const outcomes = { read: 0, refused: 0 };
const codes = {};
let slowest = 0;
const before = process.memoryUsage().rss;
for (let seed = first; seed < first + files; seed++) {
  const below = random(seed);
  let bytes = BASES[below(BASES.length)];
  for (let k = Math.max(0, below(5) - 2); k >= 0; k--) bytes = mutate(bytes, below);
  writeFileSync(path, bytes);
  const start = process.cpuUsage();
  try {
    const { tensors, skipped } = await readSafetensors(path);
    const elements = [...tensors.values()].reduce(
      (n, { data, shape }) => n + (data.length === shape.reduce((p, s) => p * s, 1) ? data.length : Number.NaN),
      0,
    );
    if (!(elements <= bytes.length && skipped.size >= 0)) throw new Error('what was read does not fit the file');
    outcomes.read++;
  } catch (error) {
    if (!(error instanceof BertgradError)) throw new Error(`seed ${seed}`, { cause: error });
    codes[error.code] = (codes[error.code] ?? 0) + 1;
    outcomes.refused++;
  }
  const used = process.cpuUsage(start);
  const took = (used.user + used.system) / 1000;
  slowest = Math.max(slowest, took);
}
rmSync(folder, { recursive: true });
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(
  JSON.stringify({
    files,
    first,
    ...outcomes,
    slowestMs: Number(slowest.toFixed(1)),
    startMiB: Math.round(before / 2 ** 20),
    peakMiB: peak,
    codes,
  }),
);
// The garbage collector's own slack is part of it: files here have a few hundred bytes.
if (peak - before / 2 ** 20 > 64) process.exitCode = 1;
if (slowest > SLOWEST) process.exitCode = 1;

// What this machine can do at most, per instruction set and number of threads: multiply-adds in registers (GFLOP/s) on
// floats, and on bf16 and 8-bit numbers where there are instructions for them; y += x over memory of three sizes (GB/s,
// three accesses an element).
//   node bench/roof.mjs [--threads 1,2] [--json file]
import { writeFileSync } from 'node:fs';
import { median, nativeBackend, secondsOf } from './measure.mjs';
import { parseOptions } from './options.mjs';

const ROUNDS = 3;
const PRECISIONS = ['f32', 'bf16', 'int8'];
const SIZES = { 'second-level cache': 2 ** 16, 'last-level cache': 2 ** 20, memory: 2 ** 25 }; // elements of x and of y

const { values } = parseOptions({ options: { threads: { type: 'string' }, json: { type: 'string' } } });
const { isas, threads: all } = nativeBackend(process.env.BG_THREADS ?? '');
const counts = values.threads?.split(',').map(Number) ?? [...new Set([1, all])];

/** GB/s of y += x, many times in one queue so that only the memory counts. */
async function bandwidth(backend, length) {
  const [x, y] = [backend.alloc(length, 'f32'), backend.alloc(length, 'f32')];
  backend.kernels.fill(x, 1);
  backend.kernels.fill(y, 1);
  const times = Math.ceil(2 ** 24 / length);
  const run = () => {
    for (let i = 0; i < times; i++) backend.kernels.accumulate(x, y);
    return backend.flush();
  };
  await run();
  const seconds = await secondsOf(run, 0.2);
  backend.free(x);
  backend.free(y);
  return (12 * length * times) / seconds / 1e9;
}

/** Null where an instruction is missing. */
const peak = (backend, threads, precision) =>
  backend.multipliers[precision] === null ? null : backend.fmaPeak(threads, precision);

async function measure(isa, threads) {
  const backend = nativeBackend(threads, isa);
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) {
    const round = Object.fromEntries(PRECISIONS.map((name) => [name, peak(backend, threads, name)]));
    for (const [place, length] of Object.entries(SIZES)) round[place] = await bandwidth(backend, length);
    rounds.push(round);
  }
  const figures = Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, median(rounds.map((r) => r[key]))]));
  return { isa, threads, ...figures };
}

const results = [];
console.log(`isa     threads  GFLOP/s: ${PRECISIONS.join(', ')}  GB/s: ${Object.keys(SIZES).join(', ')}`);
for (const isa of isas) {
  for (const threads of counts) {
    const result = await measure(isa, threads);
    results.push(result);
    const rates = Object.keys(SIZES).map((place) => result[place].toFixed(0).padStart(5));
    const peaks = PRECISIONS.map((name) => (result[name]?.toFixed(0) ?? '–').padStart(8));
    console.log(`${isa.padEnd(8)}${`${threads}`.padStart(7)}${peaks.join('')}  ${rates.join(' ')}`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);

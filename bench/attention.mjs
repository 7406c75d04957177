// Fused attention, forwards and back, as GFLOP/s and as a share of the multiply-add peak measured in the same round. Flops
// are those of the products alone (two forwards, five back): softmax, dropout and moving data count as loss. The share of
// bf16, forwards as inference runs it, is of the same peak of floats. A shape is sequences x tokens x heads x headDim.
//   node bench/attention.mjs [--threads 1,2] [--shapes 32x128x4x64,...] [--dropout 0,0.1] [--isa avx2] [--rounds 3]
//                            [--seconds 0.15] [--json file]
import { writeFileSync } from 'node:fs';
import { median, nativeBackend, secondsOf } from './measure.mjs';
import { parseOptions } from './options.mjs';

const { values } = parseOptions({
  options: {
    threads: { type: 'string', default: '1,2' },
    shapes: { type: 'string', default: '32x128x4x64,8x512x4x64,8x384x4x64,1x128x12x64,32x128x8x32' },
    dropout: { type: 'string', default: '0,0.1' },
    isa: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '0.15' },
    json: { type: 'string' },
  },
});

/**
 * Calls wait in a queue of about this length, as those of a step do: a call alone also pays for workers that went to
 * sleep and for caches that the stopwatch has used.
 */
const QUEUE_SECONDS = 0.02;

/** One shape on a backend: what runs it forwards and back, and its flops. */
function prepare(backend, [sequences, seq, heads, headDim], rate) {
  const rows = sequences * seq;
  const floats = (n) => backend.upload(Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 2001) / 1000 - 1));
  const [q, k, v, dY] = Array.from({ length: 4 }, () => floats(rows * heads * headDim));
  const [y, dQ, dK, dV] = Array.from({ length: 4 }, () => backend.alloc(rows * heads * headDim, 'f32'));
  const [keyBias, lse] = [backend.upload(new Float32Array(rows)), backend.alloc(rows * heads, 'f32')];
  const offsets = backend.upload(Int32Array.from({ length: sequences + 1 }, (_, i) => i * seq));
  const sizes = { rows, queryRows: rows, sequences, heads, headDim, maxSeq: seq, scale: headDim ** -0.5 };
  const dropout = rate === 0 ? null : { rate, key: { seed: 1, stream: 2, step: 3, row: 0 } };
  const call = { q, k, v, keyBias, offsets, queries: null, ...sizes, dropout };
  const product = 2 * rows * seq * heads * headDim;
  const runs = [
    { name: 'forward', flops: 2 * product, enqueue: () => backend.kernels.attention(call, y, lse) },
    {
      name: 'bf16',
      flops: 2 * product,
      enqueue: () => backend.kernels.attention({ ...call, precision: 'bf16' }, y, lse),
    },
    {
      name: 'gradient',
      flops: 5 * product,
      enqueue: () => backend.kernels.attentionGrad(call, y, lse, dY, dQ, dK, dV),
    },
  ];
  const free = () => [q, k, v, dY, y, dQ, dK, dV, keyBias, lse, offsets].forEach((buf) => void backend.free(buf));
  return { runs, free };
}

async function measure(backend, shape, rate, peak) {
  const { runs, free } = prepare(backend, shape, rate);
  const rates = {};
  for (const { name, flops, enqueue } of runs) {
    const calls = Math.ceil((QUEUE_SECONDS * peak * 1e9) / flops);
    const run = () => {
      for (let i = 0; i < calls; i++) enqueue();
      return backend.flush();
    };
    await run();
    const gflops = (calls * flops) / (await secondsOf(run, Number(values.seconds))) / 1e9;
    rates[name] = { gflops, share: gflops / peak };
  }
  free();
  return rates;
}

const numbers = (text) => text.split(',').map(Number);
const shapes = values.shapes.split(',').map((shape) => shape.split('x').map(Number));
const results = [];
for (const threads of numbers(values.threads)) {
  const backend = nativeBackend(threads, values.isa);
  const cases = shapes.flatMap((shape) => numbers(values.dropout).map((rate) => ({ shape, rate, rounds: [] })));
  const peaks = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const one of cases) {
      peaks.push(backend.fmaPeak(threads));
      one.rounds.push(await measure(backend, one.shape, one.rate, peaks.at(-1)));
    }
  }
  console.log(`${backend.runsOn}: peak ${median(peaks).toFixed(0)} GFLOP/s; GFLOP/s and share of the peak`);
  for (const { shape, rate, rounds } of cases) {
    const columns = ['forward', 'bf16', 'gradient'].map((name) => {
      const [gflops, share] = ['gflops', 'share'].map((key) => median(rounds.map((r) => r[name][key])));
      results.push({ threads, isa: backend.isa, shape, dropout: rate, name, gflops, share });
      return `${name} ${gflops.toFixed(0).padStart(4)} ${share.toFixed(2)}`;
    });
    console.log(`  ${shape.join(' x ').padEnd(20)}dropout ${`${rate}`.padEnd(5)}${columns.join('   ')}`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);

// Matrix products at BERT's shapes through the library, as GFLOP/s and as a share of the peak measured in the same round
// (of the median, and of the best sample); with --peers beside OpenBLAS, BLIS and oneDNN, in turn. A shape is tokens x in
// x out. nn = X[tokens, in] W[in, out], nt = X W[out, in]^T, tn = X^T dY[tokens, out] (a weight's gradient), packed = nn
// with W packed before.
//   node bench/matmul.mjs [--threads 2,1] [--shapes 512x768x768,...] [--layouts nn,nt,tn,packed] [--isa avx2] [--rounds 3]
//                         [--precision bf16] [--seconds 0.1] [--json file] [--peers] [--peers-root folder]
// Peers are compiled by c++ and open what libraries the system has; --peers-root (or BG_PEERS_ROOT) names the root of another
// system that has them.
import { writeFileSync } from 'node:fs';
import { turn } from '../dist/bench/measure.js';
import { median, nativeBackend } from './measure.mjs';
import { parseOptions } from './options.mjs';
import { startProducts } from './peers/products.mjs';

const { values } = parseOptions({
  options: {
    threads: { type: 'string', default: '2,1' },
    // tiny, mini, small and base layers, and the masked places times the vocabulary
    shapes: {
      type: 'string',
      default:
        '128x128x128,128x768x768,512x128x128,512x256x256,512x768x768,4096x128x128,4096x128x512,4096x256x256,' +
        '4096x256x1024,4096x512x512,4096x768x768,4096x768x3072,4096x3072x768,512x256x30522',
    },
    layouts: { type: 'string', default: 'nn,nt,tn' },
    isa: { type: 'string' },
    precision: { type: 'string', default: 'f32' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '0.1' },
    json: { type: 'string' },
    peers: { type: 'boolean', default: false },
    'peers-root': { type: 'string', default: process.env.BG_PEERS_ROOT ?? '' },
  },
});
const seconds = Number(values.seconds);
const { precision } = values;

/** One product; `run` is a queue of 25 ms on two cores: handing it over, and threads that wake, must not count. */
function prepare(backend, { layout, m: tokens, k: from, n }) {
  const [m, k] = layout === 'tn' ? [from, tokens] : [tokens, from];
  const [a, b, y] = [m * k, k * n, m * n].map((length) => backend.alloc(length, 'f32'));
  backend.kernels.fill(a, 0.5);
  backend.kernels.fill(b, 0.25);
  const flops = 2 * m * k * n;
  const times = Math.ceil(6e9 / flops);
  const [transposeA, transposeB] = [layout === 'tn', layout === 'nt'];
  const packed = layout === 'packed' ? backend.alloc(backend.kernels.packedLength(k, n, precision), 'f32') : undefined;
  if (packed !== undefined) backend.kernels.pack(b, packed, k, n, false, precision);
  const call = { a, b, y, m, n, k, transposeA, transposeB, batch: 1, strideA: 0, strideB: 0, packed, precision };
  const run = () => {
    for (let i = 0; i < times; i++) backend.kernels.matmul(call);
    return backend.flush();
  };
  const free = () => [a, b, y, ...(packed === undefined ? [] : [packed])].forEach((buf) => void backend.free(buf));
  return { flops: flops * times, run, free };
}

async function measure(backend, one) {
  const product = prepare(backend, one);
  await product.run();
  const samples = await turn(product, 1, seconds);
  product.free();
  const rate = (time) => product.flops / time / 1e9;
  return { rate: rate(median(samples)), best: rate(Math.min(...samples)) };
}

/** GFLOP/s of one side over the rounds: the median, and how far they lie apart. */
const summary = (rates) => {
  const middle = median(rates);
  return { gflops: middle, spread: (Math.max(...rates) - Math.min(...rates)) / middle };
};

/** All rounds of one product, sides in turn. */
async function compare(backend, threads, one, peers) {
  const sides = new Map([['ours', []], ...peers.map(({ name }) => [name, []])]);
  const [shares, peaks, bests] = [[], [], []];
  for (let round = 0; round < Number(values.rounds); round++) {
    const peak = backend.fmaPeak(threads, precision);
    const { rate, best } = await measure(backend, one);
    sides.get('ours').push(rate);
    shares.push(rate / peak);
    peaks.push(peak);
    bests.push(best);
    for (const { name, ask } of peers) sides.get(name).push((await ask({ ...one, seconds })).gflops);
  }
  const results = Object.fromEntries([...sides].map(([name, rates]) => [name, summary(rates)]));
  const best = Math.max(...peers.map(({ name }) => results[name].gflops));
  return {
    ...one,
    threads,
    isa: backend.isa,
    share: median(shares),
    best: Math.max(...bests) / Math.max(...peaks),
    ...results,
    ...(peers.length > 0 && { ratio: results.ours.gflops / best }),
  };
}

const spaced = (value, digits, width) => value.toFixed(digits).padStart(width);

function line({ layout, m, k, n, share, best, ratio, ...sides }, peers) {
  const name = `${[m, k, n].join(' x ').padEnd(19)}${layout.padEnd(7)}`;
  const rates = ['ours', ...peers.map((peer) => peer.name)].map(
    (side) => `${spaced(sides[side].gflops, 0, 8)} ±${spaced(50 * sides[side].spread, 0, 2)} %`,
  );
  return `${name}${spaced(share, 2, 5)}${spaced(best, 2, 6)}${rates.join('')}${ratio === undefined ? '' : spaced(ratio, 2, 8)}`;
}

const results = [];
const shapes = values.shapes.split(',').map((shape) => shape.split('x').map(Number));
for (const threads of values.threads.split(',').map(Number)) {
  const backend = nativeBackend(threads, values.isa);
  const peers = values.peers ? await startProducts(threads, values['peers-root']) : [];
  const peak = backend.fmaPeak(threads, precision);
  console.log(`${backend.runsOn}: ${precision} peak ${peak.toFixed(0)} GFLOP/s`);
  const names = ['ours', ...peers.map(({ name }) => name)].map((name) => name.padStart(14)).join('');
  console.log(`${'tokens x in x out'.padEnd(26)}share  best${names}${peers.length > 0 ? '   ratio' : ''}`);
  for (const [m, k, n] of shapes) {
    for (const layout of values.layouts.split(',')) {
      const shown = layout === 'packed' ? [] : peers;
      const result = await compare(backend, threads, { layout, m, k, n }, shown);
      results.push(result);
      console.log(line(result, shown));
    }
  }
  for (const peer of peers) peer.close();
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);

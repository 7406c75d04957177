// The gpu backend on the adapter that WebGPU offers: its roofs, products of BERT beside hand-written WGSL of
// the same tiling, training steps.
//   node bench/gpu.mjs [--models tiny,mini] [--steps 10] [--memory 0] [--seconds 0.2] [--tokens 512] [--tiles]
//                      [--only 'base projection'] [--limit 10] [--batch 32] [--seq 128] [--json file]
// Operands stay on the device. A product and its like by hand run in turns, until the 95 % interval of their ratio is within
// 1.5 % or `--limit` seconds have passed; other times are medians. Where a processor plays the GPU only ratios within one
// table mean something. `--tokens`: rows of an activation (512, on hardware 4096); 0: no products. `--tiles`: every tile.
// `--memory N` runs N steps of tiny and shows what the backend holds.
import { writeFileSync } from 'node:fs';
import { createGpuBackend } from '../dist/backend/gpu/index.js';
import { BertForPreTraining, preset, Rng, Trainer, useBackend } from '../dist/index.js';
import { besideHand, ours, shapes } from './gpu-beside.mjs';
import { roofs } from './gpu-raw.mjs';
import { median } from './measure.mjs';
import { parseOptions } from './options.mjs';

const { values } = parseOptions({
  options: {
    models: { type: 'string', default: 'tiny,mini' },
    steps: { type: 'string', default: '10' },
    memory: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '0.2' },
    tokens: { type: 'string' },
    batch: { type: 'string', default: '32' },
    seq: { type: 'string', default: '128' },
    limit: { type: 'string', default: '10' },
    tiles: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const number = (name) => Number(values[name]);
const say = (...cells) => console.log(cells.map((cell) => String(cell).padEnd(18)).join(' '));

/** Median seconds of one launch: `run(count)` submits many of them, so that one submit takes `--seconds`. */
async function secondsOf(run) {
  const timed = async (count) => {
    const begin = performance.now();
    await run(count);
    return (performance.now() - begin) / 1000 / count;
  };
  const share = number('seconds') / 5;
  // A device that rests lowers its clock: the first rounds only wake it.
  let once = await timed(1);
  const begin = performance.now();
  do once = await timed(Math.max(1, Math.min(200, Math.round(share / once))));
  while (performance.now() - begin < 2000 * share);
  const count = Math.max(1, Math.min(200, Math.round(share / once)));
  return median([await timed(count), await timed(count), await timed(count), await timed(count), await timed(count)]);
}

const backend = await createGpuBackend();
const { device } = backend;
values.tokens ??= device.software ? '512' : '4096';
const result = { runsOn: backend.runsOn, limits: device.limits, matmul: [], tiles: [], steps: [] };
console.log(backend.runsOn);
result.roofs = await roofs(device.gpu, secondsOf, device.software);
console.log(
  `roofs: ${result.roofs.gflops.toFixed(0)} GFLOP/s of multiply-adds, ${result.roofs.gbytes.toFixed(1)} GB/s of copying`,
);

const TILE_NAMES = device.software
  ? ['shared registers', 'few shared registers', 'registers']
  : ['128x128', '128x64', '64x64', '64x64 wide', '32x32'];

const interval = ({ ratio, low, high }) => `${ratio.toFixed(3)} (${low.toFixed(3)} - ${high.toFixed(3)})`;

/** Of each product: rate, and rate beside the same tiling by hand, which must give the same bits. */
async function products(works) {
  say('product', 'm n k', 'tile', 'GFLOP/s', 'of the roof', 'by hand', 'ratio, 95 %', 'of fastest tenths', 'blocks');
  for (const work of works) {
    const { m, n, k, batch } = work;
    const beside = await besideHand(backend, work, number('limit'));
    if (beside === null) continue;
    const { seconds, values: _, ...measured } = beside;
    const [gflops, raw] = seconds.map((s) => (2 * m * n * k * batch) / s / 1e9);
    result.matmul.push({ ...work, ...measured, gflops, raw });
    say(
      work.name,
      `${m} ${n} ${k}${batch > 1 ? ` x ${batch}` : ''}`,
      measured.tile,
      gflops.toFixed(1),
      `${((100 * gflops) / result.roofs.gflops).toFixed(0)} %`,
      raw.toFixed(1),
      interval(measured).padEnd(22),
      interval(measured.fastest).padEnd(22),
      measured.blocks,
      measured.same ? '' : 'OTHER BITS',
    );
  }
}

/** The same products with each tile. */
async function tiles(works) {
  say('product', 'm n k', ...TILE_NAMES);
  const fixed = [];
  for (const tile of TILE_NAMES) fixed.push(await createGpuBackend({ tile }));
  for (const work of works) {
    const { m, n, k, batch } = work;
    const rates = {};
    let first = null;
    for (const [i, name] of TILE_NAMES.entries()) {
      const one = ours(fixed[i], work);
      const gflops = (2 * m * n * k * batch) / (await secondsOf(one.run)) / 1e9;
      const values = await one.read();
      first ??= values;
      rates[name] = { gflops, same: first.every((v, at) => v === values[at]) };
      one.free();
    }
    result.tiles.push({ ...work, rates });
    say(
      work.name,
      `${m} ${n} ${k}`,
      ...TILE_NAMES.map((t) => `${rates[t].gflops.toFixed(1)}${rates[t].same ? '' : ' OTHER BITS'}`),
    );
  }
}

/** Full sequences of random ids, masked at 20 places. */
function randomBatch(rng, vocab) {
  const [batch, seq, perRow] = [number('batch'), number('seq'), Math.min(20, number('seq') >> 2)];
  const inputIds = Int32Array.from({ length: batch * seq }, () => 5 + rng.int(vocab - 5));
  const maskedPositions = Int32Array.from({ length: batch * perRow }, (_, i) => {
    return Math.floor(i / perRow) * seq + 1 + Math.floor(((i % perRow) * (seq - 2)) / perRow);
  });
  return {
    batch,
    seq,
    inputIds,
    tokenTypeIds: inputIds.map((_, i) => (i % seq < seq / 2 ? 0 : 1)),
    lengths: new Int32Array(batch).fill(seq),
    maskedPositions,
    maskedLabels: maskedPositions.map((p) => inputIds[p]),
    sentenceLabels: Int32Array.from({ length: batch }, () => rng.int(2)),
  };
}

function trainerOf(model, vocab = 30522) {
  useBackend(backend);
  const rng = new Rng(1, 9);
  const batches = Array.from({ length: 4 }, () => randomBatch(rng, vocab));
  const data = { batchAt: (step) => batches[step % 4], evalBatches: () => [] };
  const schedule = { name: 'constant', peak: 1e-4, warmupSteps: 0, totalSteps: 1e6 };
  const bert = new BertForPreTraining(preset(model, { vocabSize: vocab }), { seed: 0 });
  return new Trainer(bert, data, { seed: 0, packing: 'packed', accumulate: 1, schedule, adamw: {} });
}

async function stepSeconds(trainer, count) {
  const seconds = [];
  for (let i = 0; i < count; i++) {
    const begin = performance.now();
    await trainer.step();
    seconds.push((performance.now() - begin) / 1000);
  }
  return median(seconds);
}

/**
 * Seconds of a step without its kernels: all is enqueued, encoded, submitted and read as ever, but every dispatch is of no
 * workgroups. What remains is JavaScript, WebGPU and the way to the device and back.
 */
async function withoutKernels(run) {
  const pass = device.gpu.createCommandEncoder().beginComputePass();
  const proto = Object.getPrototypeOf(pass);
  pass.end();
  const { dispatchWorkgroups } = proto;
  let launches = 0;
  proto.dispatchWorkgroups = function () {
    launches++;
    dispatchWorkgroups.call(this, 0, 0, 0);
  };
  await run(3);
  launches = 0;
  const seconds = await run(40);
  proto.dispatchWorkgroups = dispatchWorkgroups;
  return { seconds, launches: launches / 40 };
}

/** The same for recorded steps, and for steps as they run without a recording. */
async function overheadOf(trainer) {
  const run = (count) => stepSeconds(trainer, count);
  const recorded = await withoutKernels(run);
  Object.defineProperty(backend, 'record', { value: undefined, configurable: true });
  const eager = await withoutKernels(run);
  delete backend.record;
  return { overhead: recorded.seconds, launches: recorded.launches, eager: eager.seconds };
}

async function steps(model) {
  const trainer = trainerOf(model);
  const losses = [];
  for (let i = 0; i < 3; i++) losses.push((await trainer.step()).mlmLoss);
  const seconds = await stepSeconds(trainer, number('steps'));
  const tokens = number('batch') * number('seq');
  const { flops } = await trainer.step();
  const without = await overheadOf(trainer);
  const line = { model, seconds, tokensPerSecond: tokens / seconds, gflops: flops / seconds / 1e9, ...without, losses };
  result.steps.push({ ...line, heldMiB: backend.heldBytes / 2 ** 20, peakMiB: backend.peakBytes / 2 ** 20 });
  const ms = (s) => (1000 * s).toFixed(2);
  const share = `${((100 * without.overhead) / seconds).toFixed(1)} % (${ms(without.overhead)} ms)`;
  say(
    model,
    `${(1000 * seconds).toFixed(1)} ms`,
    line.tokensPerSecond.toFixed(0),
    line.gflops.toFixed(0),
    share,
    `${ms(without.eager)} ms`,
    without.launches,
    `${(backend.heldBytes / 2 ** 20).toFixed(0)} MiB`,
  );
  trainer.dispose();
}

async function memory(count) {
  const trainer = trainerOf('tiny', 1000);
  const held = [];
  for (let i = 0; i < count; i++) {
    await trainer.step();
    if ((i + 1) % Math.max(1, Math.floor(count / 5)) === 0) {
      held.push({ step: i + 1, held: backend.heldBytes, live: backend.liveBytes, rss: process.memoryUsage().rss });
    }
  }
  result.memory = held;
  for (const { step, held: h, rss } of held)
    say(`after ${step} steps`, `${(h / 2 ** 20).toFixed(2)} MiB held`, `${(rss / 2 ** 20).toFixed(0)} MiB of process`);
}

const works = number('tokens') === 0 ? [] : shapes(number('tokens')).filter(({ name }) => name.includes(values.only));
await products(works);
if (values.tiles) await tiles(works);
say('step', 'time', 'tokens/s', 'GFLOP/s', 'without kernels', 'not recorded', 'launches', 'held');
for (const model of values.models.split(',').filter(Boolean)) await steps(model);
if (number('memory') > 0) await memory(number('memory'));
if (values.json) writeFileSync(values.json, JSON.stringify(result, null, 1));

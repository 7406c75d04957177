// The gpu backend on the adapter that WebGPU offers: its roofs, products of BERT beside hand-written WGSL of
// the same tiling, training steps.
//   node bench/gpu.mjs [--models tiny,mini] [--steps 10] [--memory 0] [--seconds 0.2] [--large]
//                      [--only 'base projection'] [--json file]
// Operands stay on the device; a time is that of many launches in one submit, the median of some rounds. Where a
// processor plays the GPU only ratios within one table mean something. `--memory N` runs N steps of tiny and shows what
// the backend holds. `--large`: the shapes of BERT-base (default on hardware).
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { TILES } from '../dist/backend/gpu/fast/tiles.js';
import { createGpuBackend } from '../dist/backend/gpu/index.js';
import { BertForPreTraining, preset, Rng, Trainer, useBackend } from '../dist/index.js';
import { matmulByHand, prepare, roofs } from './gpu-raw.mjs';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'tiny,mini' },
    steps: { type: 'string', default: '10' },
    memory: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '0.2' },
    batch: { type: 'string', default: '32' },
    seq: { type: 'string', default: '128' },
    large: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const number = (name) => Number(values[name]);
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
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
const large = values.large || !device.software;
const result = { runsOn: backend.runsOn, limits: device.limits, matmul: [], steps: [] };
console.log(backend.runsOn);
result.roofs = await roofs(device.gpu, secondsOf, device.software);
console.log(
  `roofs: ${result.roofs.gflops.toFixed(0)} GFLOP/s of multiply-adds, ${result.roofs.gbytes.toFixed(1)} GB/s of copying`,
);

const floats = (length) => Float32Array.from({ length }, (_, i) => ((i * 2654435761) % 1000) / 500 - 1);

/** A product on a backend, ready to be launched: `run(count)` submits that many launches. */
function ours(on, { m, n, k, transposeA = false, transposeB = false }) {
  const [a, b, y] = [on.upload(floats(m * k)), on.upload(floats(k * n)), on.alloc(m * n, 'f32')];
  const call = { a, b, y, m, n, k, transposeA, transposeB, batch: 1, strideA: 0, strideB: 0 };
  return {
    call,
    async run(count) {
      for (let i = 0; i < count; i++) on.kernels.matmul(call);
      await on.flush();
    },
    read: () => on.read(y),
    free() {
      for (const buf of [a, b, y]) on.free(buf);
    },
  };
}

/** The same in hand-written WGSL, cut up as the backend does it; null where sizes are no multiples of the tile's. */
async function byHand(tile, shape) {
  const { m, n, k } = shape;
  const shader = matmulByHand(tile, shape);
  if (shader === null) return null;
  return prepare(device.gpu, shader.code, [4 * m * k, 4 * k * n, 4 * m * n], shader.groups, [
    floats(m * k),
    floats(k * n),
  ]);
}

/** Seconds of both, in turns, to and fro, so that a drift hits both alike; and the median of what a round's ratio is. */
async function inTurns(one, other) {
  const count = Math.max(1, Math.round(number('seconds') / 5 / (await secondsOf(one.run))));
  const rounds = [];
  await other.run(count);
  for (let round = 0; round < 9; round++) {
    const seconds = [0, 0];
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const begin = performance.now();
      await [one, other][i].run(count);
      seconds[i] = (performance.now() - begin) / 1000 / count;
    }
    rounds.push(seconds);
  }
  return { seconds: [0, 1].map((i) => median(rounds.map((r) => r[i]))), ratio: median(rounds.map(([x, y]) => y / x)) };
}

const T = large ? 4096 : 512;
const SHAPES = [
  { name: 'mini projection', m: T, n: 256, k: 256 },
  { name: 'mini feed-forward', m: T, n: 1024, k: 256 },
  { name: 'base projection', m: T, n: 768, k: 768 },
  { name: 'base feed-forward', m: T, n: 3072, k: 768 },
  ...(large
    ? [
        { name: 'base output', m: T, n: 768, k: 3072 },
        { name: 'base dX', m: T, n: 768, k: 3072, transposeB: true },
        { name: 'base dW', m: 768, n: 3072, k: T, transposeA: true },
        { name: 'base logits', m: 640, n: 30522, k: 768, transposeB: true },
      ]
    : [
        { name: 'mini dX', m: T, n: 256, k: 1024, transposeB: true },
        { name: 'mini dW', m: 256, n: 1024, k: T, transposeA: true },
      ]),
];
const TILE_NAMES = device.software
  ? ['shared registers', 'few shared registers', 'registers']
  : ['128x128', '128x64', '64x64', '64x64 wide', '32x32'];

/** Of the tile that the backend has chosen: rate, and rate beside the same tiling by hand, which must give the same bits. */
async function besideHand(shape) {
  const mine = ours(backend, shape);
  await mine.run(1); // a trial, where there are trials
  await mine.run(1);
  const tile = TILES.find(({ name }) => name === backend.tileOf(mine.call));
  const hand = await byHand(tile, shape);
  const { seconds, ratio } =
    hand === null ? { seconds: [await secondsOf(mine.run), null], ratio: null } : await inTurns(mine, hand);
  const values = await mine.read();
  const same = hand === null || (await hand.read(2)).every((v, i) => v === values[i]);
  mine.free();
  hand?.free();
  return { tile: tile.name, seconds, ratio, values, same };
}

async function products() {
  say('product', 'm n k', 'tile', 'GFLOP/s', 'of the roof', 'by hand', ...TILE_NAMES);
  const fixed = [];
  for (const tile of TILE_NAMES) fixed.push(await createGpuBackend({ tile }));
  for (const shape of SHAPES.filter(({ name }) => name.includes(values.only))) {
    const { m, n, k } = shape;
    const rate = (seconds) => (2 * m * n * k) / seconds / 1e9;
    const chosen = await besideHand(shape);
    const tiles = {};
    for (const [i, name] of TILE_NAMES.entries()) {
      const one = ours(fixed[i], shape);
      const gflops = rate(await secondsOf(one.run));
      const same = (await one.read()).every((v, at) => v === chosen.values[at]);
      tiles[name] = { gflops, same };
      one.free();
    }
    const { tile, ratio, same } = chosen;
    const [gflops, raw] = chosen.seconds.map((s) => s && rate(s));
    result.matmul.push({ ...shape, tile, gflops, raw, ratio, same, tiles });
    const share = `${((100 * gflops) / result.roofs.gflops).toFixed(0)} %`;
    const beside = raw === null ? '-' : `${raw.toFixed(1)} (${ratio.toFixed(2)}x)${same ? '' : ' OTHER BITS'}`;
    const others = TILE_NAMES.map((t) => `${tiles[t].gflops.toFixed(1)}${tiles[t].same ? '' : ' OTHER BITS'}`);
    say(shape.name, `${m} ${n} ${k}`, tile, gflops.toFixed(1), share, beside, ...others);
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

await products();
say('step', 'time', 'tokens/s', 'GFLOP/s', 'without kernels', 'not recorded', 'launches', 'held');
for (const model of values.models.split(',').filter(Boolean)) await steps(model);
if (number('memory') > 0) await memory(number('memory'));
if (values.json) writeFileSync(values.json, JSON.stringify(result, null, 1));

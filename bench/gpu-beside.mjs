// Products of BERT on the gpu backend beside hand-written WGSL of the same tiling, in turns.
import { partsOf } from '../dist/backend/gpu/fast/matmul.js';
import { TILES } from '../dist/backend/gpu/fast/tiles.js';
import { ratioOfMedians, ratioOfQuantiles } from '../dist/bench/stats.js';
import { matmulByHand, prepare } from './gpu-raw.mjs';
import { median } from './measure.mjs';

const MODELS = { tiny: 128, mini: 256, base: 768 };
/** Seconds of one turn of one side, and blocks of four turns at least. */
const TURN = 0.02;
const LEAST = 20;
/** Half of the interval, as a share of the ratio, that is narrow enough. */
const NARROW = 0.015;
/** Sets of buffers of each side, a block's turns each: where they happen to lie moves a product by up to a twentieth. */
const SETS = 4;

const shape = (name, sizes) => ({ name, transposeA: false, transposeB: false, batch: 1, ...sizes });

/** Products of a layer: forward, gradients of an input and of a weight, and of four heads over 128 tokens. */
export function shapes(tokens) {
  const layers = Object.entries(MODELS).flatMap(([model, h]) => [
    shape(`${model} projection`, { m: tokens, n: h, k: h }),
    shape(`${model} projection nt`, { m: tokens, n: h, k: h, transposeB: true }),
    shape(`${model} feed-forward`, { m: tokens, n: 4 * h, k: h }),
    shape(`${model} feed-forward nt`, { m: tokens, n: 4 * h, k: h, transposeB: true }),
    shape(`${model} output`, { m: tokens, n: h, k: 4 * h }),
    shape(`${model} output nt`, { m: tokens, n: h, k: 4 * h, transposeB: true }),
    shape(`${model} dW`, { m: h, n: 4 * h, k: tokens, transposeA: true }),
  ]);
  const heads = [
    shape('scores', { m: 128, n: 128, k: 64, batch: tokens / 32, transposeB: true }),
    shape('mixed', { m: 128, n: 64, k: 128, batch: tokens / 32 }),
  ];
  return [...layers, ...heads];
}

export const floats = (length) => Float32Array.from({ length }, (_, i) => ((i * 2654435761) % 1000) / 500 - 1);

/** A product on a backend, ready to be launched: `run(count)` submits that many launches. */
export function ours(on, { m, n, k, transposeA, transposeB, batch }) {
  const [a, b] = [on.upload(floats(batch * m * k)), on.upload(floats(batch * k * n))];
  const y = on.alloc(batch * m * n, 'f32');
  const call = { a, b, y, m, n, k, transposeA, transposeB, batch, strideA: m * k, strideB: k * n };
  return {
    call,
    submit(count) {
      for (let i = 0; i < count; i++) on.kernels.matmul(call);
      on.queue.submit();
    },
    done: () => on.flush(),
    async run(count) {
      this.submit(count);
      await this.done();
    },
    read: () => on.read(y),
    free() {
      for (const buf of [a, b, y]) on.free(buf);
    },
  };
}

/** How much of a turn is slept through. */
const ASLEEP = 0.8;

/**
 * Seconds of a launch. In Node, WebGPU asks the device without a pause whether a promise is settled, which takes a core from
 * one that a processor plays: nothing is asked for before most of the time that a turn takes has passed.
 * @param expected seconds of a launch, at least
 */
async function timed({ submit, done }, count, expected = 0) {
  const begin = performance.now();
  submit(count);
  if (expected > 0) await new Promise((resolve) => setTimeout(resolve, 1000 * ASLEEP * expected * count));
  await done();
  return (performance.now() - begin) / 1000 / count;
}

/** Seconds that this process has had of all processors: a device that one of them plays is part of it. */
function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Launches of a turn, and seconds of one. */
async function lookAt(side) {
  let once = await timed(side, 1);
  let count = 1;
  for (let round = 0; round < 6; round++) {
    once = Math.min(once, await timed(side, count, round < 3 ? 0 : once));
    count = Math.max(1, Math.min(200, Math.round(TURN / once)));
  }
  return { count, once };
}

/**
 * Blocks of A B B A and B A A B on each set of buffers, so that a drift hits both alike, until the interval of their
 * ratios' median is narrow, or the time is up. Where a processor plays the device, what it has spent is compared:
 * neighbours cannot move that.
 * @returns seconds of each side, of a launch; the ratio other / one with its interval, and of the fastest tenths
 */
async function inTurns(ones, others, { limit, software }) {
  const { count, once } = await lookAt(ones[0]);
  let expected = once;
  for (const side of [...ones, ...others]) await side.run(count);
  const [times, costs] = [0, 1].map(() => [[], []]);
  const ratios = [];
  let interval = null;
  for (const begun = performance.now(); ; ) {
    const sums = [0, 0];
    const sides = [ones, others].map((all) => all[Math.floor(ratios.length / 2) % SETS]);
    for (const i of ratios.length % 2 === 0 ? [0, 1, 1, 0] : [1, 0, 0, 1]) {
      const before = processorSeconds();
      const seconds = await timed(sides[i], count, expected);
      const spent = software ? (processorSeconds() - before) / count : seconds;
      expected = Math.min(expected, seconds);
      times[i].push(seconds);
      costs[i].push(spent);
      sums[i] += spent;
    }
    ratios.push(sums[1] / sums[0]);
    const late = performance.now() - begun > 1000 * limit;
    if (ratios.length < LEAST && !late) continue;
    interval = ratioOfMedians(ratios, [1]);
    if (late || (interval.high - interval.low) / 2 < NARROW * interval.ratio) break;
  }
  const fastest = ratioOfQuantiles(costs[1], costs[0], 0.1);
  return { seconds: times.map(median), ...interval, fastest, blocks: ratios.length };
}

/** Of the tile that the backend has chosen, beside the same tiling by hand; null where sizes are no multiples of the tile's. */
export async function besideHand(backend, work, limit) {
  const mine = Array.from({ length: SETS }, () => ours(backend, work));
  const free = (sides) => sides.map((side) => side.free());
  for (let i = 0; i < 2; i++) await mine[0].run(1); // the first is a trial, where there are trials
  const tile = TILES.find(({ name }) => name === backend.tileOf(mine[0].call));
  const byHand = matmulByHand(tile, { ...work, parts: partsOf(mine[0].call) });
  if (byHand === null) {
    free(mine);
    return null;
  }
  const { m, n, k, batch } = work;
  const values = [floats(batch * m * k), floats(batch * k * n)];
  const hand = await Promise.all(mine.map(() => prepare(backend.device.gpu, byHand, values)));
  const turns = await inTurns(mine, hand, { limit, software: backend.device.software });
  const [got, want] = [await mine[0].read(), await hand[0].read(2)];
  free([...mine, ...hand]);
  return { tile: tile.name, ...turns, same: want.every((v, i) => v === got[i]), values: got };
}

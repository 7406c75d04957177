import { dropThreshold, type RandomKey, seedWords } from '../../../core/random.js';
import type { FastKernel } from '../spec.js';
import { PHILOX } from './philox.js';
import type { FastRunner } from './runner.js';

/** The numbers that name a sequence of random words, in the order of `KEY_PARAMS`. */
export const keyNumbers = (
  runner: Pick<FastRunner, 'liveNumber'>,
  rate: number,
  { seed, stream, step, row }: RandomKey,
): number[] => [
  dropThreshold(rate),
  1 / (1 - rate),
  row,
  runner.liveNumber('step', step >>> 0),
  stream >>> 0,
  ...seedWords(seed),
];
export const KEY_PARAMS = {
  threshold: 'int',
  scale: 'float',
  firstRow: 'int',
  step: 'int',
  stream: 'int',
  key0: 'int',
  key1: 'int',
} as const;

/** A thread draws the four words of one lane of one block: elements lane + 0, 16 ... 112. */
const keepKernelOf = (name: string, given: boolean): FastKernel => ({
  name,
  params: { ...(given ? { places: 'i32' } : {}), rows: 'int', cols: 'int', ...KEY_PARAMS },
  outputs: { keep: 'f32' },
  wgsl: `${PHILOX}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>) {
  let index = gid.x + gid.y * groups.x * 64u;
  let blocks = (params.cols + 127u) / 128u;
  let row = index / (blocks * 16u);
  if (row >= params.rows) { return; }
  let within = index % (blocks * 16u);
  let part = within / 16u;
  let lane = within % 16u;
  let drawn = params.firstRow + ${given ? 'u32(places_at(row))' : 'row'};
  let words = random_words(drawn, part, lane, blocks, params.step, params.stream, params.key0, params.key1);
  for (var i = 0u; i < 8u; i++) {
    let col = part * 128u + i * 16u + lane;
    if (col < params.cols) {
      set_keep(row * params.cols + col, select(0.0, params.scale, random_number(words, i) >= params.threshold));
    }
  }
}`,
});

const KEEP = [keepKernelOf('keepFactors', false), keepKernelOf('keepFactors of given rows', true)] as const;
export const keepKernel = (given: boolean): FastKernel => KEEP[given ? 1 : 0];

/** Threads of `keepKernel`. */
export const keepThreads = (rows: number, cols: number): number => rows * Math.ceil(cols / 128) * 16;

// The products of attention, four neighbours at a time: five texels serve 16 products, where an element a thread reads two
// numbers for each.
import { type RunSum, runSum, type Sum } from '../kernels/attention.js';
import type { Args, Dims } from '../spec.js';
import type { GlMemory } from './memory.js';
import type { WideKernel } from './program.js';
import type { GlRunner } from './runner.js';
import { LANES } from './textures.js';

const dot = (a: string, b: string): string => [0, 1, 2, 3].map((e) => `${a}[${e}] * ${b}[${e}]`).join(' + ');

/** Scores of a query with four keys. `width`: texels of a head. */
const SCORES: WideKernel = {
  name: 'attention scores wide',
  params: { q: 'f32', k: 'f32', keyBias: 'f32', first: 'f32', size: 'f32', width: 'int', scale: 'float' },
  rank: 3,
  sheets: [],
  texels: ['q', 'k'],
  text: `function (q, k, keyBias, first, size, width, scale) {
  const key = first[this.thread.z] + this.thread.x * 4;
  let s0 = 0; let s1 = 0; let s2 = 0; let s3 = 0;
  if (this.thread.x * 4 < size[this.thread.z]) {
    for (let d = 0; d < width; d++) {
      const v = q[0][this.thread.z][this.thread.y * width + d];
      const k0 = k[0][key][this.thread.y * width + d];
      const k1 = k[0][key + 1][this.thread.y * width + d];
      const k2 = k[0][key + 2][this.thread.y * width + d];
      const k3 = k[0][key + 3][this.thread.y * width + d];
      s0 += ${dot('v', 'k0')};
      s1 += ${dot('v', 'k1')};
      s2 += ${dot('v', 'k2')};
      s3 += ${dot('v', 'k3')};
    }
  }
  return [s0 * scale + keyBias[key], s1 * scale + keyBias[key + 1], s2 * scale + keyBias[key + 2], s3 * scale + keyBias[key + 3]];
}`,
};

/** dS of a query and four keys; where a probability is 0, whatever lies there. */
const D_SCORES: WideKernel = {
  name: 'attentionGrad dS wide',
  params: {
    ...{ probs: 'f32', kept: 'f32', dY: 'f32', v: 'f32', dots: 'f32', first: 'f32' },
    ...{ width: 'int', scale: 'float' },
  },
  rank: 3,
  sheets: [],
  texels: ['probs', 'kept', 'dY', 'v'],
  text: `function (probs, kept, dY, v, dots, first, width, scale) {
  const key = first[this.thread.z] + this.thread.x * 4;
  const p = probs[this.thread.z][this.thread.y][this.thread.x];
  const m = kept[this.thread.z][this.thread.y][this.thread.x];
  const sum = dots[0][this.thread.z][this.thread.y];
  let s0 = 0; let s1 = 0; let s2 = 0; let s3 = 0;
  if (p[0] + p[1] + p[2] + p[3] > 0) {
    for (let d = 0; d < width; d++) {
      const g = dY[0][this.thread.z][this.thread.y * width + d];
      const v0 = v[0][key][this.thread.y * width + d];
      const v1 = v[0][key + 1][this.thread.y * width + d];
      const v2 = v[0][key + 2][this.thread.y * width + d];
      const v3 = v[0][key + 3][this.thread.y * width + d];
      s0 += ${dot('g', 'v0')};
      s1 += ${dot('g', 'v1')};
      s2 += ${dot('g', 'v2')};
      s3 += ${dot('g', 'v3')};
    }
  }
  return [${[0, 1, 2, 3].map((e) => `p[${e}] > 0 ? p[${e}] * (s${e} * m[${e}] - sum) * scale : 0`).join(', ')}];
}`,
};

/** Four columns of a query's sum over keys, four of these at a time; weights beyond the sequence are 0. */
const OVER_KEYS: WideKernel = {
  name: 'attention over keys wide',
  params: { weights: 'f32', x: 'f32', first: 'f32', size: 'f32', width: 'int' },
  rank: 3,
  sheets: [],
  texels: ['weights', 'x'],
  text: `function (weights, x, first, size, width) {
  const start = first[this.thread.z];
  const last = start + size[this.thread.z] - 1;
  const quads = Math.ceil(size[this.thread.z] / 4);
  let s0 = 0; let s1 = 0; let s2 = 0; let s3 = 0;
  for (let j = 0; j < quads; j++) {
    const w = weights[this.thread.z][this.thread.y][j];
    const x0 = x[0][start + j * 4][this.thread.y * width + this.thread.x];
    const x1 = x[0][Math.min(start + j * 4 + 1, last)][this.thread.y * width + this.thread.x];
    const x2 = x[0][Math.min(start + j * 4 + 2, last)][this.thread.y * width + this.thread.x];
    const x3 = x[0][Math.min(start + j * 4 + 3, last)][this.thread.y * width + this.thread.x];
${[0, 1, 2, 3].map((e) => `    s${e} += ${[0, 1, 2, 3].map((j) => `w[${j}] * x${j}[${e}]`).join(' + ')};`).join('\n')}
  }
  return [s0, s1, s2, s3];
}`,
};

/** Four columns of a key's sum over queries. */
const OVER_QUERIES: WideKernel = {
  name: 'attention over queries wide',
  params: { weights: 'f32', x: 'f32', first: 'f32', size: 'f32', place: 'f32', width: 'int' },
  rank: 3,
  sheets: [],
  texels: ['x'],
  text: `function (weights, x, first, size, place, width) {
  const n = size[this.thread.z];
  const start = first[this.thread.z];
  const key = place[this.thread.z];
  let s0 = 0; let s1 = 0; let s2 = 0; let s3 = 0;
  for (let i = 0; i < n; i++) {
    const w = weights[start + i][this.thread.y][key];
    const v = x[0][start + i][this.thread.y * width + this.thread.x];
    s0 += w * v[0]; s1 += w * v[1]; s2 += w * v[2]; s3 += w * v[3];
  }
  return [s0, s1, s2, s3];
}`,
};

const SUMS: Readonly<Record<Sum, WideKernel>> = {
  scores: SCORES,
  dS: D_SCORES,
  overKeys: OVER_KEYS,
  overQueries: OVER_QUERIES,
};

/** With vectors where heads are made of whole texels, and operands begin with one. */
export function wideSums(runner: GlRunner, memory: GlMemory): RunSum {
  const plain = runSum(runner);
  return (sum, call, args, [cols, rows, layers], y) => {
    const { headDim, maxSeq } = call;
    const kernel = SUMS[sum];
    const names = Object.keys(kernel.params);
    const whole = (arg: Args[number], i: number): boolean =>
      typeof arg === 'number' || !kernel.texels?.includes(names[i]) || memory.own(arg.buf).at % LANES === 0;
    if (headDim % LANES !== 0 || !args.every(whole)) {
      plain(sum, call, args, [cols, rows, layers], y);
      return;
    }
    const inTexels = args.map((arg, i) => (names[i] === 'width' ? headDim / LANES : arg));
    const output: Dims = [cols / LANES, rows, layers];
    const work = 2 * cols * rows * layers * (sum === 'scores' || sum === 'dS' ? headDim : maxSeq);
    runner.runWide(kernel, inTexels, output, y, work);
  };
}

// Attention in small steps: scores of every query with every key of its sequence, then the sums over them. All scores are
// in memory at once, [queries, heads, columns], with a column for each key of the longest sequence, rounded up to a multiple
// of four; the fast kernels do without.
import type { AttentionCall, Buf } from '../../backend.js';
import { type Args, block, type Dims, line, type Operand, type PlainKernel, type PlainRunner, table } from '../spec.js';
import { type Places, withPlaces, withQueryPlaces } from './attention-places.js';
import { fill } from './elementwise.js';
import { rowDot } from './rows.js';
import { withScratch } from './scratch.js';

/** [queries, heads, columns]; what lies beyond the sequence is never read. */
const SCORES: PlainKernel = {
  name: 'attention scores',
  params: { q: 'f32', k: 'f32', keyBias: 'f32', first: 'f32', size: 'f32', headDim: 'int', scale: 'float' },
  rank: 3,
  loop: 'headDim',
  text: `function (q, k, keyBias, first, size, headDim, scale) {
  let sum = 0;
  const start = first[this.thread.z];
  if (this.thread.x < size[this.thread.z]) {
    for (let d = 0; d < headDim; d++) {
      sum += q[this.thread.z][this.thread.y * headDim + d] * k[start + this.thread.x][this.thread.y * headDim + d];
    }
    sum = sum * scale + keyBias[start + this.thread.x];
  }
  return sum;
}`,
};

const LSE: PlainKernel = {
  name: 'attention lse',
  params: { scores: 'f32', size: 'f32' },
  rank: 2,
  text: `function (scores, size) {
  const n = size[this.thread.y];
  let top = scores[this.thread.y][this.thread.x][0];
  for (let j = 1; j < n; j++) {
    const v = scores[this.thread.y][this.thread.x][j];
    top = v > top ? v : (v <= top ? top : v + top);
  }
  let sum = 0;
  for (let i = 0; i < n; i++) { sum += Math.exp(scores[this.thread.y][this.thread.x][i] - top); }
  return top + Math.log(sum);
}`,
};

/** exp(score - lse) within the sequence, 0 beyond it. */
const PROBS: PlainKernel = {
  name: 'attention probs',
  params: { scores: 'f32', lse: 'f32', size: 'f32' },
  rank: 3,
  text: `function (scores, lse, size) {
  const p = Math.exp(scores[this.thread.z][this.thread.y][this.thread.x] - lse[this.thread.z][this.thread.y]);
  return this.thread.x < size[this.thread.z] ? p : 0;
}`,
};

/** What dropout multiplies each probability with; it is drawn for each sequence and head, place and key. */
const KEPT: PlainKernel = {
  name: 'attention kept',
  params: { keep: 'f32', sequence: 'f32', place: 'f32', heads: 'int' },
  rank: 3,
  text: `function (keep, sequence, place, heads) {
  const layer = sequence[this.thread.z] * heads + this.thread.y;
  return keep[layer][place[this.thread.z]][this.thread.x];
}`,
};

const MULTIPLY: PlainKernel = {
  name: 'attention multiply',
  params: { y: 'f32', x: 'f32' },
  rank: 1,
  inPlace: 'y',
  text: 'function (y, x) { return y[this.thread.x] * x[this.thread.x]; }',
};

/** Of a query: sum over keys of weights times x. y with the kept probabilities and v, dQ with dS and k. */
const OVER_KEYS: PlainKernel = {
  name: 'attention over keys',
  params: { weights: 'f32', x: 'f32', first: 'f32', size: 'f32', headDim: 'int' },
  rank: 3,
  loop: 'weights',
  text: `function (weights, x, first, size, headDim) {
  const n = size[this.thread.z];
  const start = first[this.thread.z];
  let sum = 0;
  for (let j = 0; j < n; j++) {
    sum += weights[this.thread.z][this.thread.y][j] * x[start + j][this.thread.y * headDim + this.thread.x];
  }
  return sum;
}`,
};

/** Of a key: sum over queries. dV with the kept probabilities and dY, dK with dS and q. */
const OVER_QUERIES: PlainKernel = {
  name: 'attention over queries',
  params: { weights: 'f32', x: 'f32', first: 'f32', size: 'f32', place: 'f32', headDim: 'int' },
  rank: 3,
  loop: 'weights',
  text: `function (weights, x, first, size, place, headDim) {
  const n = size[this.thread.z];
  const start = first[this.thread.z];
  const key = place[this.thread.z];
  let sum = 0;
  for (let i = 0; i < n; i++) {
    sum += weights[start + i][this.thread.y][key] * x[start + i][this.thread.y * headDim + this.thread.x];
  }
  return sum;
}`,
};

/** dS = P (kept (dY . v_j) - D) scale. */
const D_SCORES: PlainKernel = {
  name: 'attentionGrad dS',
  params: {
    ...{ probs: 'f32', kept: 'f32', dY: 'f32', v: 'f32', dots: 'f32', first: 'f32' },
    ...{ headDim: 'int', scale: 'float' },
  },
  rank: 3,
  loop: 'headDim',
  text: `function (probs, kept, dY, v, dots, first, headDim, scale) {
  const start = first[this.thread.z];
  const p = probs[this.thread.z][this.thread.y][this.thread.x];
  let sum = 0;
  if (p > 0) {
    for (let d = 0; d < headDim; d++) {
      sum += dY[this.thread.z][this.thread.y * headDim + d] * v[start + this.thread.x][this.thread.y * headDim + d];
    }
    sum = p * (sum * kept[this.thread.z][this.thread.y][this.thread.x] - dots[this.thread.z][this.thread.y]) * scale;
  }
  return sum;
}`,
};

/** A product of attention: a kernel by name, its arguments, and the axes of the result. */
export type Sum = 'scores' | 'dS' | 'overKeys' | 'overQueries';
export type RunSum = (sum: Sum, call: AttentionCall, args: Args, output: Dims, y: Buf) => void;

const SUMS: Readonly<Record<Sum, PlainKernel>> = {
  scores: SCORES,
  dS: D_SCORES,
  overKeys: OVER_KEYS,
  overQueries: OVER_QUERIES,
};

/** An element a thread. */
export const runSum =
  (runner: PlainRunner): RunSum =>
  (sum, _, args, output, y) =>
    runner.run(SUMS[sum], args, output, y);

/** kept [queries, heads, columns]. */
function fillKept(runner: PlainRunner, call: AttentionCall, { sequence, place }: Places, kept: Buf): void {
  const { queryRows, sequences, heads, maxSeq, dropout } = call;
  if (dropout === null) {
    fill(runner, kept, 1);
    return;
  }
  const layers = sequences * heads;
  withScratch(runner, [layers * maxSeq * maxSeq], ([keep]) => {
    runner.keepFactors(keep, layers * maxSeq, maxSeq, dropout.rate, dropout.key, null);
    const args = [block(keep, layers, maxSeq, maxSeq), sequence, place, heads];
    runner.run(KEPT, args, [columnsOf(call), heads, queryRows], kept);
  });
}

const wide = ({ heads, headDim }: AttentionCall, rows: number, buf: Buf): Operand => table(buf, rows, heads * headDim);
const columnsOf = ({ maxSeq }: AttentionCall): number => 4 * Math.ceil(maxSeq / 4);
const cube = (call: AttentionCall, buf: Buf): Operand => block(buf, call.queryRows, call.heads, columnsOf(call));

/** Scores of all queries, heads and keys. */
function scoresOf(run: RunSum, call: AttentionCall, { first, size }: Places, out: Buf): void {
  const { rows, queryRows, heads, headDim, scale } = call;
  const args = [wide(call, queryRows, call.q), wide(call, rows, call.k), line(call.keyBias), first, size];
  run('scores', call, [...args, headDim, scale], [columnsOf(call), heads, queryRows], out);
}

/** @param run for modes that have faster products */
export function attention(
  runner: PlainRunner,
  call: AttentionCall,
  y: Buf,
  lse: Buf,
  run: RunSum = runSum(runner),
): void {
  const { rows, queryRows, heads, headDim } = call;
  const columns = columnsOf(call);
  const all = queryRows * heads * columns;
  if (all === 0) return;
  withQueryPlaces(runner, call, (places) => {
    const { first, size } = places;
    withScratch(runner, [all, all, all], ([scores, probs, kept]) => {
      scoresOf(run, call, places, scores);
      runner.run(LSE, [cube(call, scores), size], [heads, queryRows, 1], lse);
      const lses = table(lse, queryRows, heads);
      runner.run(PROBS, [cube(call, scores), lses, size], [columns, heads, queryRows], probs);
      if (call.dropout !== null) {
        fillKept(runner, call, places, kept);
        runner.run(MULTIPLY, [line(probs), line(kept)], [all, 1, 1], probs);
      }
      const args = [cube(call, probs), wide(call, rows, call.v), first, size, headDim];
      run('overKeys', call, args, [headDim, heads, queryRows], y);
    });
  });
}

/** As `attentionGrad` of the js backend, with the probabilities in memory. */
export function attentionGrad(
  runner: PlainRunner,
  call: AttentionCall,
  [y, lse, dY]: readonly [Buf, Buf, Buf],
  [dQ, dK, dV]: readonly [Buf, Buf, Buf],
  run: RunSum = runSum(runner),
): void {
  const { rows, queryRows, heads, headDim, scale } = call;
  const columns = columnsOf(call);
  const all = queryRows * heads * columns;
  if (rows === 0) return;
  withScratch(runner, [queryRows * heads, all, all, all], ([dots, probs, kept, dS]) => {
    rowDot(runner, dY, y, dots, queryRows * heads, headDim);
    withQueryPlaces(runner, call, (places) => {
      const { first, size } = places;
      const output = [columns, heads, queryRows] as const;
      scoresOf(run, call, places, dS);
      runner.run(PROBS, [cube(call, dS), table(lse, queryRows, heads), size], output, probs);
      fillKept(runner, call, places, kept);
      const inputs = [cube(call, probs), cube(call, kept), wide(call, queryRows, dY), wide(call, rows, call.v)];
      run('dS', call, [...inputs, table(dots, queryRows, heads), first, headDim, scale], output, dS);
      const args = [cube(call, dS), wide(call, rows, call.k), first, size, headDim];
      run('overKeys', call, args, [headDim, heads, queryRows], dQ);
      runner.run(MULTIPLY, [line(probs), line(kept)], [all, 1, 1], probs);
    });
    gradOfKeys(runner, run, call, [dS, call.q, dK], [probs, dY, dV]);
  });
}

/** Sums over the queries of each key's sequence: weights, what they are multiplied with, and the result. */
function gradOfKeys(
  runner: PlainRunner,
  run: RunSum,
  call: AttentionCall,
  ...sums: readonly (readonly [Buf, Buf, Buf])[]
): void {
  const { rows, queryRows, sequences, heads, headDim, offsets, queries } = call;
  const other = queries?.offsets ?? offsets;
  withPlaces(runner, { rows, sequences, own: offsets, other, given: null }, ({ first, size, place }) => {
    for (const [weights, x, out] of sums) {
      const args = [cube(call, weights), wide(call, queryRows, x), first, size, place, headDim];
      run('overQueries', call, args, [headDim, heads, rows], out);
    }
  });
}

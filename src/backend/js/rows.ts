// Kernels that see a tensor as rows: [rows, cols]. Sums are taken in double precision, whatever the element type.
import type { Buf } from '../backend.js';
import { dataOf } from './memory.js';

/** y [outer, inner] from x [outer, size, inner]. */
export function reduce(fn: 'sum' | 'max' | 'min', x: Buf, y: Buf, outer: number, size: number, inner: number): void {
  const xs = dataOf(x);
  const ys = dataOf(y);
  const start = fn === 'sum' ? 0 : fn === 'max' ? -Infinity : Infinity;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let result = start;
      for (let s = 0, at = o * size * inner + i; s < size; s++, at += inner) {
        if (fn === 'sum') result += xs[at];
        else result = fn === 'max' ? Math.max(result, xs[at]) : Math.min(result, xs[at]);
      }
      ys[o * inner + i] = result;
    }
  }
}

export function argmax(x: Buf, y: Buf, rows: number, cols: number): void {
  const xs = dataOf(x);
  const ys = dataOf(y);
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let col = 1; col < cols; col++) if (xs[row * cols + col] > xs[row * cols + best]) best = col;
    ys[row] = best;
  }
}

/** log sum exp of one row. The largest value is taken out first, so that no exponent overflows. */
export function logSumExp(xs: ArrayLike<number>, start: number, cols: number): number {
  let max = -Infinity;
  for (let i = start; i < start + cols; i++) max = Math.max(max, xs[i]);
  if (!Number.isFinite(max)) return max;
  let sum = 0;
  for (let i = start; i < start + cols; i++) sum += Math.exp(xs[i] - max);
  return max + Math.log(sum);
}

export function softmax(x: Buf, y: Buf, rows: number, cols: number): void {
  const xs = dataOf(x);
  const ys = dataOf(y);
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let max = -Infinity;
    for (let i = start; i < start + cols; i++) max = Math.max(max, xs[i]);
    let sum = 0;
    for (let i = start; i < start + cols; i++) sum += Math.exp(xs[i] - max);
    for (let i = start; i < start + cols; i++) ys[i] = Math.exp(xs[i] - max) / sum;
  }
}

export function softmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
  const [ys, dYs, dXs] = [dataOf(y), dataOf(dY), dataOf(dX)];
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let sum = 0;
    for (let i = start; i < start + cols; i++) sum += dYs[i] * ys[i];
    for (let i = start; i < start + cols; i++) dXs[i] = ys[i] * (dYs[i] - sum);
  }
}

export function logSoftmax(x: Buf, y: Buf, rows: number, cols: number): void {
  const xs = dataOf(x);
  const ys = dataOf(y);
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    const lse = logSumExp(xs, start, cols);
    for (let i = start; i < start + cols; i++) ys[i] = xs[i] - lse;
  }
}

export function logSoftmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
  const [ys, dYs, dXs] = [dataOf(y), dataOf(dY), dataOf(dX)];
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let sum = 0;
    for (let i = start; i < start + cols; i++) sum += dYs[i];
    for (let i = start; i < start + cols; i++) dXs[i] = dYs[i] - Math.exp(ys[i]) * sum;
  }
}

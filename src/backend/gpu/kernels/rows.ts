// Kernels that see a tensor as rows: one thread a row where a sum is taken, one an element where it is used.
import type { Buf } from '../../backend.js';
import { block, line, type PlainKernel, type PlainRunner, table } from '../spec.js';
import { withScratch } from './scratch.js';

/** Combines the `size` elements of one column of a layer. NaN stays NaN: a sum with it is. */
const REDUCE: Readonly<Record<'sum' | 'max' | 'min', PlainKernel>> = {
  sum: {
    name: 'reduce sum',
    params: { x: 'f32', size: 'int' },
    rank: 2,
    loop: 'size',
    text: `function (x, size) {
  let sum = 0;
  for (let i = 0; i < size; i++) { sum += x[this.thread.y][i][this.thread.x]; }
  return sum;
}`,
  },
  max: extremum('max', '>', '<='),
  min: extremum('min', '<', '>='),
};

function extremum(name: string, better: string, worse: string): PlainKernel {
  return {
    name: `reduce ${name}`,
    params: { x: 'f32', size: 'int' },
    rank: 2,
    loop: 'size',
    text: `function (x, size) {
  let best = x[this.thread.y][0][this.thread.x];
  for (let i = 1; i < size; i++) {
    const v = x[this.thread.y][i][this.thread.x];
    best = v ${better} best ? v : (v ${worse} best ? best : v + best);
  }
  return best;
}`,
  };
}

export function reduce(
  runner: PlainRunner,
  fn: 'sum' | 'max' | 'min',
  x: Buf,
  y: Buf,
  outer: number,
  size: number,
  inner: number,
): void {
  runner.run(REDUCE[fn], [block(x, outer, size, inner), size], [inner, outer, 1], y);
}

const ARGMAX: PlainKernel = {
  name: 'argmax',
  params: { x: 'f32', cols: 'int' },
  rank: 1,
  result: 'i32',
  text: `function (x, cols) {
  let best = x[this.thread.x][0];
  let at = 0;
  for (let i = 1; i < cols; i++) {
    const v = x[this.thread.x][i];
    if (v > best) { best = v; at = i; }
  }
  return at;
}`,
};

export function argmax(runner: PlainRunner, x: Buf, y: Buf, rows: number, cols: number): void {
  runner.run(ARGMAX, [table(x, rows, cols), cols], [rows, 1, 1], y);
}

/** sum_i exp(x_i - top), with the row's largest element taken out first, so that no exponent overflows. */
const EXP_SUM: PlainKernel = {
  name: 'expSum',
  params: { x: 'f32', top: 'f32', cols: 'int' },
  rank: 1,
  loop: 'cols',
  text: `function (x, top, cols) {
  const m = top[this.thread.x];
  let sum = 0;
  for (let i = 0; i < cols; i++) { sum += Math.exp(x[this.thread.x][i] - m); }
  return sum;
}`,
};

const SOFTMAX: PlainKernel = {
  name: 'softmax',
  params: { x: 'f32', top: 'f32', sum: 'f32' },
  rank: 2,
  text: `function (x, top, sum) {
  return Math.exp(x[this.thread.y][this.thread.x] - top[this.thread.y]) / sum[this.thread.y];
}`,
};

const LOG_SOFTMAX: PlainKernel = {
  name: 'logSoftmax',
  params: { x: 'f32', top: 'f32', sum: 'f32' },
  rank: 2,
  text: `function (x, top, sum) {
  return x[this.thread.y][this.thread.x] - top[this.thread.y] - Math.log(sum[this.thread.y]);
}`,
};

/** The largest element of each row, and the sum of exponentials from it on. */
export function topAndSum(
  runner: PlainRunner,
  x: Buf,
  rows: number,
  cols: number,
  use: (top: Buf, sum: Buf) => void,
): void {
  withScratch(runner, [rows, rows], ([top, sum]) => {
    reduce(runner, 'max', x, top, rows, cols, 1);
    runner.run(EXP_SUM, [table(x, rows, cols), line(top), cols], [rows, 1, 1], sum);
    use(top, sum);
  });
}

export function softmax(runner: PlainRunner, x: Buf, y: Buf, rows: number, cols: number, log = false): void {
  if (cols === 0) return;
  topAndSum(runner, x, rows, cols, (top, sum) => {
    runner.run(log ? LOG_SOFTMAX : SOFTMAX, [table(x, rows, cols), line(top), line(sum)], [cols, rows, 1], y);
  });
}

const ROW_DOT: PlainKernel = {
  name: 'rowDot',
  params: { a: 'f32', b: 'f32', cols: 'int' },
  rank: 1,
  text: `function (a, b, cols) {
  let sum = 0;
  for (let i = 0; i < cols; i++) { sum += a[this.thread.x][i] * b[this.thread.x][i]; }
  return sum;
}`,
};

/** sums[r] = a[r, :] . b[r, :]. */
export function rowDot(runner: PlainRunner, a: Buf, b: Buf, sums: Buf, rows: number, cols: number): void {
  runner.run(ROW_DOT, [table(a, rows, cols), table(b, rows, cols), cols], [rows, 1, 1], sums);
}

const SOFTMAX_GRAD: PlainKernel = {
  name: 'softmaxGrad',
  params: { y: 'f32', dY: 'f32', sums: 'f32' },
  rank: 2,
  text: `function (y, dY, sums) {
  return y[this.thread.y][this.thread.x] * (dY[this.thread.y][this.thread.x] - sums[this.thread.y]);
}`,
};

const LOG_SOFTMAX_GRAD: PlainKernel = {
  name: 'logSoftmaxGrad',
  params: { y: 'f32', dY: 'f32', sums: 'f32' },
  rank: 2,
  text: `function (y, dY, sums) {
  return dY[this.thread.y][this.thread.x] - Math.exp(y[this.thread.y][this.thread.x]) * sums[this.thread.y];
}`,
};

export function softmaxGrad(runner: PlainRunner, y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
  withScratch(runner, [rows], ([sums]) => {
    rowDot(runner, y, dY, sums, rows, cols);
    runner.run(SOFTMAX_GRAD, [table(y, rows, cols), table(dY, rows, cols), line(sums)], [cols, rows, 1], dX);
  });
}

export function logSoftmaxGrad(runner: PlainRunner, y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
  withScratch(runner, [rows], ([sums]) => {
    reduce(runner, 'sum', dY, sums, rows, cols, 1);
    runner.run(LOG_SOFTMAX_GRAD, [table(y, rows, cols), table(dY, rows, cols), line(sums)], [cols, rows, 1], dX);
  });
}

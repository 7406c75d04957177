import type { Buf } from '../../backend.js';
import { line, type PlainKernel, type PlainRunner, table } from '../spec.js';
import { withScratch } from './scratch.js';

const MEAN: PlainKernel = {
  name: 'mean',
  params: { x: 'f32', cols: 'int' },
  rank: 1,
  text: `function (x, cols) {
  let sum = 0;
  for (let i = 0; i < cols; i++) { sum += x[this.thread.x][i]; }
  return sum / cols;
}`,
};

/** A second pass: the difference of two large sums would lose the digits that matter. */
const RSTD: PlainKernel = {
  name: 'rstd',
  params: { x: 'f32', mean: 'f32', cols: 'int', eps: 'float' },
  rank: 1,
  text: `function (x, mean, cols, eps) {
  const m = mean[this.thread.x];
  let squares = 0;
  for (let i = 0; i < cols; i++) {
    const d = x[this.thread.x][i] - m;
    squares += d * d;
  }
  return 1 / Math.sqrt(squares / cols + eps);
}`,
};

const LAYER_NORM: PlainKernel = {
  name: 'layerNorm',
  params: { x: 'f32', gamma: 'f32', beta: 'f32', mean: 'f32', rstd: 'f32' },
  rank: 2,
  text: `function (x, gamma, beta, mean, rstd) {
  const hat = (x[this.thread.y][this.thread.x] - mean[this.thread.y]) * rstd[this.thread.y];
  return hat * gamma[this.thread.x] + beta[this.thread.x];
}`,
};

export function layerNorm(
  runner: PlainRunner,
  [x, gamma, beta]: readonly [Buf, Buf, Buf],
  [y, mean, rstd]: readonly [Buf, Buf, Buf],
  rows: number,
  cols: number,
  eps: number,
): void {
  const xs = table(x, rows, cols);
  runner.run(MEAN, [xs, cols], [rows, 1, 1], mean);
  runner.run(RSTD, [xs, line(mean), cols, eps], [rows, 1, 1], rstd);
  runner.run(LAYER_NORM, [xs, line(gamma), line(beta), line(mean), line(rstd)], [cols, rows, 1], y);
}

/** sum_i g_i (weighted = 0) or sum_i g_i xHat_i (weighted = 1), with g = dY gamma. */
const ROW_SUM: PlainKernel = {
  name: 'layerNormGrad row sum',
  params: { x: 'f32', gamma: 'f32', mean: 'f32', rstd: 'f32', dY: 'f32', cols: 'int', weighted: 'float' },
  rank: 1,
  text: `function (x, gamma, mean, rstd, dY, cols, weighted) {
  const m = mean[this.thread.x];
  const r = rstd[this.thread.x];
  let sum = 0;
  for (let i = 0; i < cols; i++) {
    const g = dY[this.thread.x][i] * gamma[i];
    const hat = (x[this.thread.x][i] - m) * r;
    sum += weighted > 0 ? g * hat : g;
  }
  return sum;
}`,
};

/** dX = rstd (g - mean(g) - xHat mean(g xHat)). */
const D_X: PlainKernel = {
  name: 'layerNormGrad dX',
  params: { x: 'f32', gamma: 'f32', mean: 'f32', rstd: 'f32', dY: 'f32', sum: 'f32', sumHat: 'f32', cols: 'float' },
  rank: 2,
  text: `function (x, gamma, mean, rstd, dY, sum, sumHat, cols) {
  const r = rstd[this.thread.y];
  const hat = (x[this.thread.y][this.thread.x] - mean[this.thread.y]) * r;
  const g = dY[this.thread.y][this.thread.x] * gamma[this.thread.x];
  return r * (g - sum[this.thread.y] / cols - hat * sumHat[this.thread.y] / cols);
}`,
};

/** Of each column: sum over rows of dY (weighted = 0) or of dY xHat (weighted = 1). */
const COLUMN_SUM: PlainKernel = {
  name: 'layerNormGrad column sum',
  params: { x: 'f32', mean: 'f32', rstd: 'f32', dY: 'f32', rows: 'int', weighted: 'float' },
  rank: 1,
  text: `function (x, mean, rstd, dY, rows, weighted) {
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const hat = (x[i][this.thread.x] - mean[i]) * rstd[i];
    const d = dY[i][this.thread.x];
    sum += weighted > 0 ? d * hat : d;
  }
  return sum;
}`,
};

export function layerNormGrad(
  runner: PlainRunner,
  [x, gamma, mean, rstd, dY]: readonly [Buf, Buf, Buf, Buf, Buf],
  [dX, dGamma, dBeta]: readonly [Buf, Buf, Buf],
  rows: number,
  cols: number,
): void {
  const [xs, dYs] = [table(x, rows, cols), table(dY, rows, cols)];
  const [scale, means, rstds] = [line(gamma), line(mean), line(rstd)];
  withScratch(runner, [rows, rows], ([sum, sumHat]) => {
    for (const [out, weighted] of [
      [sum, 0],
      [sumHat, 1],
    ] as const) {
      runner.run(ROW_SUM, [xs, scale, means, rstds, dYs, cols, weighted], [rows, 1, 1], out);
    }
    runner.run(D_X, [xs, scale, means, rstds, dYs, line(sum), line(sumHat), cols], [cols, rows, 1], dX);
  });
  for (const [out, weighted] of [
    [dBeta, 0],
    [dGamma, 1],
  ] as const) {
    runner.run(COLUMN_SUM, [xs, means, rstds, dYs, rows, weighted], [cols, 1, 1], out);
  }
}

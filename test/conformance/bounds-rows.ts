// Bounds of ops along the last axis; see bounds.ts for the notation. Second-order terms are covered by the constants.
// Those of LayerNorm are in bounds-norm.ts.
import { rowsOf } from '../../src/core/shape.js';
import type { CrossEntropyAttrs } from '../../src/ops/cross-entropy.js';
import type { LinearCrossEntropyAttrs } from '../../src/ops/linear-cross-entropy.js';
import type { BoundOf } from './bounds.js';
import type { Case } from './evaluate.js';
import { gamma, TINY, U } from './rounding.js';

type Row = readonly number[];
const absSum = (values: Row): number => values.reduce((sum, x) => sum + Math.abs(x), 0);

/** Calls `visit` with each row: its number and the place of its first element. */
function eachRow(c: Case, visit: (row: number, start: number, cols: number) => void): void {
  const [rows, cols] = rowsOf(c.data[0].shape);
  for (let row = 0; row < rows; row++) visit(row, row * cols, cols);
}

const rowAt = (values: ArrayLike<number>, start: number, cols: number): Row =>
  Array.from({ length: cols }, (_, i) => values[start + i]);

/**
 * Relative error of exp(x_i - m) / sum: the exponent's rounding moves exp by |x_i - m| u, exp itself is within 4 u (see
 * native/math.inl), and so are all terms of the sum, which adds gamma_n; beyond 104 float32's exp is 0.
 */
function probabilityError(x: Row): number {
  const spread = Math.min(
    104,
    x.reduce((a, b) => Math.max(a, b), -Infinity) - x.reduce((a, b) => Math.min(a, b), Infinity),
  );
  return gamma(x.length + 12 + 2 * spread);
}

/** Error of the logarithm of a sum of exponentials, or of one element's log-probability. */
function logError(x: Row, lse: number): number {
  const largest = x.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return probabilityError(x) + 4 * U * (2 * largest + Math.abs(lse));
}

function lseOf(x: Row): number {
  const m = x.reduce((a, b) => Math.max(a, b), -Infinity);
  return m + Math.log(x.reduce((sum, v) => sum + Math.exp(v - m), 0));
}

/** dX = y (w - s), s = sum w y: y carries its own error e twice, s another gamma_n. */
export const softmaxBound: BoundOf = (c, exact) => {
  const out = new Float64Array(exact.out.length);
  const dX = new Float64Array(exact.out.length);
  eachRow(c, (_, start, cols) => {
    const x = rowAt(c.data[0].data, start, cols);
    const y = rowAt(exact.out, start, cols);
    const w = rowAt(c.weights, start, cols);
    const e = probabilityError(x);
    const weighted = absSum(y.map((p, i) => p * w[i]));
    y.forEach((p, i) => {
      out[start + i] = e * p + TINY;
      dX[start + i] = (2 * e + gamma(cols + 4)) * p * (Math.abs(w[i]) + weighted) + TINY;
    });
  });
  return { out, grads: [dX] };
};

/** dX = w - exp(y) sum w: exp(y) has the absolute error of y as a relative one. */
export const logSoftmaxBound: BoundOf = (c, exact) => {
  const out = new Float64Array(exact.out.length);
  const dX = new Float64Array(exact.out.length);
  eachRow(c, (_, start, cols) => {
    const x = rowAt(c.data[0].data, start, cols);
    const w = rowAt(c.weights, start, cols);
    const e = logError(x, lseOf(x));
    const weights = absSum(w);
    for (let i = 0; i < cols; i++) {
      const y = exact.out[start + i];
      out[start + i] = e + 2 * U * Math.abs(y);
      const relative = e + gamma(cols + 8) + 2 * U * Math.abs(y);
      dX[start + i] = Math.exp(y) * weights * relative + 2 * U * Math.abs(w[i]) + TINY;
    }
  });
  return { out, grads: [dX] };
};

/** loss = lse - x_label; dX = weight (exp(x - lse) - [label]). A scaled sum over the rows adds gamma_rows. */
export const crossEntropyBound: BoundOf = (c, exact) => {
  const { ignoreIndex, scale } = c.attrs as CrossEntropyAttrs;
  const [rows] = c.data[0].shape;
  const dX = new Float64Array(c.data[0].data.length);
  const each = new Float64Array(rows);
  let total = 0;
  eachRow(c, (row, start, cols) => {
    const label = c.data[1].data[row];
    if (label === ignoreIndex) return;
    const x = rowAt(c.data[0].data, start, cols);
    const lse = lseOf(x);
    const e = logError(x, lse);
    const loss = lse - x[label];
    each[row] = e + 2 * U * Math.abs(loss);
    total += Math.abs(scale ?? 1) * (each[row] + gamma(rows + 4) * Math.abs(loss));
    const weight = Math.abs(scale === null ? c.weights[row] : scale * c.weights[0]);
    x.forEach((v, i) => {
      const p = Math.exp(v - lse);
      const relative = e + gamma(8) + U * Math.abs(v - lse);
      dX[start + i] = weight * (p * relative + gamma(4) * (i === label ? 1 : p)) + TINY;
    });
  });
  return { out: scale === null ? each : exact.out.length === 1 ? [total] : [], grads: [dX, null] };
};

/** A logit is off by gamma_k of its terms, which moves probabilities and losses as the roundings of x do above. */
export const linearCrossEntropyBound: BoundOf = (c) => {
  const { ignoreIndex, scale } = c.attrs as LinearCrossEntropyAttrs;
  const [x, weight, shift, labels] = c.data.map((input) => input.data);
  const [rows, k] = c.data[0].shape;
  const [classes] = c.data[1].shape;
  const [dX, dWeight, dShift] = [x, weight, shift].map(({ length }) => new Float64Array(length).fill(TINY));
  const d = Math.abs(c.weights[0]);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const label = labels[row];
    if (label === ignoreIndex) continue;
    const logits = Array.from({ length: classes }, (_, j) => {
      const terms = Array.from({ length: k }, (_, i) => x[row * k + i] * weight[j * k + i]);
      return { value: terms.reduce((sum, t) => sum + t, shift[j]), size: absSum(terms) + Math.abs(shift[j]) };
    });
    const values = logits.map(({ value }) => value);
    const off = gamma(k + 2) * logits.reduce((most, { size }) => Math.max(most, size), 0);
    const lse = lseOf(values);
    const e = logError(values, lse) + 2 * off;
    total += scale * (e + gamma(rows + 6) * Math.abs(lse - values[label]));
    values.forEach((v, j) => {
      const p = Math.exp(v - lse);
      const g = scale * Math.abs(p - (j === label ? 1 : 0));
      const error = scale * (p * e + gamma(6) * (j === label ? 1 : p));
      dShift[j] += d * (error + gamma(rows + 4) * g);
      for (let i = 0; i < k; i++) {
        dX[row * k + i] += d * (error + gamma(classes + 4) * g) * Math.abs(weight[j * k + i]);
        dWeight[j * k + i] += d * (error + gamma(rows + 4) * g) * Math.abs(x[row * k + i]);
      }
    });
  }
  return { out: [total + TINY, 0], grads: [dX, dWeight, dShift, null] };
};

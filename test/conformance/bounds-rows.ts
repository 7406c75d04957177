// Bounds of ops along the last axis; see bounds.ts for the notation. Second-order terms are covered by the constants.
import { rowsOf } from '../../src/core/shape.js';
import type { CrossEntropyAttrs } from '../../src/ops/cross-entropy.js';
import type { LayerNormAttrs } from '../../src/ops/layer-norm.js';
import type { Bound, BoundOf } from './bounds.js';
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

/**
 * With d = x - mean, h = d r, g = w gamma. The mean is off by gamma_n mean|x|, so d by that and a rounding; the
 * variance by twice that times mean|d| and gamma_n of itself; r by half the relative error of variance + eps.
 */
export const layerNormBound: BoundOf = (c, exact) => {
  const { eps } = c.attrs as LayerNormAttrs;
  const [rows, cols] = rowsOf(c.data[0].shape);
  const scale = c.data[1].data;
  const shift = c.data[2].data;
  const bound = { out: new Float64Array(exact.out.length), dX: new Float64Array(exact.out.length) };
  const dScale = new Float64Array(cols).fill(TINY);
  const dShift = new Float64Array(cols).fill(TINY);
  eachRow(c, (_, start, n) => {
    const x = rowAt(c.data[0].data, start, n);
    const mean = x.reduce((sum, v) => sum + v, 0) / n;
    const d = x.map((v) => v - mean);
    const variance = d.reduce((sum, v) => sum + v * v, 0) / n;
    const r = 1 / Math.sqrt(variance + eps);
    const dMean = (gamma(n + 2) * absSum(x)) / n;
    const dVariance = (2 * dMean * absSum(d)) / n + dMean * dMean + gamma(n + 6) * variance;
    const eR = dVariance / (2 * (variance + eps)) + gamma(6);
    const h = d.map((v) => v * r);
    const dH = h.map((v, i) => r * (dMean + U * Math.abs(d[i])) + Math.abs(v) * (eR + 2 * U));
    const w = rowAt(c.weights, start, n);
    const g = w.map((v, i) => v * scale[i]);
    const meanG = absSum(g) / n;
    const meanGH = absSum(g.map((v, i) => v * h[i])) / n;
    const meanGdH = absSum(g.map((v, i) => v * dH[i])) / n;
    h.forEach((v, i) => {
      const size = Math.abs(v * scale[i]);
      bound.out[start + i] = Math.abs(scale[i]) * dH[i] + gamma(3) * (size + Math.abs(shift[i]));
      const terms = Math.abs(g[i]) + meanG + Math.abs(v) * meanGH;
      bound.dX[start + i] = r * (terms * (eR + gamma(n + 8)) + dH[i] * meanGH + Math.abs(v) * meanGdH) + TINY;
      dScale[i] += gamma(rows + 4) * Math.abs(w[i] * v) + Math.abs(w[i]) * dH[i];
      dShift[i] += gamma(rows + 2) * Math.abs(w[i]);
    });
  });
  return { out: bound.out, grads: [bound.dX, dScale, dShift] } satisfies Bound;
};

// Bounds of LayerNorm and of what is fused with it; see bounds.ts for the notation.
import { dropThreshold, randomRow, randomRowStride } from '../../src/core/random.js';
import { rowsOf } from '../../src/core/shape.js';
import type { DropoutAttrs } from '../../src/ops/dropout.js';
import type { EmbeddingNormAttrs } from '../../src/ops/embedding-norm.js';
import type { LayerNormAttrs } from '../../src/ops/layer-norm.js';
import type { ResidualNormAttrs } from '../../src/ops/residual-norm.js';
import type { BoundOf } from './bounds.js';
import { gamma, TINY, U } from './rounding.js';

type Row = readonly number[];
const absSum = (values: Row): number => values.reduce((sum, x) => sum + Math.abs(x), 0);
const dot = (a: Row, b: Row): number => a.reduce((sum, x, i) => sum + Math.abs(x * b[i]), 0);
const rowAt = (values: ArrayLike<number>, row: number, cols: number): Row =>
  Array.from({ length: cols }, (_, i) => values[row * cols + i]);

/** What is normalised, how far it is off, and what arrives at the result. */
interface NormRow {
  readonly x: Row;
  readonly off: Row;
  readonly w: Row;
  readonly scale: ArrayLike<number>;
  readonly shift: ArrayLike<number>;
  readonly eps: number;
}

/** Bounds of one row. */
interface NormBound {
  readonly out: Row;
  readonly dX: Row;
  /** Of this row's part of dGamma and of dBeta, before they are summed up; and the part itself. */
  readonly dScale: Row;
  readonly h: Row;
  /** What the terms of dX add up to. */
  readonly size: Row;
}

/**
 * With d = x - mean, h = d r, g = w gamma. The mean is off by gamma_n mean|x| and by what x is off, so d by that and a
 * rounding; the variance by twice that times mean|d| and gamma_n of itself; r by half the relative error of variance + eps.
 */
function normBound({ x, off, w, scale, shift, eps }: NormRow): NormBound {
  const n = x.length;
  const mean = x.reduce((sum, v) => sum + v, 0) / n;
  const d = x.map((v) => v - mean);
  const variance = d.reduce((sum, v) => sum + v * v, 0) / n;
  const r = 1 / Math.sqrt(variance + eps);
  const dMean = (gamma(n + 2) * absSum(x) + absSum(off)) / n;
  const far = Math.max(0, ...off) + dMean;
  const dVariance = (2 * (dMean * absSum(d) + dot(d, off))) / n + far * far + gamma(n + 6) * variance;
  const eR = dVariance / (2 * (variance + eps)) + gamma(6);
  const h = d.map((v) => v * r);
  const dH = h.map((v, i) => r * (dMean + off[i] + U * Math.abs(d[i])) + Math.abs(v) * (eR + 2 * U));
  const g = w.map((v, i) => v * scale[i]);
  const meanG = absSum(g) / n;
  const meanGH = dot(g, h) / n;
  const meanGdH = dot(g, dH) / n;
  const out = h.map((v, i) => Math.abs(scale[i]) * dH[i] + gamma(4) * (Math.abs(v * scale[i]) + Math.abs(shift[i])));
  const size = h.map((v, i) => r * (Math.abs(g[i]) + meanG + Math.abs(v) * meanGH));
  const dX = h.map((v, i) => size[i] * (eR + gamma(n + 9)) + r * (dH[i] * meanGH + Math.abs(v) * meanGdH) + TINY);
  return { out, dX, dScale: w.map((v, i) => Math.abs(v) * dH[i]), h, size };
}

/** Factors of a row of numbers. */
function keepFactors(dropout: DropoutAttrs | null, row: number, cols: number): Row {
  if (dropout === null || dropout.rate === 0) return new Array<number>(cols).fill(1);
  const words = new Uint16Array(randomRowStride(cols));
  randomRow(words, cols, row, dropout.key);
  const threshold = dropThreshold(dropout.rate);
  return Array.from({ length: cols }, (_, i) => (words[i] >= threshold ? 1 / (1 - dropout.rate) : 0));
}

/** Sums over rows: bounds of dGamma and dBeta. */
class Sums {
  readonly dScale: Float64Array;
  readonly dShift: Float64Array;

  constructor(
    private readonly rows: number,
    cols: number,
  ) {
    this.dScale = new Float64Array(cols).fill(TINY);
    this.dShift = new Float64Array(cols).fill(TINY);
  }

  add(w: Row, { h, dScale }: NormBound): void {
    h.forEach((v, i) => {
      this.dScale[i] += gamma(this.rows + 5) * Math.abs(w[i] * v) + dScale[i];
      this.dShift[i] += gamma(this.rows + 4) * Math.abs(w[i]);
    });
  }
}

export const layerNormBound: BoundOf = (c) => {
  const { eps } = c.attrs as LayerNormAttrs;
  const [rows, cols] = rowsOf(c.data[0].shape);
  const [xs, scale, shift] = c.data.map((input) => input.data);
  const [out, dX, sums] = [new Float64Array(xs.length), new Float64Array(xs.length), new Sums(rows, cols)];
  const off = new Array<number>(cols).fill(0);
  for (let row = 0; row < rows; row++) {
    const w = rowAt(c.weights, row, cols);
    const bound = normBound({ x: rowAt(xs, row, cols), off, w, scale, shift, eps });
    out.set(bound.out, row * cols);
    dX.set(bound.dX, row * cols);
    sums.add(w, bound);
  }
  return { out, grads: [dX, sums.dScale, sums.dShift] };
};

/** The sum is off by a rounding of x / (1 - rate) and one of itself; dX is dResidual times such a factor. */
export const residualNormBound: BoundOf = (c, exact) => {
  const { eps, dropout } = c.attrs as ResidualNormAttrs;
  const [rows, cols] = rowsOf(c.data[0].shape);
  const [xs, others, scale, shift, places] = c.data.map((input) => input.data);
  const [out, dX, dOther] = [0, 1, 2].map(() => new Float64Array(xs.length));
  const sums = new Sums(rows, cols);
  for (let row = 0; row < rows; row++) {
    const keep = keepFactors(dropout, places?.[row] ?? row, cols);
    const kept = rowAt(xs, row, cols).map((x, i) => x * keep[i]);
    const x = kept.map((v, i) => v + others[row * cols + i]);
    const off = x.map((v, i) => U * (Math.abs(v) + 2 * Math.abs(kept[i])));
    const w = rowAt(c.weights, row, cols);
    const bound = normBound({ x, off, w, scale, shift, eps });
    out.set(bound.out, row * cols);
    dOther.set(bound.dX, row * cols);
    const d = rowAt(exact.grads[0] ?? [], row, cols);
    dX.set(
      bound.dX.map((v, i) => v * keep[i] + gamma(3) * Math.abs(d[i]) + TINY),
      row * cols,
    );
    sums.add(w, bound);
  }
  return { out, grads: [dX, dOther, sums.dScale, sums.dShift, ...(places === undefined ? [] : [null])] };
};

/** The sum of three is off by two roundings; a row of a table adds up what arrives at the rows it gave. */
export const embeddingNormBound: BoundOf = (c) => {
  const { eps, dropout } = c.attrs as EmbeddingNormAttrs;
  const [rows, cols] = c.shape;
  const data = c.data.map((input) => input.data);
  const [scale, shift] = data.slice(3, 5);
  const tables = [0, 1, 2].map((t) => ({ values: data[t], ids: data[5 + t], d: new Float64Array(data[t].length) }));
  const [out, sums] = [new Float64Array(rows * cols), new Sums(rows, cols)];
  for (let row = 0; row < rows; row++) {
    const keep = keepFactors(dropout, row, cols);
    const parts = tables.map(({ values, ids }) => rowAt(values, ids[row], cols));
    const x = parts[0].map((v, i) => v + parts[1][i] + parts[2][i]);
    const off = x.map((_, i) => 2 * U * parts.reduce((sum, part) => sum + Math.abs(part[i]), 0));
    const w = rowAt(c.weights, row, cols).map((v, i) => v * keep[i]);
    const bound = normBound({ x, off, w, scale, shift, eps });
    out.set(
      bound.out.map((v, i) => (v + U * Math.abs(bound.h[i] * scale[i] + shift[i])) * keep[i]),
      row * cols,
    );
    sums.add(w, bound);
    for (const { ids, d } of tables) {
      for (let i = 0; i < cols; i++) d[ids[row] * cols + i] += bound.dX[i] + gamma(rows + 2) * bound.size[i];
    }
  }
  const grads = tables.map(({ d }) => d.map((v) => v + TINY));
  return { out, grads: [...grads, sums.dScale, sums.dShift, null, null, null] };
};

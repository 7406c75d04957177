// LayerNorm by itself and over sums that are never stored. A row at a time, in double precision whatever the type.
import { dropThreshold, randomRow, randomRowStride } from '../../core/random.js';
import type { Buf, EmbeddingNormCall, ResidualNormCall, RowDropout } from '../backend.js';
import { dataOf } from './memory.js';

/** Ba et al. 2016 (arXiv:1607.06450), eq. 4. Biased variance. */
function statistics(x: Float64Array, eps: number): [mean: number, rstd: number] {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i];
  const mean = sum / x.length;
  // A second pass: the difference of two large sums would lose the digits that matter.
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i] - mean) ** 2;
  return [mean, 1 / Math.sqrt(squares / x.length + eps)];
}

/** What a row's gradient is made from, and where its parts go. */
interface NormGradient {
  readonly gamma: ArrayLike<number>;
  readonly dGamma: Float64Array;
  readonly dBeta: Float64Array;
}

/** With h = (x - mean) rstd and g = dY gamma: dX = rstd (g - mean(g) - h mean(g h)), in place of dY. */
function rowGrad(x: Float64Array, mean: number, rstd: number, d: Float64Array, parts: NormGradient): void {
  const { gamma, dGamma, dBeta } = parts;
  let sum = 0;
  let sumHat = 0;
  for (let i = 0; i < x.length; i++) {
    const hat = (x[i] - mean) * rstd;
    sum += d[i] * gamma[i];
    sumHat += d[i] * gamma[i] * hat;
    dGamma[i] += d[i] * hat;
    dBeta[i] += d[i];
  }
  for (let i = 0; i < x.length; i++) {
    const hat = (x[i] - mean) * rstd;
    d[i] = rstd * (d[i] * gamma[i] - sum / x.length - (hat * sumHat) / x.length);
  }
}

/** What the elements of a row are multiplied with: 0 where dropped, 1 / (1 - rate) where kept. */
function keeper(dropout: RowDropout | null, cols: number): (row: number) => Float64Array {
  const keep = new Float64Array(cols).fill(1);
  if (dropout === null) return () => keep;
  const { rate, key, rows } = dropout;
  const places = rows === null ? null : dataOf(rows);
  const threshold = dropThreshold(rate);
  const words = new Uint16Array(randomRowStride(cols));
  return (row) => {
    randomRow(words, cols, places === null ? row : places[row], key);
    for (let i = 0; i < cols; i++) keep[i] = words[i] >= threshold ? 1 / (1 - rate) : 0;
    return keep;
  };
}

/** What every form of the norm has. */
interface Norm {
  readonly gamma: Buf;
  readonly beta: Buf;
  readonly rows: number;
  readonly cols: number;
  readonly eps: number;
}

/** @param fill writes the row that is normalised @param keep factors of the result, where there are any */
function forward(
  { gamma, beta, rows, cols, eps }: Norm,
  fill: (row: number, x: Float64Array) => void,
  y: Buf,
  mean: Buf,
  rstd: Buf,
  keep?: (row: number) => Float64Array,
): void {
  const [gammas, betas, ys, means, rstds] = [gamma, beta, y, mean, rstd].map(dataOf);
  const x = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    fill(row, x);
    const [m, r] = statistics(x, eps);
    const factors = keep?.(row);
    for (let i = 0; i < cols; i++) ys[row * cols + i] = ((x[i] - m) * r * gammas[i] + betas[i]) * (factors?.[i] ?? 1);
    means[row] = m;
    rstds[row] = r;
  }
}

/** @param arrive writes the gradient of the normalised row @param leave takes that of the row itself */
function backward(
  { gamma, rows, cols }: Omit<Norm, 'beta' | 'eps'>,
  [mean, rstd, dGamma, dBeta]: readonly [Buf, Buf, Buf, Buf],
  fill: (row: number, x: Float64Array) => void,
  arrive: (row: number, d: Float64Array) => void,
  leave: (row: number, d: Float64Array) => void,
): void {
  const [means, rstds] = [dataOf(mean), dataOf(rstd)];
  const parts = { gamma: dataOf(gamma), dGamma: new Float64Array(cols), dBeta: new Float64Array(cols) };
  const [x, d] = [new Float64Array(cols), new Float64Array(cols)];
  for (let row = 0; row < rows; row++) {
    fill(row, x);
    arrive(row, d);
    rowGrad(x, means[row], rstds[row], d, parts);
    leave(row, d);
  }
  dataOf(dGamma).set(parts.dGamma);
  dataOf(dBeta).set(parts.dBeta);
}

const reader =
  (x: Buf, cols: number) =>
  (row: number, to: Float64Array): void => {
    to.set(dataOf(x).subarray(row * cols, (row + 1) * cols));
  };
const writer =
  (y: Buf, cols: number) =>
  (row: number, from: Float64Array): void => {
    dataOf(y).set(from, row * cols);
  };

export function layerNorm(
  x: Buf,
  gamma: Buf,
  beta: Buf,
  y: Buf,
  mean: Buf,
  rstd: Buf,
  rows: number,
  cols: number,
  eps: number,
): void {
  forward({ gamma, beta, rows, cols, eps }, reader(x, cols), y, mean, rstd);
}

export function layerNormGrad(
  x: Buf,
  gamma: Buf,
  mean: Buf,
  rstd: Buf,
  dY: Buf,
  dX: Buf,
  dGamma: Buf,
  dBeta: Buf,
  rows: number,
  cols: number,
): void {
  const sums = [mean, rstd, dGamma, dBeta] as const;
  backward({ gamma, rows, cols }, sums, reader(x, cols), reader(dY, cols), writer(dX, cols));
}

/** x through dropout, plus the residual. */
function residualSum({ x, residual, cols, dropout }: ResidualNormCall): (row: number, to: Float64Array) => void {
  const [xs, others, keep] = [dataOf(x), dataOf(residual), keeper(dropout, cols)];
  return (row, to) => {
    const factors = keep(row);
    for (let i = 0; i < cols; i++) to[i] = xs[row * cols + i] * factors[i] + others[row * cols + i];
  };
}

export function residualNorm(call: ResidualNormCall, y: Buf, mean: Buf, rstd: Buf): void {
  forward(call, residualSum(call), y, mean, rstd);
}

export function residualNormGrad(
  call: ResidualNormCall,
  mean: Buf,
  rstd: Buf,
  dY: Buf,
  dX: Buf,
  dResidual: Buf,
  dGamma: Buf,
  dBeta: Buf,
): void {
  const { cols } = call;
  const [dXs, dOthers, keep] = [dataOf(dX), dataOf(dResidual), keeper(call.dropout, cols)];
  backward(call, [mean, rstd, dGamma, dBeta], residualSum(call), reader(dY, cols), (row, d) => {
    const factors = keep(row);
    dOthers.set(d, row * cols);
    for (let i = 0; i < cols; i++) dXs[row * cols + i] = d[i] * factors[i];
  });
}

function embeddingSum({ tables, ids, cols }: EmbeddingNormCall): (row: number, to: Float64Array) => void {
  const [words, positions, types] = tables.map(dataOf);
  const [word, position, type] = ids.map(dataOf);
  return (row, to) => {
    const [a, b, c] = [word[row] * cols, position[row] * cols, type[row] * cols];
    for (let i = 0; i < cols; i++) to[i] = words[a + i] + types[c + i] + positions[b + i];
  };
}

export function embeddingNorm(call: EmbeddingNormCall, y: Buf, mean: Buf, rstd: Buf): void {
  forward(call, embeddingSum(call), y, mean, rstd, keeper(call.dropout, call.cols));
}

export function embeddingNormGrad(
  call: EmbeddingNormCall,
  mean: Buf,
  rstd: Buf,
  dY: Buf,
  dSum: Buf,
  dGamma: Buf,
  dBeta: Buf,
): void {
  const { cols } = call;
  const [dYs, keep] = [dataOf(dY), keeper(call.dropout, cols)];
  const arrive = (row: number, d: Float64Array): void => {
    const factors = keep(row);
    for (let i = 0; i < cols; i++) d[i] = dYs[row * cols + i] * factors[i];
  };
  backward(call, [mean, rstd, dGamma, dBeta], embeddingSum(call), arrive, writer(dSum, cols));
}

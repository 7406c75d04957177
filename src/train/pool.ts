import type { DenseLayer, Pooling } from '../io/sentence-modules.js';

/** The vectors of one text's tokens: rows [start, end) of a matrix. */
export interface TokenRows {
  /** [rows, width] */
  readonly values: ArrayLike<number>;
  readonly width: number;
  readonly start: number;
  readonly end: number;
}

/** Sum over the tokens of weight(i) times their vectors, divided by `total`. In double precision, in order of the tokens. */
function weighted(
  { values, width, start, end }: TokenRows,
  weight: (i: number) => number,
  total: number,
): Float64Array {
  const sum = new Float64Array(width);
  for (let row = start; row < end; row++) {
    const w = weight(row - start);
    for (let c = 0; c < width; c++) sum[c] += w * values[row * width + c];
  }
  for (let c = 0; c < width; c++) sum[c] /= total;
  return sum;
}

function largest({ values, width, start, end }: TokenRows): Float64Array {
  const most = new Float64Array(width).fill(Number.NEGATIVE_INFINITY);
  for (let row = start; row < end; row++) {
    for (let c = 0; c < width; c++) most[c] = Math.max(most[c], values[row * width + c]);
  }
  return most;
}

const only = (rows: TokenRows, place: number): Float64Array =>
  weighted({ ...rows, start: rows.start + place, end: rows.start + place + 1 }, () => 1, 1);

/** Each way of making one vector of a text's tokens, [CLS] and [SEP] included (sentence_transformers/models/Pooling.py). */
const POOL: Readonly<Record<Pooling, (rows: TokenRows) => Float64Array>> = {
  mean: (rows) => weighted(rows, () => 1, rows.end - rows.start),
  cls: (rows) => only(rows, 0),
  max: largest,
  mean_sqrt_len_tokens: (rows) => weighted(rows, () => 1, Math.sqrt(rows.end - rows.start)),
  weightedmean: (rows) => {
    const count = rows.end - rows.start;
    return weighted(rows, (i) => i + 1, (count * (count + 1)) / 2);
  },
  lasttoken: (rows) => only(rows, rows.end - rows.start - 1),
};

/** @returns [width] for one way, [ways * width] for several, end to end */
export function poolRows(rows: TokenRows, ways: readonly Pooling[]): Float64Array {
  const parts = ways.map((way) => POOL[way](rows));
  const all = new Float64Array(parts.length * rows.width);
  for (const [i, part] of parts.entries()) all.set(part, i * rows.width);
  return all;
}

const ACTIVATE: Readonly<Record<DenseLayer['activation'], (x: number) => number>> = {
  tanh: Math.tanh,
  relu: (x) => Math.max(0, x),
  identity: (x) => x,
};

/** y = activation(W x + b). */
export function applyDense(x: Float64Array, { weight, bias, activation }: DenseLayer): Float64Array {
  const [outSize, inSize] = weight.shape;
  return Float64Array.from({ length: outSize }, (_, o) => {
    let sum = bias === null ? 0 : bias.data[o];
    for (let i = 0; i < inSize; i++) sum += weight.data[o * inSize + i] * x[i];
    return ACTIVATE[activation](sum);
  });
}

/** Scaled to length 1; a vector of length 0 stays (torch.nn.functional.normalize, eps 1e-12). */
export function toUnit(x: Float64Array): Float64Array {
  const length = Math.max(Math.sqrt(x.reduce((sum, v) => sum + v * v, 0)), 1e-12);
  return x.map((v) => v / length);
}

/** Cosine of the angle between two vectors; 0 if one of them is 0. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, squaresA, squaresB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    squaresA += a[i] * a[i];
    squaresB += b[i] * b[i];
  }
  return product === 0 ? 0 : product / Math.sqrt(squaresA * squaresB);
}

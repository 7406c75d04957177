import type { MatmulCall } from '../backend.js';
import { checkInt8 } from '../precision.js';
import { dataOf } from './memory.js';

/** Below this a row counts as 0: 1 / scale would not be finite. */
const TINY = 2 ** -126;

const { fround } = Math;

/** x + shift, rounded to the nearest integer, ties to even, as float32 arithmetic does: 1.5 * 2^23 leaves no other digits. */
const nearest = (x: number, shift = 0): number => fround(x + (12_582_912 + shift)) - 12_582_912;

const factorOf = (scale: number): number => (scale >= TINY ? fround(1 / scale) : 0);

const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

/** A row or a column as integers: x = scale (q - zero), to half a scale. */
export interface Rounded {
  readonly q: Int32Array;
  readonly scale: number;
  readonly zero: number;
}

/** Row x in 0 .. 255; 0 is one of the numbers it can hold. */
export function roundActivations(x: Float32Array): Rounded {
  let [low, high, odd] = [0, 0, 0];
  for (const value of x) {
    if (value < low) low = value;
    if (value > high) high = value;
    odd += value * 0; // NaN from the first infinity or NaN on
  }
  const scale = fround(fround(high / 255) - fround(low / 255));
  const factor = factorOf(scale);
  const zero = nearest(fround(-low * factor));
  const q = Int32Array.from(x, (value) => clamp(nearest(fround(value * factor), zero), 0, 255));
  return { q, scale: scale + odd, zero };
}

/** Column x in -127 .. 127. */
export function roundWeights(x: Float32Array): Rounded {
  let [size, odd] = [0, 0];
  for (const value of x) {
    if (Math.abs(value) > size) size = Math.abs(value);
    odd += value * 0;
  }
  const scale = fround(size / 127);
  const factor = factorOf(scale);
  const q = Int32Array.from(x, (value) => clamp(nearest(fround(value * factor)), -127, 127));
  return { q, scale: scale + odd, zero: 0 };
}

/** Row or column `i` of a matrix of k numbers a line, `line` apart, `step` from one to the next. */
function lineOf(data: ArrayLike<number>, start: number, step: number, k: number): Float32Array {
  return Float32Array.from({ length: k }, (_, p) => data[start + p * step]);
}

/** y = a b of rounded rows and columns: integers, scaled in float32 as native does it, number for number. */
export function matmulInt8(call: MatmulCall, store: (sum: number, row: number, column: number) => void): void {
  const { batch, n, k, transposeB } = call;
  checkInt8(call);
  const [a, b] = [dataOf(call.a), dataOf(call.b)];
  const columns = Array.from({ length: n }, (_, j) =>
    roundWeights(transposeB ? lineOf(b, j * k, 1, k) : lineOf(b, j, n, k)),
  );
  for (let i = 0; i < batch * call.m; i++) {
    const row = roundActivations(lineOf(a, i * k, 1, k));
    for (const [j, column] of columns.entries()) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += (row.q[p] - row.zero) * column.q[p];
      store(fround(fround(sum) * fround(column.scale * row.scale)), i, j);
    }
  }
}

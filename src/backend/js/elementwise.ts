import { dropThreshold, type RandomKey, randomRow, randomRowStride } from '../../core/random.js';
import type { Shape } from '../../core/shape.js';
import type { BinaryFn, Buf, UnaryFn, Walk } from '../backend.js';
import { dataOf } from './memory.js';

export function fill(y: Buf, value: number): void {
  dataOf(y).fill(value);
}

export function accumulate(x: Buf, y: Buf): void {
  const from = dataOf(x);
  const to = dataOf(y);
  for (let i = 0; i < to.length; i++) to[i] += from[i];
}

export function unary(fn: UnaryFn, x: Buf, y: Buf, c: number): void {
  const from = dataOf(x);
  const to = dataOf(y);
  for (let i = 0; i < to.length; i++) to[i] = fn.js(from[i], c);
}

export function unaryGrad(fn: UnaryFn, x: Buf, y: Buf, dY: Buf, dX: Buf, c: number): void {
  const [xs, ys, dYs, dXs] = [dataOf(x), dataOf(y), dataOf(dY), dataOf(dX)];
  for (let i = 0; i < dXs.length; i++) dXs[i] = dYs[i] * fn.dJs(xs[i], ys[i], c);
}

/** Calls `visit` for every index of `shape` in row-major order, with the place the index has in each walk. */
function walk(shape: Shape, walks: readonly Walk[], visit: (places: readonly number[]) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const places = walks.map((w) => w.offset);
  if (shape.includes(0)) return;
  for (;;) {
    visit(places);
    let axis = shape.length - 1;
    // Like an odometer: step the last axis; where it wraps, wind it back and step the one before.
    for (; axis >= 0; axis--) {
      index[axis]++;
      walks.forEach((w, i) => {
        places[i] += w.strides[axis];
      });
      if (index[axis] < shape[axis]) break;
      index[axis] = 0;
      walks.forEach((w, i) => {
        places[i] -= w.strides[axis] * shape[axis];
      });
    }
    if (axis < 0) return;
  }
}

export function copy(x: Buf, y: Buf, shape: Shape, from: Walk, to: Walk): void {
  const source = dataOf(x);
  const target = dataOf(y);
  walk(shape, [from, to], ([i, j]) => {
    target[j] = source[i];
  });
}

export function binary(
  fn: BinaryFn,
  a: Buf,
  b: Buf,
  y: Buf,
  shape: Shape,
  stridesA: readonly number[],
  stridesB: readonly number[],
): void {
  const [as, bs, ys] = [dataOf(a), dataOf(b), dataOf(y)];
  let at = 0;
  const walks = [
    { offset: 0, strides: stridesA },
    { offset: 0, strides: stridesB },
  ];
  walk(shape, walks, ([i, j]) => {
    ys[at++] = fn.js(as[i], bs[j]);
  });
}

export function where(condition: Buf, a: Buf, b: Buf, y: Buf): void {
  const [test, as, bs, ys] = [dataOf(condition), dataOf(a), dataOf(b), dataOf(y)];
  for (let i = 0; i < ys.length; i++) ys[i] = test[i] !== 0 ? as[i] : bs[i];
}

/** Srivastava et al. 2014, in the inverted form: what is kept is scaled up, so that inference needs no change. */
export function dropout(x: Buf, y: Buf, rows: number, cols: number, rate: number, key: RandomKey): void {
  const xs = dataOf(x);
  const ys = dataOf(y);
  const threshold = dropThreshold(rate);
  const scale = 1 / (1 - rate);
  const words = new Uint16Array(randomRowStride(cols));
  for (let row = 0; row < rows; row++) {
    randomRow(words, cols, row, key);
    for (let col = 0, i = row * cols; col < cols; col++, i++) ys[i] = words[col] >= threshold ? xs[i] * scale : 0;
  }
}

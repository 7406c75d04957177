import { ShapeError } from './errors.js';

/** Sizes along each axis, outermost first. Memory is always contiguous and row-major. */
export type Shape = readonly number[];

/** The most axes a tensor may have: kernels keep their indices in arrays of this size. */
export const MAX_RANK = 8;

/** Number of elements; 1 for a scalar (`[]`). */
export const numel = (shape: Shape): number => shape.reduce((n, size) => n * size, 1);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, i) => size === b[i]);

/** Row-major strides in elements: the step from one index to the next along each axis. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis] as number;
  }
  return strides;
}

/** Turns a negative axis into one counted from the front. @throws {ShapeError} when out of range */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new ShapeError(op, `axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return positive;
}

/** The common shape of `a` and `b`: aligned at the last axis, sizes equal or 1 (NumPy's rule). */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const sizeA = a[i - rank + a.length] ?? 1;
    const sizeB = b[i - rank + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw new ShapeError(op, 'sizes must be equal or 1, aligned at the last axis', [a, b]);
    }
    return sizeA === 1 ? sizeB : sizeA;
  });
}

/** Strides with which `shape` is read as if it were `target`: 0 along every axis that is repeated. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const own = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : (own[i - lead] as number)));
}

/** A tensor seen as rows: everything but the last axis, and the last axis. A scalar is one row of one. */
export function rowsOf(shape: Shape): [rows: number, cols: number] {
  const cols = shape.at(-1) ?? 1;
  return [cols === 0 ? 0 : numel(shape) / cols, cols];
}

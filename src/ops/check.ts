import { ShapeError } from '../core/errors.js';
import { MAX_RANK, type Shape, sameShape } from '../core/shape.js';

/** @throws {ShapeError} for another number of inputs, or more axes than kernels can walk */
export function takes(op: string, inputs: readonly Shape[], count: number): void {
  if (inputs.length !== count) throw new ShapeError(op, `takes ${count} input${count === 1 ? '' : 's'}`, inputs);
  for (const shape of inputs) checkRank(op, shape);
}

/** @returns the shape. @throws {ShapeError} for more axes than kernels can walk */
export function checkRank(op: string, shape: Shape): Shape {
  if (shape.length > MAX_RANK) throw new ShapeError(op, `tensors have at most ${MAX_RANK} axes`, [shape]);
  return shape;
}

/** @throws {ShapeError} for a size that is no whole number of at least 0 */
export function checkSizes(op: string, shape: Shape): Shape {
  if (!shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw new ShapeError(op, 'sizes are whole numbers of at least 0', [shape]);
  }
  return checkRank(op, shape);
}

/** @throws {ShapeError} where `got` is not `want` */
export function mustBe(op: string, what: string, got: Shape, want: Shape): void {
  if (!sameShape(got, want)) throw new ShapeError(op, `${what} must be [${want.join(', ')}]`, [got]);
}

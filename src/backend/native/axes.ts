import { BackendError, ShapeError } from '../../core/errors.js';
import type { Shape } from '../../core/shape.js';
import { type Axes, joined } from '../axes.js';
import type { Walk } from '../backend.js';

/** What native/kernels.h has room for. */
const MOST_AXES = 8;

/**
 * At most eight axes: more are drawn together where one is walked right after the other in every operand, and those of
 * one element left out.
 * @throws {ShapeError} where nine or more remain
 */
export function fewAxes(shape: Shape, ...strides: readonly (readonly number[])[]): Axes {
  if (shape.length <= MOST_AXES) return { shape, strides };
  const few = joined(shape, ...strides);
  if (few.shape.length > MOST_AXES) {
    throw new ShapeError('native', `no walk along more than ${MOST_AXES} axes that do not follow one another`, [shape]);
  }
  return few;
}

/** Elements a buffer must have for a walk over a shape that is not empty. @throws {BackendError} one that goes backwards */
export function reach(shape: Shape, { offset, strides }: Walk): number {
  let end = offset + 1;
  let least = offset;
  for (let i = 0; i < shape.length; i++) {
    end += (shape[i] - 1) * strides[i];
    least = Math.min(least, strides[i]);
  }
  if (!(least >= 0)) throw new BackendError('native: a walk goes forwards only', { code: 'BACKEND-SIZE' });
  return end;
}

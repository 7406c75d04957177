import { ShapeError } from '../../core/errors.js';
import type { Shape } from '../../core/shape.js';

/** What a `Walk` of native/kernels.h has room for. */
const MOST_AXES = 8;

/** A shape and, for each operand, its strides. */
export interface Axes {
  readonly shape: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/**
 * At most as many axes as native/kernels.h has room for: more are drawn together where one is walked right after the other in every operand, and those of
 * one element left out.
 * @throws {ShapeError} where nine or more remain
 */
export function fewAxes(shape: Shape, ...strides: readonly (readonly number[])[]): Axes {
  if (shape.length <= MOST_AXES) return { shape, strides };
  const kept: number[] = [];
  const keptStrides: number[][] = strides.map(() => []);
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const follows = kept.length > 0 && strides.every((s, i) => keptStrides[i].at(-1) === length * s[axis]);
    if (follows) kept[kept.length - 1] *= length;
    else kept.push(length);
    for (const [i, s] of strides.entries()) keptStrides[i][kept.length - 1] = s[axis];
  }
  if (kept.length > MOST_AXES) {
    throw new ShapeError('native', `no walk along more than ${MOST_AXES} axes that do not follow one another`, [shape]);
  }
  return { shape: kept, strides: keptStrides };
}

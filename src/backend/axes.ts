import type { Shape } from '../core/shape.js';

/** A shape and, for each operand, its strides. */
export interface Axes {
  readonly shape: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** As few axes as walk the same elements in the same order; at least one. */
export function joined(shape: Shape, ...strides: readonly (readonly number[])[]): Axes {
  const kept: number[] = [];
  const keptStrides: number[][] = strides.map(() => []);
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const follows = kept.length > 0 && strides.every((s, i) => keptStrides[i].at(-1) === length * s[axis]);
    if (follows) kept[kept.length - 1] *= length;
    else kept.push(length);
    for (const [i, s] of strides.entries()) keptStrides[i][kept.length - 1] = s[axis];
  }
  return kept.length > 0 ? { shape: kept, strides: keptStrides } : { shape: [1], strides: strides.map(() => [1]) };
}

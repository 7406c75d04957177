import type { Axes } from '../axes.js';

/** Whether the strides are those of a tensor without gaps. */
export function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

/**
 * Calls `visit` with the last `most` axes and, for each index of the axes before them, where it lies in each operand:
 * a launch has three axes.
 */
export function eachBlock(
  { shape, strides }: Axes,
  most: number,
  visit: (block: Axes, offsets: readonly number[]) => void,
): void {
  const outer = Math.max(0, shape.length - most);
  const block = { shape: shape.slice(outer), strides: strides.map((s) => s.slice(outer)) };
  const count = shape.slice(0, outer).reduce((a, b) => a * b, 1);
  for (let i = 0; i < count; i++) {
    let rest = i;
    const offsets = strides.map(() => 0);
    for (let axis = outer - 1; axis >= 0; axis--) {
      const index = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
      for (const [j, s] of strides.entries()) offsets[j] += index * s[axis];
    }
    visit(block, offsets);
  }
}

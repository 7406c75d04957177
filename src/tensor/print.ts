import type { Tensor } from './tensor.js';

const EDGE = 3; // entries shown at each end of a long axis

/** A tensor as nested lists, long axes shortened, four significant digits: for people. */
export async function format(value: Tensor): Promise<string> {
  const data = await value.data();
  const show = (x: number): string => (Number.isInteger(x) ? String(x) : x.toPrecision(4));
  const level = (axis: number, offset: number, step: number): string => {
    if (axis === value.rank) return show(data[offset] as number);
    const size = value.shape[axis] as number;
    const inner = step / size;
    const part = (i: number): string => level(axis + 1, offset + i * inner, inner);
    const shown =
      size <= 2 * EDGE
        ? range(0, size).map(part)
        : [...range(0, EDGE).map(part), '...', ...range(size - EDGE, size).map(part)];
    const newline = axis === value.rank - 1 ? ', ' : `,\n${' '.repeat(axis + 1)}`;
    return `[${shown.join(newline)}]`;
  };
  return `${value.dtype}[${value.shape.join(', ')}] ${level(0, 0, value.size)}`;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

// Kernels that put elements from one texture into another.
import type { PlainKernel } from '../spec.js';
import type { WideKernel } from './program.js';

/** Elements of a larger texture: drawn where the scissors let it. */
export const PUT: PlainKernel = {
  name: 'put',
  params: { part: 'f32', at: 'int' },
  rank: 1,
  text: 'function (part, at) { return part[this.thread.x - at]; }',
};

/** The same where a texel holds elements on both sides of a border: all of the texture is drawn anew. */
export const PUT_AMID: PlainKernel = {
  name: 'put amid',
  params: { part: 'f32', rest: 'f32', at: 'int', n: 'int' },
  rank: 1,
  text: `function (part, rest, at, n) {
  let value = rest[this.thread.x];
  if (this.thread.x >= at && this.thread.x < at + n) { value = part[this.thread.x - at]; }
  return value;
}`,
};

/** Rows of layers, in a texture that has them as its rows. */
export const SHEET: PlainKernel = {
  name: 'sheet',
  params: { x: 'f32', layer: 'int', row: 'int' },
  rank: 3,
  text: 'function (x, layer, row) { return x[this.thread.z * layer + this.thread.y * row + this.thread.x]; }',
};

/** The same where all begin with a texel; sizes are in texels. */
export const SHEET_OF_TEXELS: WideKernel = {
  name: 'sheet of texels',
  params: { x: 'f32', layer: 'int', row: 'int' },
  rank: 3,
  sheets: [],
  texels: ['x'],
  text: `function (x, layer, row) {
  const v = x[0][0][this.thread.z * layer + this.thread.y * row + this.thread.x];
  return [v[0], v[1], v[2], v[3]];
}`,
};

/** Texels `from` .. `to` - 1 of rows of `width`: part of a row, whole rows, part of a row. */
export function* rectangles(
  from: number,
  to: number,
  width: number,
): Generator<readonly [number, number, number, number]> {
  const [first, last] = [Math.floor(from / width), Math.floor((to - 1) / width)];
  if (first === last) return yield [from - first * width, first, to - from, 1];
  const begin = from % width === 0 ? first : first + 1;
  if (begin > first) yield [from - first * width, first, width - (from - first * width), 1];
  const end = to % width === 0 ? last + 1 : last;
  if (end > begin) yield [0, begin, width, end - begin];
  if (end <= last) yield [0, last, to - last * width, 1];
}

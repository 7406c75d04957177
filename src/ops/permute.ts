import { ShapeError } from '../core/errors.js';
import { type Shape, stridesOf } from '../core/shape.js';
import { takes } from './check.js';
import type { Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';

export interface PermuteAttrs {
  /** Axis i of the result is axis axes[i] of the input. */
  readonly axes: readonly number[];
}

const inOrder = (shape: Shape, axes: readonly number[]): number[] => axes.map((axis) => shape[axis]);

export const permute: Op<PermuteAttrs> = {
  name: 'permute',
  doc: {
    formula: 'y[i_0, i_1, ...] = x with index i_k at axis axes[k]',
    gradient: 'dX = dOut, permuted back: axis axes[k] is axis k of dOut',
    why: {
      en: 'elements only move, so their gradients move back; copied at once, so that every kernel may rely on memory without gaps',
      zh: '元素只是换了位置，梯度按原路送回即可；结果立即复制成连续内存，所有核函数都可以放心依赖这一点',
    },
    source: 'NumPy, numpy.transpose',
  },
  shape: (inputs, { axes }) => {
    takes('permute', inputs, 1);
    const sorted = axes.toSorted((a, b) => a - b);
    if (sorted.length !== inputs[0].length || sorted.some((axis, i) => axis !== i)) {
      throw new ShapeError('permute', `axes [${axes.join(', ')}] must name every axis once`, inputs);
    }
    return inOrder(inputs[0], axes);
  },
  cost: ([x]) => ({ flops: 0, bytes: bytesOf(x, x) }),
  forward: ({ kernels }, [x], y, { axes }) => {
    const from = { offset: 0, strides: inOrder(stridesOf(x.shape), axes) };
    kernels.copy(x.buf, y.buf, y.shape, from, { offset: 0, strides: stridesOf(y.shape) });
  },
  backward: ({ dOut, attrs: { axes }, run }) => {
    const back = axes.map((_, axis) => axes.indexOf(axis));
    return [run(permute, [dOut], { axes: back })];
  },
  get samples() {
    return (
      [
        ['scalar', [], []],
        ['one element', [1], [0]],
        ['seven, unchanged', [7], [0]],
        ['matrix', [3, 5], [1, 0]],
        ['16 by 17', [16, 17], [1, 0]],
        ['63 by 65', [63, 65], [1, 0]],
        ['unchanged', [2, 3, 4], [0, 1, 2]],
        ['rotated', [2, 3, 4], [2, 0, 1]],
        ['all turned', [2, 3, 5, 7], [3, 2, 1, 0]],
        ['axes of size 1', [1, 4, 1], [2, 1, 0]],
        ['no elements', [0, 3], [1, 0]],
        ['one long row', [1, 4096], [1, 0]],
        ['bert: heads first', [2, 5, 4, 8], [0, 2, 1, 3]],
      ] as const
    ).map(([name, x, axes]): Sample<PermuteAttrs> => ({ name, inputs: [x], attrs: { axes } }));
  },
  workload: {
    axes: ['batch', 'rows', 'heads', 'width'],
    at: (sizes) => ({ inputs: [sizes], attrs: { axes: [0, 2, 1, 3] } }),
    bert: ({ batch, seq, heads, hidden }) => [['heads first', [batch, seq, heads, hidden / heads]]],
  },
  get badSamples() {
    return [
      { name: 'an axis twice', inputs: [[2, 3]], attrs: { axes: [0, 0] } },
      { name: 'too few axes', inputs: [[2, 3]], attrs: { axes: [1] } },
      { name: 'no such axis', inputs: [[2, 3]], attrs: { axes: [0, 2] } },
      { name: 'a negative axis', inputs: [[2, 3]], attrs: { axes: [-1, 0] } },
      { name: 'integers', inputs: [{ shape: [2, 2], ids: 5 }], attrs: { axes: [1, 0] } },
    ];
  },
};

import { ShapeError } from '../core/errors.js';
import { broadcastShapes, broadcastStrides, type Shape, sameShape, stridesOf } from '../core/shape.js';
import { checkSizes, takes } from './check.js';
import type { BadSample, Op, Sample } from './op.js';
import { bytesOf, unbroadcast } from './reduction.js';
import { hiddenStates } from './samples.js';

export interface ExpandAttrs {
  readonly shape: Shape;
}

export const expand: Op<ExpandAttrs> = {
  name: 'expand',
  doc: {
    formula: 'y = x, repeated along axes of size 1 and along new leading axes',
    gradient: 'dX = dOut, summed over the axes along which x was repeated',
    why: {
      en: 'broadcasting made visible; repeating forward means adding up backward',
      zh: '把广播显式写出来：前向传播时重复，反向传播时就要求和',
    },
    source: 'NumPy, broadcasting rules',
  },
  shape: (inputs, { shape }) => {
    takes('expand', inputs, 1);
    if (!sameShape(broadcastShapes('expand', inputs[0], checkSizes('expand', shape)), shape)) {
      throw new ShapeError('expand', 'only axes of size 1 and new leading axes can be repeated', [inputs[0], shape]);
    }
    return shape;
  },
  cost: ([x], { shape }) => ({ flops: 0, bytes: bytesOf(x, shape) }),
  forward: ({ kernels }, [x], y) => {
    const from = { offset: 0, strides: broadcastStrides(x.shape, y.shape) };
    kernels.copy(x.buf, y.buf, y.shape, from, { offset: 0, strides: stridesOf(y.shape) });
  },
  backward: (ctx) => [unbroadcast(ctx, ctx.dOut, ctx.inputs[0].shape)],
  get samples() {
    return (
      [
        ['scalar to scalar', [], []],
        ['scalar to matrix', [], [2, 3]],
        ['one element', [1], [7]],
        ['same shape', [2, 3], [2, 3]],
        ['row to 17 rows', [5], [17, 5]],
        ['column to 16', [3, 1], [3, 16]],
        ['column to 65', [3, 1], [3, 65]],
        ['both sides', [1, 4, 1], [3, 4, 5]],
        ['rank 4', [2, 1, 5, 1], [2, 3, 5, 7]],
        ['new axes of size 1', [4], [1, 1, 4]],
        ['no elements', [1, 3], [0, 3]],
        ['one element to 1000', [1, 1], [1, 1000]],
        ['bert: key bias', [2, 1, 1, 9], [2, 2, 9, 9]],
      ] as const
    ).map(([name, x, shape]): Sample<ExpandAttrs> => ({ name, inputs: [x], attrs: { shape } }));
  },
  workload: {
    axes: ['rows', 'columns'],
    at: ([rows, cols]) => ({ inputs: [[cols]], attrs: { shape: [rows, cols] } }),
    bert: (sizes) => [hiddenStates(sizes)],
  },
  get badSamples() {
    return [
      { name: 'size 3 to 4', inputs: [[3]], attrs: { shape: [4] } },
      { name: 'fewer axes', inputs: [[2, 3]], attrs: { shape: [3] } },
      { name: 'size 3 to 1', inputs: [[3]], attrs: { shape: [1] } },
      { name: 'a negative size', inputs: [[1]], attrs: { shape: [-1] } },
      { name: 'integers', inputs: [{ shape: [1], ids: 5 }], attrs: { shape: [3] } },
    ] satisfies BadSample<ExpandAttrs>[];
  },
};

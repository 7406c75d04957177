import { ShapeError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import { checkSizes, takes } from './check.js';
import type { Op, Sample } from './op.js';
import { seenAs } from './reduction.js';
import { copyAll } from './scratch.js';

export interface ReshapeAttrs {
  readonly shape: Shape;
}

export const reshape: Op<ReshapeAttrs> = {
  name: 'reshape',
  doc: {
    formula: 'y = x, the same elements in row-major order under another shape',
    gradient: 'dX = dOut under the shape of x',
    why: {
      en: 'memory has no gaps, so nothing is copied: only the shape changes, forward and backward',
      zh: '内存是连续的，所以无需复制：前向传播和反向传播都只是换个形状',
    },
    source: 'NumPy, numpy.reshape, order C',
  },
  shape: (inputs, { shape }) => {
    takes('reshape', inputs, 1);
    if (numel(checkSizes('reshape', shape)) !== numel(inputs[0])) {
      throw new ShapeError('reshape', 'both shapes must hold the same number of elements', [inputs[0], shape]);
    }
    return shape;
  },
  view: () => ({ offset: 0 }),
  cost: () => ({ flops: 0, bytes: 0 }),
  forward: (backend, [x], y) => copyAll(backend, x.buf, y.buf, x.shape),
  backward: ({ inputs: [x], dOut }) => [seenAs(dOut, x.shape)],
  get samples() {
    return (
      [
        ['scalar', [], []],
        ['scalar to axes', [], [1, 1]],
        ['to scalar', [1, 1], []],
        ['one element', [1], [1, 1, 1]],
        ['seven', [7], [7, 1]],
        ['matrix to row', [3, 5], [15]],
        ['row to matrix', [16], [4, 4]],
        ['17', [17], [1, 17]],
        ['65', [5, 13], [13, 5]],
        ['same shape', [2, 3], [2, 3]],
        ['no elements', [0, 3], [7, 0]],
        ['rank 4', [2, 3, 5, 7], [6, 35]],
        ['one long row', [4096, 1], [1, 4096]],
        ['bert: split heads', [2, 5, 32], [2, 5, 4, 8]],
      ] as const
    ).map(([name, x, shape]): Sample<ReshapeAttrs> => ({ name, inputs: [x], attrs: { shape } }));
  },
  get badSamples() {
    return [
      { name: 'too many elements', inputs: [[2, 3]], attrs: { shape: [7] } },
      { name: 'a size of -1', inputs: [[2, 3]], attrs: { shape: [-1, 3] } },
      { name: 'half an element', inputs: [[3]], attrs: { shape: [1.5, 2] } },
      { name: 'nine axes', inputs: [[1]], attrs: { shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] } },
      { name: 'integers', inputs: [{ shape: [4], ids: 5 }], attrs: { shape: [2, 2] } },
    ];
  },
};

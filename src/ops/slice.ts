import { ShapeError } from '../core/errors.js';
import { numel, type Shape, stridesOf } from '../core/shape.js';
import { takes } from './check.js';
import type { GradOp, Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';
import { hiddenStates } from './samples.js';

export interface SliceAttrs {
  readonly axis: number;
  /** First index, and the one after the last. */
  readonly start: number;
  readonly end: number;
}

const sliced = (shape: Shape, { axis, start, end }: SliceAttrs): number[] => shape.toSpliced(axis, 1, end - start);

/** Where the slice begins within the input. */
const offsetOf = (shape: Shape, { axis, start }: SliceAttrs): number => start * stridesOf(shape)[axis];

/** Puts a gradient where the slice was, and 0 elsewhere. */
const sliceGrad: GradOp<SliceAttrs & { readonly shape: Shape }> = {
  name: 'sliceGrad',
  shapes: (_, { shape }) => [shape],
  forward: ({ kernels }, [dOut], [dX], attrs) => {
    kernels.fill(dX.buf, 0);
    const to = { offset: offsetOf(dX.shape, attrs), strides: stridesOf(dX.shape) };
    kernels.copy(dOut.buf, dX.buf, dOut.shape, { offset: 0, strides: stridesOf(dOut.shape) }, to);
  },
};

export const slice: Op<SliceAttrs> = {
  name: 'slice',
  doc: {
    formula: 'y[..., i, ...] = x[..., start + i, ...],  0 <= i < end - start, along one axis',
    gradient: 'dX[..., start + i, ...] = dOut[..., i, ...], 0 outside the slice',
    why: {
      en: 'what was cut away has no influence, so its gradient is 0; along the first axis the slice is a window and nothing is copied',
      zh: '切掉的部分不影响结果，梯度为 0；沿第一个轴切片只是开一个窗口，无需复制',
    },
    source: 'NumPy, basic slicing',
  },
  shape: (inputs, attrs) => {
    takes('slice', inputs, 1);
    const { axis, start, end } = attrs;
    const size = inputs[0][axis];
    if (size === undefined) throw new ShapeError('slice', `axis ${axis} is outside the tensor`, inputs);
    const whole = Number.isInteger(start) && Number.isInteger(end);
    if (!whole || start < 0 || end < start || end > size) {
      throw new ShapeError('slice', `${start} .. ${end} is outside axis ${axis} of size ${size}`, inputs);
    }
    return sliced(inputs[0], attrs);
  },
  view: ([x], attrs) => (numel(x.slice(0, attrs.axis)) === 1 ? { offset: offsetOf(x, attrs) } : null),
  cost: ([x], attrs) => ({ flops: 0, bytes: 2 * bytesOf(sliced(x, attrs)) }),
  forward: ({ kernels }, [x], y, attrs) => {
    const from = { offset: offsetOf(x.shape, attrs), strides: stridesOf(x.shape) };
    kernels.copy(x.buf, y.buf, y.shape, from, { offset: 0, strides: stridesOf(y.shape) });
  },
  backward: ({ inputs: [x], dOut, attrs, runGrad }) => [...runGrad(sliceGrad, [dOut], { ...attrs, shape: x.shape })],
  get samples() {
    return (
      [
        ['one element', [1], 0, 0, 1],
        ['window of seven', [7], 0, 2, 5],
        ['rows of a matrix', [5, 3], 0, 1, 4],
        ['columns of a matrix', [5, 3], 1, 1, 2],
        ['16 of 17 columns', [3, 17], 1, 1, 17],
        ['63 of 65 columns', [2, 65], 1, 1, 64],
        ['the whole axis', [2, 3], 1, 0, 3],
        ['an empty slice', [2, 3], 1, 2, 2],
        ['no elements', [0, 3], 1, 0, 2],
        ['behind axes of size 1', [1, 1, 6, 2], 2, 3, 5],
        ['rank 4', [2, 3, 5, 7], 2, 1, 4],
        ['one of a long row', [1, 4096], 1, 4095, 4096],
        ['bert: the first token', [2, 5, 32], 1, 0, 1],
      ] as const
    ).map(([name, x, axis, start, end]): Sample<SliceAttrs> => ({ name, inputs: [x], attrs: { axis, start, end } }));
  },
  workload: {
    axes: ['rows', 'columns'],
    at: ([rows, cols]) => ({ inputs: [[rows, cols]], attrs: { axis: 1, start: 0, end: Math.ceil(cols / 2) } }),
    bert: (sizes) => [hiddenStates(sizes)],
  },
  get badSamples() {
    return [
      { name: 'past the end', inputs: [[3]], attrs: { axis: 0, start: 1, end: 4 } },
      { name: 'a negative start', inputs: [[3]], attrs: { axis: 0, start: -1, end: 2 } },
      { name: 'end before start', inputs: [[3]], attrs: { axis: 0, start: 2, end: 1 } },
      { name: 'no such axis', inputs: [[3]], attrs: { axis: 1, start: 0, end: 1 } },
      { name: 'half an index', inputs: [[3]], attrs: { axis: 0, start: 0.5, end: 2 } },
      { name: 'integers', inputs: [{ shape: [3], ids: 5 }], attrs: { axis: 0, start: 0, end: 1 } },
    ];
  },
};

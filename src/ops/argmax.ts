import { ShapeError } from '../core/errors.js';
import { numel, rowsOf } from '../core/shape.js';
import { takes } from './check.js';
import { notDifferentiable, type Op } from './op.js';
import { bytesOf } from './reduction.js';
import { rowBadSamples, rowSamples, rowsWorkload, vocabularyRows } from './samples.js';

export const argmax: Op = {
  name: 'argmax',
  doc: {
    formula: 'y_r = the smallest i with x_ri = max_j x_rj, along the last axis; integers',
    gradient: 'none: an index jumps',
    why: {
      en: 'the predicted class; softmax keeps the order of its inputs, so it need not be computed for this',
      zh: '即预测的类别；softmax 不改变大小次序，求类别时不必计算它',
    },
    source: 'NumPy, numpy.argmax',
  },
  outType: 'i32',
  shape: (inputs) => {
    takes('argmax', inputs, 1);
    const [x] = inputs;
    if (x.at(-1) === 0) throw new ShapeError('argmax', 'is not defined over no elements', inputs);
    return x.slice(0, -1);
  },
  cost: ([x]) => ({ flops: numel(x), bytes: bytesOf(x, x.slice(0, -1)) }),
  forward: ({ kernels }, [x], y) => kernels.argmax(x.buf, y.buf, ...rowsOf(x.shape)),
  backward: notDifferentiable('the result is an index; it jumps'),
  get samples() {
    return rowSamples;
  },
  workload: rowsWorkload({}, undefined, vocabularyRows),
  get badSamples() {
    return [...rowBadSamples, { name: 'no columns', inputs: [[3, 0]], attrs: {} }];
  },
};

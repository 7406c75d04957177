import { numel, rowsOf } from '../core/shape.js';
import { takes } from './check.js';
import { exp, log, sub } from './elementwise.js';
import type { GradOp, Op } from './op.js';
import { alongLast, max, sum } from './reduce.js';
import { bytesOf } from './reduction.js';
import { rowBadSamples, rowSamples, rowsWorkload, vocabularyRows } from './samples.js';

const logSoftmaxGrad: GradOp = {
  name: 'logSoftmaxGrad',
  shapes: ([y]) => [y],
  forward: ({ kernels }, [y, dY], [dX]) => kernels.logSoftmaxGrad(y.buf, dY.buf, dX.buf, ...rowsOf(y.shape)),
};

export const logSoftmax: Op = {
  name: 'logSoftmax',
  doc: {
    formula: 'y_i = x_i - m - ln sum_j exp(x_j - m),  m = max_j x_j, along the last axis',
    gradient: 'dX_i = dOut_i - exp(y_i) sum_j dOut_j',
    why: {
      en: 'the logarithm of a softmax that has rounded to 0 would be -Infinity; taken in one step it stays finite',
      zh: '先算 softmax 再取对数时，概率一旦舍入成 0 就会得到负无穷；合成一步则始终有限',
    },
    source: 'Blanchard, Higham and Higham 2021, IMA J. Numer. Anal. 41(4), sec. 1',
  },
  shape: (inputs) => {
    takes('logSoftmax', inputs, 1);
    return inputs[0];
  },
  cost: ([x]) => ({ flops: 5 * numel(x), bytes: bytesOf(x, x) }), // exp counted as one
  forward: ({ kernels }, [x], y) => kernels.logSoftmax(x.buf, y.buf, ...rowsOf(x.shape)),
  backward: ({ out, dOut, runGrad }) => [...runGrad(logSoftmaxGrad, [out, dOut], {})],
  compose: ({ inputs: [x], run }) => {
    const last = alongLast(x.shape);
    const shifted = run(sub, [x, run(max, [x], last)], {});
    return run(sub, [shifted, run(log, [run(sum, [run(exp, [shifted], { c: 0 })], last)], { c: 0 })], {});
  },
  get samples() {
    return rowSamples;
  },
  workload: rowsWorkload({}, undefined, vocabularyRows),
  get badSamples() {
    return rowBadSamples;
  },
};

import { numel, rowsOf } from '../core/shape.js';
import { takes } from './check.js';
import { div, exp, sub } from './elementwise.js';
import type { GradOp, Op } from './op.js';
import { alongLast, max, sum } from './reduce.js';
import { bytesOf } from './reduction.js';
import { attentionRows, rowBadSamples, rowSamples, rowsWorkload } from './samples.js';

const softmaxGrad: GradOp = {
  name: 'softmaxGrad',
  shapes: ([y]) => [y],
  forward: ({ kernels }, [y, dY], [dX]) => kernels.softmaxGrad(y.buf, dY.buf, dX.buf, ...rowsOf(y.shape)),
};

export const softmax: Op = {
  name: 'softmax',
  doc: {
    formula: 'y_i = exp(x_i - m) / sum_j exp(x_j - m),  m = max_j x_j, along the last axis',
    gradient: 'dX_i = y_i (dOut_i - sum_j dOut_j y_j)',
    why: {
      en: 'turns scores into probabilities; shifting by m leaves them unchanged and keeps exp from overflowing',
      zh: '把分数变成概率；先减去最大值 m，结果不变，指数却不会溢出',
    },
    source: 'Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2.1',
  },
  shape: (inputs) => {
    takes('softmax', inputs, 1);
    return inputs[0];
  },
  cost: ([x]) => ({ flops: 5 * numel(x), bytes: bytesOf(x, x) }), // exp counted as one
  forward: ({ kernels }, [x], y) => kernels.softmax(x.buf, y.buf, ...rowsOf(x.shape)),
  backward: ({ out, dOut, runGrad }) => [...runGrad(softmaxGrad, [out, dOut], {})],
  compose: ({ inputs: [x], run }) => {
    const last = alongLast(x.shape);
    const powers = run(exp, [run(sub, [x, run(max, [x], last)], {})], { c: 0 });
    return run(div, [powers, run(sum, [powers], last)], {});
  },
  get samples() {
    return rowSamples;
  },
  workload: rowsWorkload({}, undefined, attentionRows),
  get badSamples() {
    return rowBadSamples;
  },
};

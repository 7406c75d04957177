import { numel, type Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import type { GradOp, Op, Sample, SampleInput } from './op.js';
import { bytesOf } from './reduction.js';
import { rowsWorkload } from './samples.js';
import { withScratch } from './scratch.js';

/** Sends a gradient to the side it came from, and 0 to the other. */
const whereGrad: GradOp = {
  name: 'whereGrad',
  shapes: ([, dOut]) => [dOut, dOut],
  forward: (backend, [condition, dOut], [dA, dB]) =>
    withScratch(backend, dOut.buf.length, dOut.dtype, (zeros) => {
      backend.kernels.fill(zeros, 0);
      backend.kernels.where(condition.buf, dOut.buf, zeros, dA.buf);
      backend.kernels.where(condition.buf, zeros, dOut.buf, dB.buf);
    }),
};

/** A condition of zeros and ones. */
const mask = (shape: Shape): SampleInput => {
  const pattern = [1, 0, 0, 1, 1, 0, 1]; // seven: no vector length divides it
  return { shape, values: Array.from({ length: numel(shape) }, (_, i) => pattern[i % 7]) };
};

const sample = (name: string, shape: Shape): Sample<object> => ({
  name,
  inputs: [mask(shape), shape, shape],
  attrs: {},
});

export const where: Op = {
  name: 'where',
  doc: {
    formula: 'y = a where condition is not 0, else b',
    gradient: 'dA = dOut where condition is not 0, else 0; dB the other way round; condition has none',
    why: {
      en: 'choosing is not multiplying by 0 and 1: a NaN or infinity on the side that was not chosen has no influence',
      zh: '选择不等于乘以 0 和 1 再相加：没被选中的一侧即使是 NaN 或无穷大，也不影响结果',
    },
    source: 'NumPy, numpy.where',
  },
  constants: [0],
  shape: (inputs) => {
    takes('where', inputs, 3);
    const [condition, a, b] = inputs;
    mustBe('where', 'a', a, condition);
    mustBe('where', 'b', b, condition);
    return condition;
  },
  cost: ([x]) => ({ flops: 0, bytes: bytesOf(x, x, x, x) }),
  forward: ({ kernels }, [condition, a, b], y) => kernels.where(condition.buf, a.buf, b.buf, y.buf),
  backward: ({ inputs: [condition], dOut, runGrad }) => [null, ...runGrad(whereGrad, [condition, dOut], {})],
  get samples() {
    return [
      sample('scalar', []),
      sample('one element', [1]),
      sample('seven', [7]),
      sample('15', [15]),
      sample('16, a vector', [16]),
      sample('17, a vector and one', [17]),
      sample('65', [5, 13]),
      sample('rank 4', [2, 3, 5, 7]),
      sample('no elements', [0, 3]),
      sample('one long column', [1000, 1]),
      sample('bert', [2, 5, 32]),
      { name: 'any number but 0 is true', inputs: [{ shape: [5], values: [-1, 0, 0.5, -0, 3] }, [5], [5]], attrs: {} },
      { name: 'the same tensor twice', inputs: [mask([3, 5]), [3, 5], { shape: [3, 5], same: 1 }], attrs: {} },
    ];
  },
  workload: rowsWorkload({}, (...shape) => [mask(shape), shape, shape]),
  get badSamples() {
    return [
      { name: 'other shape of a', inputs: [[2, 3], [3], [2, 3]], attrs: {} },
      {
        name: 'other shape of b',
        inputs: [
          [2, 3],
          [2, 3],
          [2, 1],
        ],
        attrs: {},
      },
      { name: 'two inputs', inputs: [[3], [3]], attrs: {} },
      { name: 'an integer condition', inputs: [{ shape: [3], ids: 2 }, [3], [3]], attrs: {} },
    ];
  },
};

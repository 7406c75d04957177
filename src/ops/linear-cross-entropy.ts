import type { Backend } from '../backend/backend.js';
import { ShapeError } from '../core/errors.js';
import type { Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import { concat } from './concat.js';
import { crossEntropy } from './cross-entropy.js';
import { equal, mul, mulScalar } from './elementwise.js';
import { linear } from './linear.js';
import type { Arg, ComposeCtx, Op, Sample, SampleInput } from './op.js';
import { max, sum } from './reduce.js';
import { bytesOf } from './reduction.js';
import { reshape } from './reshape.js';
import { project, timesWeight, weightGradients } from './row-product.js';
import { withScratch } from './scratch.js';
import { slice } from './slice.js';

export interface LinearCrossEntropyAttrs {
  /** Rows with this label have loss 0, no hit and no gradient. */
  readonly ignoreIndex: number;
  /** Multiplies the sum of all losses. */
  readonly scale: number;
}

/** Rows whose label has the largest logit, counted from the logits one by one. */
function hits({ attrs, ids, run }: ComposeCtx<LinearCrossEntropyAttrs>, logits: Arg): Arg {
  const [rows, cols] = logits.shape;
  const tops = run(max, [logits], { axes: [1], keepDims: true }); // [rows, 1]
  const parts = Array.from({ length: rows }, (_, row) => {
    const counts = ids(3)[row] !== attrs.ignoreIndex;
    const at = Math.min(Math.max(ids(3)[row], 0), cols - 1);
    const ofRow = run(slice, [logits], { axis: 0, start: row, end: row + 1 });
    const picked = run(slice, [ofRow], { axis: 1, start: at, end: at + 1 }); // [1, 1]
    const top = run(slice, [tops], { axis: 0, start: row, end: row + 1 });
    return run(mulScalar, [run(reshape, [run(equal, [picked, top], {})], { shape: [1] })], { c: counts ? 1 : 0 });
  });
  const all = run(concat, parts, { axis: 0 }); // [rows]
  return run(sum, [all], { axes: [0], keepDims: true });
}

function compose(ctx: ComposeCtx<LinearCrossEntropyAttrs>): Arg {
  const {
    inputs: [x, weight, bias, labels],
    attrs,
    run,
  } = ctx;
  const logits = run(linear, [x, weight, bias], {}); // [rows, classes]
  const loss = run(crossEntropy, [logits, labels], attrs); // [1]
  const count = x.shape[0] === 0 ? run(mulScalar, [loss], { c: 0 }) : hits(ctx, logits);
  return run(concat, [loss, count], { axis: 0 });
}

/** The logits, then at once their gradient in their place. */
function forward(
  backend: Backend,
  [x, weight, bias, labels]: readonly Arg[],
  out: Arg,
  { ignoreIndex, scale }: LinearCrossEntropyAttrs,
  [dLogits, sums]: readonly Arg[],
): void {
  const [rows, cols] = dLogits.shape;
  project(backend, [x, weight, bias], dLogits.buf);
  withScratch(backend, 2 * rows, out.dtype, (results) => {
    const bufs = { logits: dLogits.buf, labels: labels.buf, results, sums: sums.buf };
    backend.kernels.crossEntropyInPlace({ ...bufs, rows, cols, ignoreIndex, scale });
    backend.kernels.reduce('sum', results, out.buf, 2, rows, 1);
  });
}

const sample = (
  name: string,
  [rows, width, classes]: readonly [number, number, number],
  scale = 1,
  labels: Partial<SampleInput> = {},
): Sample<LinearCrossEntropyAttrs> => ({
  name,
  inputs: [[rows, width], [classes, width], [classes], { shape: [rows], ids: classes, ...labels }],
  attrs: { ignoreIndex: -100, scale },
});

const spoilt = (name: string, at: number, input: Shape | SampleInput) => {
  const good = sample(name, [3, 4, 5]);
  return { ...good, inputs: good.inputs.toSpliced(at, 1, input) };
};

export const linearCrossEntropy: Op<LinearCrossEntropyAttrs> = {
  name: 'linearCrossEntropy',
  doc: {
    formula:
      'l = x W^T + b;  y_0 = scale * sum of (ln sum_j exp(l_rj) - l_r,label(r)) over rows that count;  y_1 = number of these whose label has the largest logit',
    gradient:
      'with G_rj = scale (softmax(l_r)_j - [j = label(r)]) and d = dOut_0: dX = d G W, dW = d G^T x, dB = d sum of G over rows; y_1 is constant almost everywhere and has none',
    why: {
      en: 'the vocabulary is the widest layer of a small BERT: its logits become their gradient in place while a row is in the cache, instead of being written and read again by five kernels',
      zh: '词表是小型 BERT 里最宽的一层：每行 logits 还在缓存里就原地变成自己的梯度，省去五个核函数反复读写',
    },
    source: 'google-research/bert run_pretraining.py:240-284; Hsu et al. 2024, arXiv:2410.10989, sec. 3.2',
  },
  inputTypes: ['float', 'float', 'float', 'i32'],
  shape: (inputs) => {
    takes('linearCrossEntropy', inputs, 4);
    const [x, weight, bias, labels] = inputs;
    if (x.length !== 2 || weight.length !== 2 || x[1] !== weight[1]) {
      throw new ShapeError('linearCrossEntropy', 'needs x [rows, in] and a weight [classes, in]', [x, weight]);
    }
    if (weight[0] === 0) throw new ShapeError('linearCrossEntropy', 'needs at least one class', inputs);
    mustBe('linearCrossEntropy', 'the bias', bias, [weight[0]]);
    mustBe('linearCrossEntropy', 'labels', labels, [x[0]]);
    return [2];
  },
  aux: ([x, weight, bias]) => [[x[0], weight[0]], bias], // the gradient of the logits, and its sum over rows
  cost: ([x, weight, bias, labels]) => ({
    flops: (2 * x[1] + 5) * x[0] * weight[0],
    bytes: bytesOf(x, weight, bias, labels, [x[0], weight[0]]),
  }),
  forward,
  backward: (ctx) => {
    const {
      inputs: [x, weight],
      aux: [dLogits, sums],
      needs,
      run,
    } = ctx;
    const d = run(slice, [ctx.dOut], { axis: 0, start: 0, end: 1 }); // [1]
    // What arrives is one number: it multiplies the narrow factor of each product, never the logits.
    const dX = needs(0) ? run(mul, [timesWeight(ctx, dLogits, weight, x.shape), d], {}) : null;
    const dWeight = needs(1) ? weightGradients(ctx, [1, null], dLogits, run(mul, [x, d], {}))[0] : null;
    return [dX, dWeight, needs(2) ? run(mul, [sums, d], {}) : null, null];
  },
  compose,
  get samples(): readonly Sample<LinearCrossEntropyAttrs>[] {
    return [
      sample('one class', [3, 2, 1]),
      sample('one row', [1, 3, 5]),
      sample('two classes', [6, 4, 2], 1 / 6),
      sample('seven', [7, 7, 7], 1 / 7),
      sample('15 classes', [3, 15, 15]),
      sample('16 classes, a vector', [3, 16, 16], 0.25),
      sample('17 classes', [3, 5, 17]),
      sample('65 classes', [4, 3, 65]),
      sample('no rows', [0, 3, 5]),
      sample('vocabulary', [2, 2, 30522], 0.5),
      sample('many rows', [70, 4, 6], 1 / 70),
      sample('some labels ignored', [5, 4, 9], 1 / 3, { values: [0, -100, 8, -100, 3] }),
      sample('all labels ignored', [3, 4, 4], 1, { values: [-100, -100, -100] }),
      { ...sample('a class is ignored', [4, 3, 3], 1, { values: [0, 1, 2, 0] }), attrs: { ignoreIndex: 0, scale: 1 } },
      sample('bert: masked words', [9, 32, 50], 1 / 9),
      {
        ...sample('extreme values', [4, 5, 9]),
        inputs: [{ shape: [4, 5], range: [-50, 50] }, { shape: [9, 5], range: [-50, 50] }, [9], { shape: [4], ids: 9 }],
        smooth: false,
      },
    ];
  },
  workload: {
    axes: ['rows', 'in', 'classes'],
    at: (sizes) => sample('', sizes as [number, number, number]),
    bert: ({ masked, hidden, vocab }) => [['masked words', [masked, hidden, vocab]]],
  },
  get badSamples() {
    return [
      spoilt('another width', 0, [3, 3]),
      spoilt('rank 3', 0, [1, 3, 4]),
      spoilt('another bias', 2, [4]),
      spoilt('one label too few', 3, { shape: [2], ids: 5 }),
      spoilt('labels that are floats', 3, [3]),
      spoilt('no classes', 1, [0, 4]),
    ];
  },
};

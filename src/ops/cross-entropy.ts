import { ShapeError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import { concat } from './concat.js';
import { mulScalar } from './elementwise.js';
import { expand } from './expand.js';
import { logSoftmax } from './log-softmax.js';
import type { Arg, ComposeCtx, GradOp, Op, Sample, SampleInput } from './op.js';
import { sum } from './reduce.js';
import { bytesOf } from './reduction.js';
import { reshape } from './reshape.js';
import { rowsWorkload, vocabularyRows } from './samples.js';
import { withScratch } from './scratch.js';
import { slice } from './slice.js';

export interface CrossEntropyAttrs {
  /** Rows with this label have loss 0 and no gradient. */
  readonly ignoreIndex: number;
  /** The result is [1], the sum of all losses times this; null: [rows], each row's loss. */
  readonly scale: number | null;
}

const crossEntropyGrad: GradOp<CrossEntropyAttrs> = {
  name: 'crossEntropyGrad',
  shapes: ([logits]) => [logits],
  forward: ({ kernels }, [logits, labels, lse, dLosses], [dLogits], { ignoreIndex }) => {
    const [rows, cols] = logits.shape;
    kernels.crossEntropyGrad(logits.buf, labels.buf, lse.buf, dLosses.buf, dLogits.buf, rows, cols, ignoreIndex);
  },
};

/** Row by row: the negative logarithm of the probability of the label; ignored rows are multiplied by 0. */
function compose({ inputs: [logits], attrs, ids, run }: ComposeCtx<CrossEntropyAttrs>): Arg {
  const [rows, cols] = logits.shape;
  const logProbs = run(logSoftmax, [logits], {});
  const lossOf = (row: number): Arg => {
    const label = ids(1)[row];
    const counts = label !== attrs.ignoreIndex;
    const ofRow = run(slice, [logProbs], { axis: 0, start: row, end: row + 1 });
    const at = Math.min(Math.max(label, 0), cols - 1);
    const picked = run(reshape, [run(slice, [ofRow], { axis: 1, start: at, end: at + 1 })], { shape: [1] });
    return run(mulScalar, [picked], { c: counts ? -1 : 0 });
  };
  if (rows === 0) {
    const none = run(reshape, [logits], { shape: [0] });
    return attrs.scale === null ? none : run(sum, [none], { axes: [0], keepDims: true });
  }
  const losses = run(
    concat,
    Array.from({ length: rows }, (_, row) => lossOf(row)),
    { axis: 0 },
  ); // [rows]
  if (attrs.scale === null) return losses;
  return run(mulScalar, [run(sum, [losses], { axes: [0], keepDims: true })], { c: attrs.scale });
}

const sample = (
  name: string,
  logits: Shape,
  scale: number | null,
  labels: Partial<SampleInput> = {},
): Sample<CrossEntropyAttrs> => ({
  name,
  inputs: [logits, { shape: [logits[0]], ids: logits[1], ...labels }],
  attrs: { ignoreIndex: -100, scale },
});

export const crossEntropy: Op<CrossEntropyAttrs> = {
  name: 'crossEntropy',
  doc: {
    formula: 'loss_r = ln sum_j exp(x_rj) - x_r,label(r), 0 where label(r) = ignoreIndex; y = scale * sum of loss_r',
    gradient: 'dX_rj = scale dOut (softmax(x_r)_j - [j = label(r)]), 0 in ignored rows',
    why: {
      en: 'softmax, logarithm and choice in one: the gradient is probability minus truth, and a loss near 0 keeps its digits',
      zh: 'softmax、取对数、取标签三步合一：梯度就是“概率减真值”，损失接近 0 时也不丢有效数字',
    },
    source: 'google-research/bert run_pretraining.py:263-284; Bridle 1990, Neurocomputing, sec. 3',
  },
  inputTypes: ['float', 'i32'],
  shape: (inputs, { scale }) => {
    takes('crossEntropy', inputs, 2);
    const [logits, labels] = inputs;
    if (logits.length !== 2) throw new ShapeError('crossEntropy', 'needs logits [rows, classes]', inputs);
    if (logits[1] === 0) throw new ShapeError('crossEntropy', 'needs at least one class', inputs);
    mustBe('crossEntropy', 'labels', labels, [logits[0]]);
    return scale === null ? labels : [1];
  },
  aux: ([, labels]) => [labels], // log sum exp of each row
  cost: ([logits, labels]) => ({ flops: 4 * numel(logits), bytes: bytesOf(logits, labels, labels) }), // exp counted as one
  forward: (backend, [logits, labels], y, { ignoreIndex, scale }, [lse]) => {
    const { kernels } = backend;
    const [rows, cols] = logits.shape;
    const lossesInto = (losses: Arg['buf']): void =>
      kernels.crossEntropy(logits.buf, labels.buf, losses, lse.buf, rows, cols, ignoreIndex);
    if (scale === null) return lossesInto(y.buf);
    withScratch(backend, rows, y.dtype, (losses) =>
      withScratch(backend, 1, y.dtype, (total) => {
        lossesInto(losses);
        kernels.reduce('sum', losses, total, 1, rows, 1);
        kernels.unary(mulScalar.fn, total, y.buf, scale);
      }),
    );
  },
  backward: ({ inputs: [logits, labels], aux: [lse], dOut, attrs, run, runGrad }) => {
    const dLosses =
      attrs.scale === null ? dOut : run(expand, [run(mulScalar, [dOut], { c: attrs.scale })], { shape: labels.shape }); // [rows]
    return [...runGrad(crossEntropyGrad, [logits, labels, lse, dLosses], attrs), null];
  },
  compose,
  get samples(): readonly Sample<CrossEntropyAttrs>[] {
    return [
      sample('one class', [3, 1], 1),
      sample('one row', [1, 5], 1),
      sample('two classes', [6, 2], 1 / 6),
      sample('seven', [7, 7], null),
      sample('15 classes', [3, 15], null),
      sample('16 classes, a vector', [3, 16], 0.25),
      sample('17 classes', [3, 17], null),
      sample('65 classes', [4, 65], 1),
      sample('no rows', [0, 5], 1),
      sample('no rows, no sum', [0, 5], null),
      sample('vocabulary', [2, 30522], 0.5),
      sample('many rows', [200, 3], 1 / 200),
      sample('some labels ignored', [5, 9], 1 / 3, { values: [0, -100, 8, -100, 3] }),
      sample('all labels ignored', [3, 4], 1, { values: [-100, -100, -100] }),
      {
        ...sample('a class is ignored', [4, 3], null, { values: [0, 1, 2, 0] }),
        attrs: { ignoreIndex: 0, scale: null },
      },
      sample('bert: next sentence', [16, 2], 1 / 16),
      {
        name: 'extreme values',
        inputs: [
          { shape: [4, 9], range: [-1e4, 1e4] },
          { shape: [4], ids: 9 },
        ],
        attrs: { ignoreIndex: -1, scale: null },
        smooth: false,
      },
    ];
  },
  workload: rowsWorkload(
    { ignoreIndex: -1, scale: null },
    (rows, classes) => [[rows, classes], { shape: [rows], ids: classes }],
    vocabularyRows,
  ),
  get badSamples() {
    return [
      { name: 'one label too few', inputs: [[3, 4], { shape: [2], ids: 4 }], attrs: { ignoreIndex: -1, scale: 1 } },
      { name: 'rank 3', inputs: [[2, 3, 4], { shape: [2], ids: 4 }], attrs: { ignoreIndex: -1, scale: 1 } },
      { name: 'labels that are floats', inputs: [[3, 4], [3]], attrs: { ignoreIndex: -1, scale: 1 } },
      { name: 'no classes', inputs: [[3, 0], { shape: [3], ids: 1 }], attrs: { ignoreIndex: -1, scale: 1 } },
      { name: 'no labels', inputs: [[3, 4]], attrs: { ignoreIndex: -1, scale: null } },
    ];
  },
};

import type { AttentionCall, Backend } from '../backend/backend.js';
import { ShapeError } from '../core/errors.js';
import type { RandomKey } from '../core/random.js';
import { numel, type Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import { concat } from './concat.js';
import { checkRate, dropout } from './dropout.js';
import { add, mulScalar } from './elementwise.js';
import { expand } from './expand.js';
import { matmul } from './matmul.js';
import type { Arg, BadSample, ComposeCtx, GradOp, Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';
import { slice } from './slice.js';
import { softmax } from './softmax.js';

export interface AttentionAttrs {
  readonly heads: number;
  /** 1 / sqrt(headDim). */
  readonly scale: number;
  /** Rows of the longest sequence. */
  readonly maxSeq: number;
  /** On the probabilities: row (s * heads + h) * maxSeq + i of the key's random numbers belongs to query i. */
  readonly dropout: { readonly rate: number; readonly key: RandomKey } | null;
}

function callOf([q, k, v, keyBias, offsets]: readonly Arg[], attrs: AttentionAttrs): AttentionCall {
  const [rows, width] = q.shape;
  const bufs = { q: q.buf, k: k.buf, v: v.buf, keyBias: keyBias.buf, offsets: offsets.buf };
  const active = attrs.dropout !== null && attrs.dropout.rate > 0 ? attrs.dropout : null;
  return { ...bufs, ...attrs, dropout: active, rows, sequences: offsets.shape[0] - 1, headDim: width / attrs.heads };
}

const attentionGrad: GradOp<AttentionAttrs> = {
  name: 'attentionGrad',
  shapes: ([q]) => [q, q, q],
  forward: ({ kernels }: Backend, inputs, [dQ, dK, dV], attrs) => {
    const [y, lse, dY] = inputs.slice(5);
    kernels.attentionGrad(callOf(inputs, attrs), y.buf, lse.buf, dY.buf, dQ.buf, dK.buf, dV.buf);
  },
};

/** One head of one sequence, in single steps. @returns [length, headDim] */
function headOf(ctx: ComposeCtx<AttentionAttrs>, sequence: number, head: number): Arg {
  const {
    inputs: [q, k, v, keyBias],
    attrs,
    ids,
    run,
  } = ctx;
  const [start, end] = [ids(4)[sequence], ids(4)[sequence + 1]];
  const headDim = q.shape[1] / attrs.heads;
  const rowsOf = (x: Arg): Arg => run(slice, [x], { axis: 0, start, end });
  const part = (x: Arg): Arg => run(slice, [rowsOf(x)], { axis: 1, start: head * headDim, end: (head + 1) * headDim });
  const dots = run(matmul, [part(q), part(k)], { transposeA: false, transposeB: true }); // [length, length]
  const scores = run(add, [run(mulScalar, [dots], { c: attrs.scale }), rowsOf(keyBias)], {});
  const probs = dropped(ctx, run(softmax, [scores], {}), sequence * attrs.heads + head);
  return run(matmul, [probs, part(v)], { transposeA: false, transposeB: false });
}

/** Dropout draws rows of maxSeq numbers, so shorter rows are filled up first, and cut off again. */
function dropped({ attrs, run }: ComposeCtx<AttentionAttrs>, probs: Arg, index: number): Arg {
  if (attrs.dropout === null) return probs;
  const { rate, key } = attrs.dropout;
  const [length] = probs.shape;
  const zeros = run(mulScalar, [run(slice, [probs], { axis: 1, start: 0, end: 1 })], { c: 0 });
  const fill = run(expand, [zeros], { shape: [length, attrs.maxSeq - length] });
  const wide = run(concat, [probs, fill], { axis: 1 }); // [length, maxSeq]
  const kept = run(dropout, [wide], { rate, key: { ...key, row: key.row + index * attrs.maxSeq } });
  return run(slice, [kept], { axis: 1, start: 0, end: length });
}

/** Work of both products and of the softmax, if every sequence is as long as the longest: at most that. */
function cost([q, , , keyBias, offsets]: readonly Shape[], { heads, maxSeq }: AttentionAttrs) {
  const scores = numel(keyBias) * heads * maxSeq;
  return { flops: scores * (4 * (q[1] / heads) + 5), bytes: bytesOf(q, q, q, q, keyBias, offsets) };
}

/** What a sample is made from. */
interface Case {
  readonly lengths: readonly number[];
  readonly heads?: number;
  readonly headDim?: number;
  /** Rows whose key is hidden. */
  readonly hidden?: readonly number[];
  readonly rate?: number;
  readonly scale?: number;
  readonly range?: readonly [number, number];
}

function sample(name: string, c: Case): Sample<AttentionAttrs> {
  const { lengths, heads = 2, headDim = 4, hidden = [], rate, scale = headDim ** -0.5, range = [-2, 2] } = c;
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const offsets = [0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length, 0))];
  const keyBias = Array.from({ length: rows }, (_, row) => (hidden.includes(row) ? -10000 : 0));
  const tensor = { shape: [rows, heads * headDim], range };
  const key = { seed: 99, stream: 5, step: 2, row: 40 };
  return {
    name,
    inputs: [
      tensor,
      tensor,
      tensor,
      { shape: [rows], values: keyBias },
      { shape: [offsets.length], ids: 0, values: offsets },
    ],
    attrs: { heads, scale, maxSeq: Math.max(0, ...lengths), dropout: rate === undefined ? null : { rate, key } },
  };
}

const same = sample('the same tensor as q, k and v', { lengths: [4, 2] });

const attentionSamples: readonly Sample<AttentionAttrs>[] = [
  sample('one row', { lengths: [1], heads: 1, headDim: 1 }),
  sample('one sequence', { lengths: [5] }),
  sample('sequences of length 1', { lengths: [1, 1, 1] }),
  sample('uneven sequences', { lengths: [3, 1, 5] }),
  sample('one head', { lengths: [4, 4], heads: 1 }),
  sample('width 1 a head', { lengths: [3, 2], heads: 3, headDim: 1 }),
  sample('odd width', { lengths: [6], heads: 2, headDim: 7 }),
  sample('15, 16, 17 rows', { lengths: [15, 16, 17], heads: 1, headDim: 3 }),
  sample('63 and 65 rows', { lengths: [63, 65], heads: 1, headDim: 2 }),
  sample('no rows', { lengths: [0] }),
  sample('an empty sequence', { lengths: [3, 0, 2] }),
  sample('hidden keys', { lengths: [4, 5], hidden: [3, 8, 7] }),
  sample('all keys hidden', { lengths: [3, 2], hidden: [0, 1, 2, 3, 4] }),
  sample('dropout', { lengths: [5, 3], rate: 0.3 }),
  sample('dropout over 64 columns', { lengths: [66, 2], heads: 2, headDim: 2, rate: 0.5 }),
  sample('dropout rate 0', { lengths: [3, 3], rate: 0 }),
  sample('bert', { lengths: [9, 12, 4], heads: 4, headDim: 16, hidden: [8], rate: 0.1 }),
  { ...sample('large scores', { lengths: [4, 3], range: [-60, 60] }), smooth: false },
  { ...same, inputs: same.inputs.map((input, i) => (i === 1 || i === 2 ? { shape: [6, 8], same: 0 } : input)) },
];

const bad = (
  name: string,
  shapes: readonly (readonly number[])[],
  heads = 2,
  maxSeq = 3,
): BadSample<AttentionAttrs> => ({
  name,
  inputs: shapes.map((shape, i) => (i === 4 ? { shape, ids: 1 } : shape)),
  attrs: { heads, scale: 0.5, maxSeq, dropout: null },
});

const attentionBadSamples: readonly BadSample<AttentionAttrs>[] = [
  bad('keys of another width', [[6, 4], [6, 2], [6, 4], [6], [3]]),
  bad('values of other rows', [[6, 4], [6, 4], [5, 4], [6], [3]]),
  bad('bias of other rows', [[6, 4], [6, 4], [6, 4], [4], [3]]),
  bad('heads that do not divide', [[6, 4], [6, 4], [6, 4], [6], [3]], 3),
  bad('too short a longest sequence', [[6, 4], [6, 4], [6, 4], [6], [3]], 2, 2),
  bad('no offsets', [[6, 4], [6, 4], [6, 4], [6]]),
  bad('rank 3', [[1, 6, 4], [1, 6, 4], [1, 6, 4], [6], [3]]),
  {
    name: 'everything dropped',
    inputs: [[2, 2], [2, 2], [2, 2], [2], { shape: [2], ids: 0, values: [0, 2] }],
    attrs: { heads: 1, scale: 1, maxSeq: 2, dropout: { rate: 1, key: { seed: 1, stream: 1, step: 1, row: 0 } } },
  },
];

export const attention: Op<AttentionAttrs> = {
  name: 'attention',
  doc: {
    formula:
      'y = softmax(scale q k^T + keyBias) v, per sequence and attention head; probabilities through dropout first',
    gradient:
      'with P the probabilities, M their dropout factors, D_i = sum_d dOut_id y_id: dV = (P M)^T dOut, dS = P (M dOut v^T - D), dQ = scale dS k, dK = scale dS^T q',
    why: {
      en: 'scores are used as they are made, so the [seq, seq] probabilities never reach memory; on the way back they are computed again from one number per row. Sequences lie end to end, so padding costs nothing',
      zh: '分数随算随用，[seq, seq] 的概率矩阵从不写入内存；反向传播时由每行保存的一个数重新算出。各序列首尾相接，没有填充的开销',
    },
    source: 'Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2; Dao et al. 2022, arXiv:2205.14135, appendix B.2',
  },
  inputTypes: ['float', 'float', 'float', 'float', 'i32'],
  constants: [3],
  shape: (inputs, { heads, maxSeq, dropout: drop }) => {
    takes('attention', inputs, 5);
    const [q, k, v, keyBias, offsets] = inputs;
    if (q.length !== 2) throw new ShapeError('attention', 'needs queries [rows, heads * headDim]', [q]);
    mustBe('attention', 'keys', k, q);
    mustBe('attention', 'values', v, q);
    mustBe('attention', 'keyBias', keyBias, [q[0]]);
    if (!Number.isInteger(heads) || heads < 1 || q[1] % heads !== 0) {
      throw new ShapeError('attention', `${heads} heads do not divide the width`, [q]);
    }
    const sequences = offsets[0] - 1;
    if (offsets.length !== 1 || !(sequences >= 0) || !(sequences * maxSeq >= q[0])) {
      throw new ShapeError(
        'attention',
        `offsets [sequences + 1], of at most ${maxSeq} rows each, must cover all rows`,
        [q, offsets],
      );
    }
    if (drop !== null) checkRate('attention', drop.rate);
    return q;
  },
  aux: ([q], { heads }) => [[q[0], heads]], // log sum exp of the scores
  cost,
  forward: ({ kernels }, inputs, y, attrs, [lse]) => kernels.attention(callOf(inputs, attrs), y.buf, lse.buf),
  backward: ({ inputs, out, aux: [lse], dOut, attrs, runGrad }) => [
    ...runGrad(attentionGrad, [...inputs, out, lse, dOut], attrs),
    null,
    null,
  ],
  compose: (ctx) => {
    const sequences = ctx.inputs[4].shape[0] - 1;
    const heads = Array.from({ length: ctx.attrs.heads }, (_, head) => head);
    const rows = Array.from(
      { length: sequences },
      (_, sequence) =>
        ctx.run(
          concat,
          heads.map((head) => headOf(ctx, sequence, head)),
          { axis: 1 },
        ), // [length, heads * headDim]
    );
    return ctx.run(concat, rows, { axis: 0 }); // [rows, heads * headDim]
  },
  samples: attentionSamples,
  badSamples: attentionBadSamples,
};

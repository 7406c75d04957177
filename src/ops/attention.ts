import type { AttentionCall, Backend, Precision } from '../backend/backend.js';
import { ShapeError } from '../core/errors.js';
import type { RandomKey } from '../core/random.js';
import type { Shape } from '../core/shape.js';
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
  /** On the probabilities: row (s * heads + h) * maxSeq + i of the key's random numbers belongs to the query at place i. */
  readonly dropout: { readonly rate: number; readonly key: RandomKey } | null;
  /** Of both products, forwards. Absent: f32. */
  readonly precision?: Exclude<Precision, 'int8'>;
}

/** Inputs where every row asks, and where `queryOffsets` and `places` follow. */
const FULL = 5;
const SOME = 7;

function callOf(inputs: readonly Arg[], attrs: AttentionAttrs): AttentionCall {
  const [q, k, v, keyBias, offsets, queryOffsets, places] = inputs;
  const [queryRows, width] = q.shape;
  const bufs = { q: q.buf, k: k.buf, v: v.buf, keyBias: keyBias.buf, offsets: offsets.buf };
  const queries = inputs.length === FULL ? null : { offsets: queryOffsets.buf, places: places.buf };
  const active = attrs.dropout !== null && attrs.dropout.rate > 0 ? attrs.dropout : null;
  const sizes = { rows: k.shape[0], queryRows, sequences: offsets.shape[0] - 1, headDim: width / attrs.heads };
  return { ...bufs, ...attrs, ...sizes, queries, dropout: active };
}

const attentionGrad: GradOp<AttentionAttrs> = {
  name: 'attentionGrad',
  shapes: ([q, k]) => [q, k, k],
  forward: ({ kernels }: Backend, inputs, [dQ, dK, dV], attrs) => {
    const [y, lse, dY] = inputs.slice(-3);
    kernels.attentionGrad(callOf(inputs.slice(0, -3), attrs), y.buf, lse.buf, dY.buf, dQ.buf, dK.buf, dV.buf);
  },
};

/** One head of one sequence, in single steps. @returns [queries, headDim] */
function headOf(ctx: ComposeCtx<AttentionAttrs>, sequence: number, head: number): Arg {
  const { inputs, attrs, ids, run } = ctx;
  const [q, k, v, keyBias] = inputs;
  const headDim = q.shape[1] / attrs.heads;
  const rowsOf = (x: Arg, offsets: ArrayLike<number>): Arg =>
    run(slice, [x], { axis: 0, start: offsets[sequence], end: offsets[sequence + 1] });
  const part = (x: Arg, offsets: ArrayLike<number>): Arg =>
    run(slice, [rowsOf(x, offsets)], { axis: 1, start: head * headDim, end: (head + 1) * headDim });
  const queries = part(q, ids(inputs.length === FULL ? 4 : 5));
  const dots = run(matmul, [queries, part(k, ids(4))], { transposeA: false, transposeB: true }); // [queries, length]
  const scores = run(add, [run(mulScalar, [dots], { c: attrs.scale }), rowsOf(keyBias, ids(4))], {});
  const probs = dropped(ctx, run(softmax, [scores], {}), sequence, head);
  return run(matmul, [probs, part(v, ids(4))], { transposeA: false, transposeB: false });
}

/** Dropout draws rows of maxSeq numbers by a query's place, so probabilities are filled up to that width, and cut off again. */
function dropped(ctx: ComposeCtx<AttentionAttrs>, probs: Arg, sequence: number, head: number): Arg {
  const { inputs, attrs, ids, run } = ctx;
  const [queries, length] = probs.shape;
  if (attrs.dropout === null || queries * length === 0) return probs;
  const { rate, key } = attrs.dropout;
  const zeros = run(mulScalar, [run(slice, [probs], { axis: 1, start: 0, end: 1 })], { c: 0 });
  const fill = run(expand, [zeros], { shape: [queries, attrs.maxSeq - length] });
  const wide = run(concat, [probs, fill], { axis: 1 }); // [queries, maxSeq]
  const row = key.row + (sequence * attrs.heads + head) * attrs.maxSeq;
  const kept = (x: Arg, place: number): Arg => run(dropout, [x], { rate, key: { ...key, row: row + place } });
  const alone = (i: number): Arg =>
    kept(run(slice, [wide], { axis: 0, start: i, end: i + 1 }), ids(6)[ids(5)[sequence] + i]);
  const all =
    inputs.length === FULL
      ? kept(wide, 0)
      : run(
          concat,
          Array.from({ length: queries }, (_, i) => alone(i)),
          { axis: 0 },
        );
  return run(slice, [all], { axis: 1, start: 0, end: length });
}

/** Work of both products and of the softmax, if every sequence is as long as the longest: at most that. */
function cost(inputs: readonly Shape[], { heads, maxSeq }: AttentionAttrs) {
  const [q] = inputs;
  return { flops: q[0] * heads * maxSeq * (4 * (q[1] / heads) + 5), bytes: bytesOf(q, ...inputs) };
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
  /** Which rows of each sequence ask; absent: all. */
  readonly places?: readonly (readonly number[])[];
}

const offsetsOf = (lengths: readonly number[]): readonly number[] => [
  0,
  ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length, 0)),
];
const idsOf = (values: readonly number[]) => ({ shape: [values.length], ids: 0, values });

function sample(name: string, c: Case): Sample<AttentionAttrs> {
  const { lengths, heads = 2, headDim = 4, hidden = [], rate, scale = headDim ** -0.5, range = [-2, 2] } = c;
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const keyBias = Array.from({ length: rows }, (_, row) => (hidden.includes(row) ? -10000 : 0));
  const tensor = { shape: [rows, heads * headDim], range };
  const { places } = c;
  const queries = places === undefined ? tensor : { shape: [places.flat().length, heads * headDim], range };
  const key = { seed: 99, stream: 5, step: 2, row: 40 };
  return {
    name,
    inputs: [
      queries,
      tensor,
      tensor,
      { shape: [rows], values: keyBias },
      idsOf(offsetsOf(lengths)),
      ...(places === undefined ? [] : [idsOf(offsetsOf(places.map((list) => list.length))), idsOf(places.flat())]),
    ],
    attrs: { heads, scale, maxSeq: Math.max(0, ...lengths), dropout: rate === undefined ? null : { rate, key } },
  };
}

const same = sample('the same tensor as q, k and v', { lengths: [4, 2] });

const attentionSamples = (): readonly Sample<AttentionAttrs>[] => [
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
  sample('some rows ask', { lengths: [5, 3, 4], places: [[0, 3, 4], [], [2]] }),
  sample('some rows ask, dropout', { lengths: [4, 0, 6], places: [[1, 0], [], [5, 2, 2]], rate: 0.4 }),
  sample('more queries than keys', { lengths: [2], places: [Array.from({ length: 19 }, (_, i) => i % 2)], rate: 0.2 }),
  sample('no row asks', { lengths: [3, 2], places: [[], []] }),
  sample('bert: masked places and [CLS]', {
    lengths: [21, 9],
    heads: 4,
    headDim: 16,
    places: [
      [0, 7, 19],
      [0, 8],
    ],
    rate: 0.1,
  }),
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
  inputs: shapes.map((shape, i) => (i >= 4 ? { shape, ids: 1 } : shape)),
  attrs: { heads, scale: 0.5, maxSeq, dropout: null },
});

const attentionBadSamples = (): readonly BadSample<AttentionAttrs>[] => [
  bad('keys of another width', [[6, 4], [6, 2], [6, 4], [6], [3]]),
  bad('values of other rows', [[6, 4], [6, 4], [5, 4], [6], [3]]),
  bad('bias of other rows', [[6, 4], [6, 4], [6, 4], [4], [3]]),
  bad('heads that do not divide', [[6, 4], [6, 4], [6, 4], [6], [3]], 3),
  bad('too short a longest sequence', [[6, 4], [6, 4], [6, 4], [6], [3]], 2, 2),
  bad('no offsets', [[6, 4], [6, 4], [6, 4], [6]]),
  bad('places of other queries', [[2, 4], [6, 4], [6, 4], [6], [3], [3], [6]]),
  bad('query offsets of other sequences', [[2, 4], [6, 4], [6, 4], [6], [3], [4], [2]]),
  bad('query offsets without places', [[2, 4], [6, 4], [6, 4], [6], [3], [3]]),
  bad('queries of another width', [[2, 2], [6, 4], [6, 4], [6], [3], [3], [2]]),
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
      en: 'scores are used as they are made, so the [seq, seq] probabilities never reach memory; on the way back they are computed again from one number per row. Sequences lie end to end, so padding costs nothing; and where only some rows are read, only those ask',
      zh: '分数随算随用，[seq, seq] 的概率矩阵从不写入内存；反向传播时由每行保存的一个数重新算出。各序列首尾相接，没有填充的开销；若只读取某些行，就只为这些行计算查询',
    },
    source: 'Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2; Dao et al. 2022, arXiv:2205.14135, appendix B.2',
  },
  inputTypes: ['float', 'float', 'float', 'float', 'i32', 'i32', 'i32'],
  constants: [3],
  shape: (inputs, { heads, maxSeq, dropout: drop }) => {
    takes('attention', inputs, inputs.length === SOME ? SOME : FULL);
    const [q, k, v, keyBias, offsets, queryOffsets, places] = inputs;
    if (q.length !== 2) throw new ShapeError('attention', 'needs queries [rows, heads * headDim]', [q]);
    mustBe('attention', 'keys', k, inputs.length === SOME ? [k[0], q[1]] : q);
    mustBe('attention', 'values', v, k);
    mustBe('attention', 'keyBias', keyBias, [k[0]]);
    if (!Number.isInteger(heads) || heads < 1 || q[1] % heads !== 0) {
      throw new ShapeError('attention', `${heads} heads do not divide the width`, [q]);
    }
    const sequences = offsets[0] - 1;
    if (offsets.length !== 1 || !(sequences >= 0) || !(sequences * maxSeq >= k[0])) {
      const rule = `offsets [sequences + 1], of at most ${maxSeq} rows each, must cover all rows`;
      throw new ShapeError('attention', rule, [k, offsets]);
    }
    if (inputs.length === SOME) {
      mustBe('attention', 'queryOffsets', queryOffsets, offsets);
      mustBe('attention', 'places', places, [q[0]]);
    }
    if (drop !== null) checkRate('attention', drop.rate);
    return q;
  },
  aux: ([q], { heads }) => [[q[0], heads]], // log sum exp of the scores
  cost,
  forward: ({ kernels }, inputs, y, attrs, [lse]) => kernels.attention(callOf(inputs, attrs), y.buf, lse.buf),
  backward: ({ inputs, out, aux: [lse], dOut, attrs, runGrad }) => [
    ...runGrad(attentionGrad, [...inputs, out, lse, dOut], attrs),
    ...inputs.slice(3).map(() => null),
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
        ), // [queries, heads * headDim]
    );
    return ctx.run(concat, rows, { axis: 0 }); // [queryRows, heads * headDim]
  },
  get samples() {
    return attentionSamples();
  },
  workload: {
    axes: ['sequences', 'rows of each', 'heads', 'width of a head'],
    at: ([sequences, seq, heads, headDim]) =>
      sample('', { lengths: new Array<number>(sequences).fill(seq), heads, headDim }),
    bert: ({ batch, seq, heads, hidden }) => [['self-attention', [batch, seq, heads, hidden / heads]]],
  },
  get badSamples() {
    return attentionBadSamples();
  },
};

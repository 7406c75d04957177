// Samples that many ops share. Sizes 15, 16, 17, 63 and 65 lie around the vector lengths of kernels.
import type { Shape } from '../core/shape.js';
import type { BadSample, BertSizes, Sample, SampleInput, Workload } from './op.js';

/** Shapes every op of one tensor should see, by class. */
const SHAPES: readonly (readonly [name: string, shape: Shape])[] = [
  ['scalar', []],
  ['one element', [1]],
  ['seven', [7]],
  ['15, a vector less one', [15]],
  ['16, a vector', [16]],
  ['17, a vector and one', [17]],
  ['63', [3, 21]],
  ['65', [65]],
  ['no elements', [0, 3]],
  ['rank 4', [2, 3, 5, 7]],
  ['axes of size 1', [1, 4, 1]],
  ['one long row', [1, 1000]],
  ['one long column', [1000, 1]],
  ['bert', [2, 5, 32]],
];

/** What a function of one element is tested on. */
export interface UnarySampling {
  /** Constants to use in turn; default 0. */
  readonly c?: readonly number[];
  /** Default [-2, 2]. */
  readonly range?: readonly [low: number, high: number];
  /** A range that nearly overflows or underflows f32, and still gives finite values and gradients. */
  readonly extreme: readonly [low: number, high: number];
  /** The function has a kink at 0, which finite differences must not straddle. */
  readonly kink?: boolean;
}

export function unarySamples({ c = [0], range, extreme, kink }: UnarySampling): Sample<{ readonly c: number }>[] {
  const values = { ...(range === undefined ? {} : { range }), ...(kink === true ? { apart: 0.5 } : {}) };
  const usual = SHAPES.map(([name, shape], i) => ({
    name,
    inputs: [{ shape, ...values }],
    attrs: { c: c[i % c.length] },
  }));
  const far = {
    name: 'extreme values',
    inputs: [{ shape: [4, 9], range: extreme }],
    attrs: { c: c[0] },
    smooth: false,
  } as const;
  return [...usual, far];
}

export const unaryBadSamples: readonly BadSample<{ readonly c: number }>[] = [
  { name: 'no input', inputs: [], attrs: { c: 0 } },
  { name: 'two inputs', inputs: [[3], [3]], attrs: { c: 0 } },
  { name: 'integers', inputs: [{ shape: [3], ids: 5 }], attrs: { c: 0 } },
  { name: 'nine axes', inputs: [[1, 1, 1, 1, 1, 1, 1, 1, 1]], attrs: { c: 0 } },
];

/** What a function of two elements is tested on. */
export interface BinarySampling {
  /** Values of the second input; default [-2, 2]. */
  readonly rangeB?: readonly [low: number, high: number];
  readonly extreme: readonly [low: number, high: number];
  /** The function has a kink or a jump where both inputs are equal. */
  readonly kink?: boolean;
}

const PAIRS: readonly (readonly [name: string, a: Shape, b: Shape])[] = [
  ['two scalars', [], []],
  ['scalar and tensor', [], [2, 3]],
  ['one element', [1], [1]],
  ['seven', [7], [7]],
  ['16, a vector', [2, 16], [2, 16]],
  ['17, a vector and one', [17], [17]],
  ['65', [65], [65]],
  ['column and row', [3, 1], [1, 4]],
  ['row over a matrix', [6, 33], [33]],
  ['column over a matrix', [5, 1], [5, 17]],
  ['both sides repeated', [2, 1, 3], [1, 5, 1]],
  ['rank 4', [2, 3, 5, 7], [3, 1, 7]],
  ['no elements', [0, 3], [1, 3]],
  ['bert: bias over scores', [2, 2, 5, 5], [2, 1, 1, 5]],
];

export function binarySamples({ rangeB, extreme, kink }: BinarySampling): Sample<object>[] {
  const usual = PAIRS.map(([name, a, b]) => ({
    name,
    inputs: [
      { shape: a, ...apart(kink, 0.25) },
      { shape: b, ...apart(kink, 0.5), ...(rangeB && { range: rangeB }) },
    ],
    attrs: {},
  }));
  const twice: SampleInput[] = [
    { shape: [3, 5], range: rangeB ?? [-2, 2] },
    { shape: [3, 5], same: 0 },
  ];
  const far = [0, 1].map(() => ({ shape: [4, 9], range: extreme }));
  return [
    ...usual,
    { name: 'the same tensor twice', inputs: twice, attrs: {}, ...(kink === true ? { smooth: false } : {}) },
    { name: 'extreme values', inputs: far, attrs: {}, smooth: false },
  ];
}

const apart = (kink: boolean | undefined, phase: number): { apart?: number } => (kink === true ? { apart: phase } : {});

export const binaryBadSamples: readonly BadSample<object>[] = [
  { name: 'sizes 3 and 4', inputs: [[3], [4]], attrs: {} },
  { name: 'aligned at the wrong end', inputs: [[2, 3], [2]], attrs: {} },
  { name: 'one input', inputs: [[3]], attrs: {} },
  { name: 'integers and floats', inputs: [{ shape: [3], ids: 5 }, [3]], attrs: {} },
  { name: 'nine axes', inputs: [[1, 1, 1, 1, 1, 1, 1, 1, 1], [1]], attrs: {} },
];

/** For ops along the last axis. */
export const rowSamples: readonly Sample<object>[] = [
  ...SHAPES.map(([name, shape]) => ({ name, inputs: [shape], attrs: {} })),
  { name: 'vocabulary', inputs: [[2, 30522]], attrs: {} },
  { name: 'equal values', inputs: [{ shape: [3, 5], range: [0.7, 0.7] }], attrs: {} },
  { name: 'extreme values', inputs: [{ shape: [4, 9], range: [-1e4, 1e4] }], attrs: {}, smooth: false },
];

export const rowBadSamples: readonly BadSample<object>[] = [
  { name: 'no input', inputs: [], attrs: {} },
  { name: 'two inputs', inputs: [[3], [3]], attrs: {} },
  { name: 'integers', inputs: [{ shape: [3], ids: 5 }], attrs: {} },
  { name: 'nine axes', inputs: [[1, 1, 1, 1, 1, 1, 1, 1, 1]], attrs: {} },
];

/** Rows of hidden states. */
export const hiddenStates = ({ tokens, hidden }: BertSizes): readonly [string, readonly number[]] => [
  'hidden states',
  [tokens, hidden],
];

/** Inner rows of the feed-forward layer. */
export const innerStates = ({ tokens, intermediate }: BertSizes): readonly (readonly [string, readonly number[]])[] => [
  ['feed-forward', [tokens, intermediate]],
];

/** Scores of attention, a row for each query. */
export const attentionRows = ({ batch, heads, seq }: BertSizes): readonly (readonly [string, readonly number[]])[] => [
  ['attention scores', [batch * heads * seq, seq]],
];

/** Logits over the vocabulary, a row for each masked place. */
export const vocabularyRows = ({ masked, vocab }: BertSizes): readonly (readonly [string, readonly number[]])[] => [
  ['logits of masked words', [masked, vocab]],
];

/**
 * Workload of an op on [rows, cols].
 * @param inputs shapes of the inputs for so many rows and columns
 * @param bert where a BERT meets it; default: hidden states
 */
export const rowsWorkload = <A extends object>(
  attrs: A,
  inputs: (rows: number, cols: number) => readonly (SampleInput | Shape)[] = (rows, cols) => [[rows, cols]],
  bert: Workload<A>['bert'] = (sizes) => [hiddenStates(sizes)],
): Workload<A> => ({
  axes: ['rows', 'columns'],
  at: ([rows, cols]) => ({ inputs: inputs(rows, cols), attrs }),
  bert,
});

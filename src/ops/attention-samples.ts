import type { AttentionAttrs } from './attention.js';
import type { BadSample, Sample } from './op.js';

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

export const attentionSamples: readonly Sample<AttentionAttrs>[] = [
  sample('one row', { lengths: [1], heads: 1, headDim: 1 }),
  sample('one sequence', { lengths: [5] }),
  sample('sequences of length 1', { lengths: [1, 1, 1] }),
  sample('uneven sequences', { lengths: [3, 1, 5] }),
  sample('one head', { lengths: [4, 4], heads: 1 }),
  sample('width 1 a head', { lengths: [3, 2], heads: 3, headDim: 1 }),
  sample('odd width', { lengths: [6], heads: 2, headDim: 7 }),
  sample('15, 16, 17 rows', { lengths: [15, 16, 17], heads: 1, headDim: 3 }),
  sample('63 and 65 rows', { lengths: [63, 65], heads: 1, headDim: 2 }),
  sample('no rows', { lengths: [] }),
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

export const attentionBadSamples: readonly BadSample<AttentionAttrs>[] = [
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
]; // biome-ignore format: a sample a line

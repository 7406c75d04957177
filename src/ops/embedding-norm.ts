import type { Backend, EmbeddingNormCall } from '../backend/backend.js';
import { ShapeError } from '../core/errors.js';
import type { Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import { checkRate, type DropoutAttrs, dropout } from './dropout.js';
import { add } from './elementwise.js';
import { gather, tableGradient } from './embedding.js';
import { layerNorm, normGradients } from './layer-norm.js';
import type { Arg, GradOp, Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';

export interface EmbeddingNormAttrs {
  /** Added to the variance: 1e-12 in BERT. */
  readonly eps: number;
  /** Of the result; null: none. */
  readonly dropout: DropoutAttrs | null;
}

function callOf(inputs: readonly Arg[], attrs: EmbeddingNormAttrs): EmbeddingNormCall {
  const [words, positions, types, gamma, beta, wordIds, positionIds, typeIds] = inputs.map(({ buf }) => buf);
  const active = attrs.dropout !== null && attrs.dropout.rate > 0 ? attrs.dropout : null;
  return {
    tables: [words, positions, types],
    ids: [wordIds, positionIds, typeIds],
    gamma,
    beta,
    rows: wordIds.length,
    cols: gamma.length,
    eps: attrs.eps,
    dropout: active && { ...active, rows: null },
  };
}

const embeddingNormGrad: GradOp<EmbeddingNormAttrs> = {
  name: 'embeddingNormGrad',
  shapes: ([, , dY, , , , gamma]) => [dY, gamma, gamma],
  forward: ({ kernels }: Backend, [mean, rstd, dY, ...inputs], [dSum, dGamma, dBeta], attrs) =>
    kernels.embeddingNormGrad(callOf(inputs, attrs), mean.buf, rstd.buf, dY.buf, dSum.buf, dGamma.buf, dBeta.buf),
};

const KEY = { seed: 31, stream: 4, step: 1, row: 6 };

function sample(name: string, rows: number, cols: number, rate?: number, eps = 1e-2): Sample<EmbeddingNormAttrs> {
  const ids = (of: number) => ({ shape: [rows], ids: of });
  const attrs = { eps, dropout: rate === undefined ? null : { rate, key: KEY } };
  return { name, inputs: [[9, cols], [5, cols], [2, cols], [cols], [cols], ids(9), ids(5), ids(2)], attrs };
}

/** The sample `one row` with one input in place of another. */
const spoilt = (name: string, at: number, input: Shape | { shape: Shape; ids: number }) => {
  const good = sample(name, 3, 4);
  return { ...good, inputs: good.inputs.toSpliced(at, 1, input) };
};

export const embeddingNorm: Op<EmbeddingNormAttrs> = {
  name: 'embeddingNorm',
  doc: {
    formula: 'y_r = dropout(LayerNorm(words[word_r] + types[type_r] + positions[position_r]) gamma + beta)',
    gradient:
      'dSum = the gradient of LayerNorm at the sum, from dropout(dOut) with the same random numbers; each table gets dSum_r added to the row it gave',
    why: {
      en: 'three look-ups, two sums, LayerNorm and dropout in one visit to each row: none of the five tensors between them is stored',
      zh: '三次查表、两次相加、层归一化和随机失活合在一次访问里：中间的五个张量都不存储',
    },
    source: 'Devlin et al. 2019, arXiv:1810.04805, fig. 2; google-research/bert modeling.py:428-521',
  },
  inputTypes: ['float', 'float', 'float', 'float', 'float', 'i32', 'i32', 'i32'],
  shape: (inputs, { dropout: drop }) => {
    takes('embeddingNorm', inputs, 8);
    const [words, positions, types, gamma, beta, ids, positionIds, typeIds] = inputs;
    if (words.length !== 2 || ids.length !== 1) {
      throw new ShapeError('embeddingNorm', 'needs tables [entries, width] and ids [rows]', [words, ids]);
    }
    const [width] = words.slice(-1);
    for (const [table, index] of [
      [words, ids],
      [positions, positionIds],
      [types, typeIds],
    ]) {
      mustBe('embeddingNorm', 'a table', table, [table[0], width]);
      mustBe('embeddingNorm', 'ids', index, ids);
      if (ids[0] > 0 && table[0] === 0) throw new ShapeError('embeddingNorm', 'an empty table gives no rows', [table]);
    }
    mustBe('embeddingNorm', 'gamma', gamma, [width]);
    mustBe('embeddingNorm', 'beta', beta, [width]);
    if (drop !== null) checkRate('embeddingNorm', drop.rate);
    return [ids[0], width];
  },
  aux: ([, , , , , ids]) => [ids, ids], // mean and rstd of each row
  cost: ([, , , gamma, , ids]) => {
    const rows = [ids[0], gamma[0]];
    return { flops: 11 * ids[0] * gamma[0], bytes: bytesOf(rows, rows, rows, rows, gamma, gamma, ids, ids, ids) };
  },
  forward: ({ kernels }, inputs, y, attrs, [mean, rstd]) =>
    kernels.embeddingNorm(callOf(inputs, attrs), y.buf, mean.buf, rstd.buf),
  backward: (ctx) => {
    const {
      inputs,
      aux: [mean, rstd],
      dOut,
      attrs,
    } = ctx;
    const [dSum, ...norm] = normGradients(ctx, [3, 4], embeddingNormGrad, [mean, rstd, dOut, ...inputs], attrs);
    const tables = [0, 1, 2].map((i) => tableGradient(ctx, i, inputs[5 + i], dSum as Arg));
    return [...tables, ...norm, null, null, null];
  },
  compose: ({ inputs, attrs: { eps, dropout: drop }, run }) => {
    const [words, positions, types, gamma, beta, ids, positionIds, typeIds] = inputs;
    const pair = run(add, [run(gather, [words, ids], {}), run(gather, [types, typeIds], {})], {});
    const sum = run(add, [pair, run(gather, [positions, positionIds], {})], {}); // [rows, width]
    const norm = run(layerNorm, [sum, gamma, beta], { eps });
    return drop === null ? norm : run(dropout, [norm], drop);
  },
  get samples() {
    return [
      sample('one row', 1, 5),
      sample('one element', 1, 1, undefined, 1),
      sample('two columns', 3, 2),
      sample('seven', 7, 7, 0.1),
      sample('15', 3, 15, 0.3),
      sample('16, a vector', 3, 16, 0.3),
      sample('17, a vector and one', 3, 17, 0.3),
      sample('63', 4, 63),
      sample('65, a block and one', 4, 65, 0.5),
      sample('no rows', 0, 3, 0.2),
      sample('one long row', 1, 1000, 0.1),
      sample('many rows', 200, 4, 0.1),
      sample('rate 0', 3, 9, 0),
      sample('bert', 10, 32, 0.1, 1e-12),
    ];
  },
  workload: {
    axes: ['rows', 'entries', 'width'],
    at: ([rows, entries, width]) => ({
      inputs: [
        ...[entries, 512, 2].map((n) => [n, width]),
        ...[[width], [width]],
        ...[entries, 512, 2].map((ids) => ({ shape: [rows], ids })),
      ],
      attrs: { eps: 1e-12, dropout: { rate: 0.1, key: KEY } },
    }),
    bert: ({ tokens, hidden, vocab }) => [['embeddings', [tokens, vocab, hidden]]],
  },
  get badSamples() {
    return [
      spoilt('a table of another width', 1, [5, 3]),
      spoilt('a vector as table', 0, [4]),
      spoilt('another gamma', 3, [3]),
      spoilt('one id too few', 6, { shape: [2], ids: 5 }),
      spoilt('ids that are floats', 5, [3]),
      spoilt('an empty table', 2, [0, 4]),
      sample('everything dropped', 3, 4, 1),
    ];
  },
};

import type { Backend, ResidualNormCall } from '../backend/backend.js';
import { ShapeError } from '../core/errors.js';
import { numel, rowsOf, type Shape } from '../core/shape.js';
import { mustBe } from './check.js';
import { concat } from './concat.js';
import { checkRate, type DropoutAttrs, dropout } from './dropout.js';
import { add } from './elementwise.js';
import { layerNorm, normGradients } from './layer-norm.js';
import type { Arg, ComposeCtx, GradOp, Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';
import { rowsWorkload } from './samples.js';
import { slice } from './slice.js';

export interface ResidualNormAttrs {
  /** Added to the variance: 1e-12 in BERT. */
  readonly eps: number;
  /** Of x, before the sum; null: none. */
  readonly dropout: DropoutAttrs | null;
}

function callOf([x, residual, gamma, beta, places]: readonly Arg[], attrs: ResidualNormAttrs): ResidualNormCall {
  const [rows, cols] = rowsOf(x.shape);
  const bufs = { x: x.buf, residual: residual.buf, gamma: gamma.buf, beta: beta.buf };
  const active = attrs.dropout !== null && attrs.dropout.rate > 0 ? attrs.dropout : null;
  const drop = active && { ...active, rows: places?.buf ?? null };
  return { ...bufs, rows, cols, eps: attrs.eps, dropout: drop };
}

const residualNormGrad: GradOp<ResidualNormAttrs> = {
  name: 'residualNormGrad',
  shapes: ([, , , x, , gamma]) => [x, x, gamma, gamma],
  forward: ({ kernels }: Backend, [mean, rstd, dY, ...inputs], [dX, dResidual, dGamma, dBeta], attrs) =>
    kernels.residualNormGrad(
      callOf(inputs, attrs),
      mean.buf,
      rstd.buf,
      dY.buf,
      dX.buf,
      dResidual.buf,
      dGamma.buf,
      dBeta.buf,
    ),
};

/** x through dropout. Rows of a larger tensor are dropped one by one, each with its own row of numbers. */
function dropped({ inputs: [x], attrs, ids, run }: ComposeCtx<ResidualNormAttrs>, listed: boolean): Arg {
  if (attrs.dropout === null) return x;
  const { rate, key } = attrs.dropout;
  const [rows] = rowsOf(x.shape);
  if (!listed || rows === 0) return run(dropout, [x], { rate, key });
  const one = (row: number): Arg => {
    const part = run(slice, [x], { axis: 0, start: row, end: row + 1 });
    return run(dropout, [part], { rate, key: { ...key, row: key.row + ids(4)[row] } });
  };
  return run(
    concat,
    Array.from({ length: rows }, (_, row) => one(row)),
    { axis: 0 },
  );
}

const KEY = { seed: 77, stream: 2, step: 5, row: 9 };

interface Case {
  readonly rate?: number;
  readonly eps?: number;
  readonly range?: readonly [number, number];
  /** Rows of the larger tensor. */
  readonly rows?: readonly number[];
}

function sample(name: string, x: Shape, { rate, eps = 1e-12, range, rows }: Case = {}): Sample<ResidualNormAttrs> {
  const tensor = range === undefined ? x : { shape: x, range };
  const places = rows === undefined ? [] : [{ shape: [rows.length], ids: 0, values: rows }];
  const attrs = { eps, dropout: rate === undefined ? null : { rate, key: KEY } };
  return { name, inputs: [tensor, tensor, x.slice(-1), x.slice(-1), ...places], attrs };
}

export const residualNorm: Op<ResidualNormAttrs> = {
  name: 'residualNorm',
  doc: {
    formula: 'y = LayerNorm(dropout(x) + residual) gamma + beta, per row of the last axis',
    gradient:
      'dResidual = the gradient of LayerNorm at the sum; dX = dropout(dResidual) with the same random numbers; dGamma, dBeta as of LayerNorm',
    why: {
      en: 'what closes each half of a layer of BERT, in one visit to each row: the dropped and the summed tensor are never stored, and the way back draws the same random numbers again',
      zh: 'BERT 每个子层末尾的三步合一：每行只访问一次，随机失活和残差求和的中间结果都不存储；反向传播时重新生成同一批随机数',
    },
    source: 'google-research/bert modeling.py:845-848, 875-878; He et al. 2016, arXiv:1512.03385, eq. 1',
  },
  inputTypes: ['float', 'float', 'float', 'float', 'i32'],
  shape: (inputs, { dropout: drop }) => {
    const [x, residual, gamma, beta, places] = inputs;
    if (inputs.length !== 4 && inputs.length !== 5) {
      throw new ShapeError('residualNorm', 'takes 4 inputs, or 5 with the rows of the random numbers', inputs);
    }
    if (x.length === 0) throw new ShapeError('residualNorm', 'needs at least one axis', inputs);
    mustBe('residualNorm', 'the residual', residual, x);
    mustBe('residualNorm', 'gamma', gamma, x.slice(-1));
    mustBe('residualNorm', 'beta', beta, x.slice(-1));
    if (places !== undefined) mustBe('residualNorm', 'the rows', places, [rowsOf(x)[0]]);
    if (drop !== null) checkRate('residualNorm', drop.rate);
    return x;
  },
  aux: ([x]) => [x.slice(0, -1), x.slice(0, -1)], // mean and rstd of each row
  cost: ([x, , gamma, beta]) => ({ flops: 10 * numel(x), bytes: bytesOf(x, x, x, gamma, beta) }),
  forward: ({ kernels }, inputs, y, attrs, [mean, rstd]) =>
    kernels.residualNorm(callOf(inputs, attrs), y.buf, mean.buf, rstd.buf),
  backward: (ctx) => {
    const { inputs, aux, dOut, attrs } = ctx;
    return [...normGradients(ctx, [2, 3], residualNormGrad, [...aux, dOut, ...inputs], attrs), null];
  },
  compose: (ctx) => {
    const { inputs, attrs, run } = ctx;
    const [, residual, gamma, beta] = inputs;
    const sum = run(add, [dropped(ctx, inputs.length === 5), residual], {});
    return run(layerNorm, [sum, gamma, beta], { eps: attrs.eps });
  },
  get samples(): readonly Sample<ResidualNormAttrs>[] {
    return [
      sample('one row', [5]),
      sample('two columns', [3, 2], { eps: 1e-2 }),
      sample('seven', [7, 7], { rate: 0.1 }),
      sample('15', [3, 15], { rate: 0.3 }),
      sample('16, a vector', [3, 16], { rate: 0.3 }),
      sample('17, a vector and one', [3, 17], { rate: 0.3 }),
      sample('63', [2, 63]),
      sample('65, a block and one', [2, 65], { rate: 0.5 }),
      sample('rank 4', [2, 3, 5, 7], { rate: 0.2 }),
      sample('no rows', [0, 3], { rate: 0.2 }),
      sample('one long row', [1, 1000], { rate: 0.1 }),
      sample('many rows', [200, 4], { rate: 0.1, eps: 1e-2 }),
      sample('rows of a larger tensor', [4, 20], { rate: 0.4, rows: [0, 3, 4, 1000] }),
      sample('rows of a larger tensor, nothing dropped', [2, 9], { rows: [5, 1] }),
      sample('rate 0', [3, 9], { rate: 0 }),
      sample('far from 0', [3, 9], { range: [99, 101] }),
      sample('bert', [2, 5, 32], { rate: 0.1 }),
      { ...sample('extreme values', [4, 9], { range: [-1e15, 1e15] }), smooth: false },
    ];
  },
  workload: rowsWorkload({ eps: 1e-12, dropout: { rate: 0.1, key: KEY } }, (rows, cols) => [
    [rows, cols],
    [rows, cols],
    [cols],
    [cols],
  ]),
  get badSamples() {
    return [
      { ...sample('another residual', [2, 3]), inputs: [[2, 3], [3, 2], [3], [3]] },
      { ...sample('another gamma', [2, 3]), inputs: [[2, 3], [2, 3], [2], [3]] },
      { ...sample('no beta', [2, 3]), inputs: [[2, 3], [2, 3], [3]] },
      { ...sample('a scalar', [2, 3]), inputs: [[], [], [], []] },
      sample('one place too few', [2, 3], { rate: 0.1, rows: [4] }),
      sample('everything dropped', [2, 3], { rate: 1 }),
    ];
  },
};

import { ShapeError } from '../core/errors.js';
import { numel, rowsOf, type Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import { add, addScalar, mul, rsqrt, square, sub } from './elementwise.js';
import type { Arg, BackwardCtx, GradOp, Op, Sample } from './op.js';
import { alongLast, mean } from './reduce.js';
import { bytesOf } from './reduction.js';
import { rowsWorkload } from './samples.js';

export interface LayerNormAttrs {
  /** Added to the variance: 1e-12 in BERT. */
  readonly eps: number;
}

const layerNormGrad: GradOp = {
  name: 'layerNormGrad',
  shapes: ([x, gamma]) => [x, gamma, gamma],
  forward: ({ kernels }, [x, gamma, means, rstds, dY], [dX, dGamma, dBeta]) =>
    kernels.layerNormGrad(
      x.buf,
      gamma.buf,
      means.buf,
      rstds.buf,
      dY.buf,
      dX.buf,
      dGamma.buf,
      dBeta.buf,
      ...rowsOf(x.shape),
    ),
};

/**
 * Runs the gradient of a norm, whose last two outputs are dGamma and dBeta: they are written where these gradients are
 * gathered if nothing is there yet (null stands for them then), or handed back.
 * @param places which inputs gamma and beta are
 */
export function normGradients<A, B extends object>(
  ctx: BackwardCtx<A>,
  places: readonly [gamma: number, beta: number],
  op: GradOp<B>,
  inputs: readonly Arg[],
  attrs: B,
): (Arg | null)[] {
  const written = places.map((i) => {
    const target = ctx.needs(i) ? ctx.into(i) : null;
    return target === null || target.add ? null : target.arg;
  });
  const before =
    op.shapes(
      inputs.map(({ shape }) => shape),
      attrs,
    ).length - 2;
  const given = [...new Array<null>(before).fill(null), ...written];
  return ctx.runGrad(op, inputs, attrs, given).map((made, i) => (given[i] === null ? made : null));
}

const sample = (
  name: string,
  x: Shape,
  more: { range?: [number, number]; eps?: number } = {},
): Sample<LayerNormAttrs> => ({
  name,
  inputs: [more.range === undefined ? x : { shape: x, range: more.range }, x.slice(-1), x.slice(-1)],
  attrs: { eps: more.eps ?? 1e-12 },
});

export const layerNorm: Op<LayerNormAttrs> = {
  name: 'layerNorm',
  doc: {
    formula: 'y = (x - mean) rstd gamma + beta,  rstd = 1 / sqrt(variance + eps), per row of the last axis',
    gradient:
      'with h = (x - mean) rstd and g = dOut gamma: dX = rstd (g - mean(g) - h mean(g h)), dGamma = sum dOut h, dBeta = sum dOut',
    why: {
      en: 'each row gets mean 0 and variance 1 before it is scaled, so layers stay in range at any depth; dX has the parts along 1 and along h taken out, which no change of x can reach',
      zh: '先把每行变成均值 0、方差 1 再缩放，网络再深数值也不失控；dX 去掉了沿 1 和沿 h 的分量，因为 x 沿这两个方向变化时 y 不变',
    },
    source:
      'Ba, Kiros and Hinton 2016, arXiv:1607.06450, eq. 4; biased variance as in google-research/bert modeling.py:363',
  },
  shape: (inputs) => {
    takes('layerNorm', inputs, 3);
    const [x, gamma, beta] = inputs;
    if (x.length === 0) throw new ShapeError('layerNorm', 'needs at least one axis', inputs);
    mustBe('layerNorm', 'gamma', gamma, x.slice(-1));
    mustBe('layerNorm', 'beta', beta, x.slice(-1));
    return x;
  },
  aux: ([x]) => [x.slice(0, -1), x.slice(0, -1)], // mean and rstd of each row
  cost: ([x, gamma, beta]) => ({ flops: 8 * numel(x), bytes: bytesOf(x, x, gamma, beta) }),
  forward: ({ kernels }, [x, gamma, beta], y, { eps }, [means, rstds]) =>
    kernels.layerNorm(x.buf, gamma.buf, beta.buf, y.buf, means.buf, rstds.buf, ...rowsOf(x.shape), eps),
  backward: (ctx) => {
    const {
      inputs: [x, gamma],
      aux: [means, rstds],
    } = ctx;
    return normGradients(ctx, [1, 2], layerNormGrad, [x, gamma, means, rstds, ctx.dOut], {});
  },
  compose: ({ inputs: [x, gamma, beta], attrs: { eps }, run }) => {
    const last = alongLast(x.shape);
    const centred = run(sub, [x, run(mean, [x], last)], {});
    const variance = run(mean, [run(square, [centred], { c: 0 })], last);
    const rstd = run(rsqrt, [run(addScalar, [variance], { c: eps })], { c: 0 });
    return run(add, [run(mul, [run(mul, [centred, rstd], {}), gamma], {}), beta], {});
  },
  get samples(): readonly Sample<LayerNormAttrs>[] {
    return [
      sample('one row', [5]),
      sample('two columns', [3, 2], { eps: 1e-2 }),
      sample('seven', [7, 7]),
      sample('15', [3, 15]),
      sample('16, a vector', [3, 16]),
      sample('17, a vector and one', [3, 17]),
      sample('63', [2, 63]),
      sample('65', [2, 65]),
      sample('rank 4', [2, 3, 5, 7]),
      sample('no rows', [0, 3]),
      sample('one long row', [1, 1000]),
      sample('many rows', [200, 4]),
      sample('far from 0', [3, 9], { range: [99, 101] }),
      sample('large eps', [3, 8], { eps: 1 }),
      sample('bert', [2, 5, 32]),
      { ...sample('one column: no variance', [4, 1], { eps: 1 }) },
      { ...sample('extreme values', [4, 9], { range: [-1e15, 1e15] }), smooth: false },
    ];
  },
  workload: rowsWorkload({ eps: 1e-12 }, (rows, cols) => [[rows, cols], [cols], [cols]]),
  get badSamples() {
    return [
      { name: 'another gamma', inputs: [[2, 3], [2], [3]], attrs: { eps: 1e-12 } },
      { name: 'another beta', inputs: [[2, 3], [3], [1]], attrs: { eps: 1e-12 } },
      { name: 'a scalar', inputs: [[], [], []], attrs: { eps: 1e-12 } },
      { name: 'no beta', inputs: [[2, 3], [3]], attrs: { eps: 1e-12 } },
      { name: 'integers', inputs: [{ shape: [2, 3], ids: 5 }, [3], [3]], attrs: { eps: 1e-12 } },
    ];
  },
};

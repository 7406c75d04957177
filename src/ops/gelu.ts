import { erfc } from '../core/special.js';
import { add, addScalar, erf, mul, mulScalar, powScalar, tanh } from './elementwise.js';
import type { Arg, ComposeCtx } from './op.js';
import { innerStates } from './samples.js';
import type { UnaryAttrs } from './unary-op.js';
import { unaryOp } from './unary-op.js';

/** Distribution function of the standard normal; by erfc, which keeps its digits far below 0. */
const normalCdf = (x: number): number => erfc(-x / Math.SQRT2) / 2;
const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** x (1 + f) / 2, both forms of GELU. */
function halfOf({ inputs: [x], run }: ComposeCtx<UnaryAttrs>, f: Arg): Arg {
  return run(mulScalar, [run(mul, [x, run(addScalar, [f], { c: 1 })], {})], { c: 0.5 });
}

export const gelu = unaryOp({
  name: 'gelu',
  doc: {
    formula: 'y = x P(x),  P(x) = (1 + erf(x / sqrt 2)) / 2',
    gradient: 'dX = dOut (P(x) + x p(x)),  p(x) = e^(-x^2 / 2) / sqrt(2 pi)',
    why: {
      en: 'weights x by the chance that a standard normal number is below it: a ReLU without the kink, smooth at 0',
      zh: '用“标准正态变量小于 x 的概率”给 x 加权：相当于没有折角、处处光滑的 ReLU',
    },
    source: 'Hendrycks and Gimpel 2016, arXiv:1606.08415, sec. 2',
  },
  js: (x) => x * normalCdf(x),
  dJs: (x) => normalCdf(x) + x * normalDensity(x),
  compose: (ctx) => halfOf(ctx, ctx.run(erf, [ctx.run(mulScalar, ctx.inputs, { c: Math.SQRT1_2 })], { c: 0 })),
  samples: { extreme: [-40, 40] },
  bert: innerStates,
});

const SCALE = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** sqrt(2 / pi) (x + 0.044715 x^3). */
const inner = (x: number): number => SCALE * (x + CUBIC * x * x * x);

export const geluTanh = unaryOp({
  name: 'geluTanh',
  doc: {
    formula: 'y = x (1 + tanh u) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3)',
    gradient: "dX = dOut ((1 + tanh u) / 2 + x (1 - tanh(u)^2) u' / 2),  u' = sqrt(2 / pi) (1 + 0.134145 x^2)",
    why: {
      en: "the form of google-research/bert; it differs from the exact one by up to 5e-4, so Google's checkpoints want this one",
      zh: 'google-research/bert 采用的形式，与精确值最多相差 5e-4；加载谷歌发布的检查点时应当用它',
    },
    source: 'google-research/bert modeling.py:264-277',
  },
  js: (x) => x * (0.5 * (1 + Math.tanh(inner(x)))),
  dJs: (x) => {
    const t = Math.tanh(inner(x));
    return 0.5 * (1 + t + x * (1 - t * t) * SCALE * (1 + 3 * CUBIC * x * x));
  },
  compose: (ctx) => {
    const { inputs, run } = ctx;
    const cube = run(mulScalar, [run(powScalar, inputs, { c: 3 })], { c: CUBIC });
    return halfOf(ctx, run(tanh, [run(mulScalar, [run(add, [inputs[0], cube], {})], { c: SCALE })], { c: 0 }));
  },
  samples: { extreme: [-40, 40] },
  bert: innerStates,
});

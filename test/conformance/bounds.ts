/**
 * How far a float32 backend may be from the double-precision one on the same inputs. Nothing here is fitted: each bound
 * follows from u = 2^-24, the largest relative error of one rounding, by Higham 2002 (Accuracy and Stability of
 * Numerical Algorithms), lemma 3.1: n roundings, one after the other or in a sum of n terms taken in any order, are off
 * by at most gamma_n = n u / (1 - n u), relative to the sum of the magnitudes of the terms.
 *
 * Magnitudes come from double precision itself. For an op that is linear in each input, the sum of the magnitudes of
 * all terms is the op run on |inputs|, and its gradients with |weights|. Functions of one element have the error that
 * native/math.inl states. Ops along rows have bounds of their own, in bounds-rows.ts, bounds-norm.ts and bounds-attention.ts.
 */
import { createJsBackend } from '../../src/backend/js/index.js';
import { numel } from '../../src/core/shape.js';
import { attentionBound } from './bounds-attention.js';
import { embeddingNormBound, layerNormBound, residualNormBound } from './bounds-norm.js';
import { crossEntropyBound, linearCrossEntropyBound, logSoftmaxBound, softmaxBound } from './bounds-rows.js';
import { wgslBound } from './bounds-wgsl.js';
import { type Case, evaluate, type Outcome } from './evaluate.js';
import { gamma, TINY, U } from './rounding.js';

/** The largest allowed |difference| of each element of the value and of each gradient. */
export interface Bound {
  readonly out: ArrayLike<number>;
  readonly grads: readonly (ArrayLike<number> | null)[];
}

export type BoundOf = (c: Case, exact: Outcome) => Bound | Promise<Bound>;

const oracle = createJsBackend('f64');
const positive = (values: Float64Array): Float64Array => values.map(Math.abs);

/** The outcome with all weights positive, and all inputs, too, when `inputs` is true: sums of magnitudes. */
export function magnitudes(c: Case, inputs: boolean): Promise<Outcome> {
  const absolute = (data: Case['data'][number]): Case['data'][number] =>
    data.data instanceof Float64Array ? { ...data, data: positive(data.data) } : data;
  return evaluate({ ...c, data: inputs ? c.data.map(absolute) : c.data, weights: positive(c.weights) }, oracle);
}

const scaled = (factor: number, values: ArrayLike<number> | null): Float64Array | null =>
  values === null ? null : Float64Array.from(values, (x) => factor * Math.abs(x) + TINY);

/** Roundings on the way to one result, of the longest sum: from the op's own count of flops. */
function innerLength({ op, data, attrs, shape }: Case): number {
  const shapes = data.map((input) => input.shape);
  return Math.ceil(op.cost(shapes, attrs).flops / Math.max(1, numel(shape))) + 8;
}

/** Elements only move, or one of several is chosen: the value is exact, a gradient is a sum of at most all weights. */
const moves: BoundOf = async (c, exact) => {
  const { grads } = await magnitudes(c, false);
  const sums = gamma(numel(c.shape) + 8);
  return { out: new Float64Array(exact.out.length), grads: grads.map((g) => scaled(sums, g)) };
};

/** The same, and a factor with it: 1 / (1 - rate). */
const movesScaled: BoundOf = async (c, exact) => ({
  ...(await moves(c, exact)),
  out: scaled(gamma(4), exact.out) as Float64Array,
});

/** Linear in each input. */
const linearInEach: BoundOf = async (c) => {
  const sums = await magnitudes(c, true);
  const n = innerLength(c);
  return {
    out: scaled(gamma(n), sums.out) as Float64Array,
    grads: sums.grads.map((g) => scaled(gamma(n + numel(c.shape)), g)),
  };
};

/** One correctly rounded operation; a gradient is a sum over the axes that broadcasting repeated. */
const oneOperation: BoundOf = async (c, exact) => ({
  ...(await linearInEach(c, exact)),
  out: scaled(gamma(2), exact.out) as Float64Array,
});

/** Absolute errors of a function besides 4 units of the last place, and of its slope besides 8. */
interface Floor {
  readonly value: number;
  readonly slope: number;
}

/**
 * Slopes such as 1 - y^2 subtract from 1, so their error is absolute: 16 u. The slope of geluTanh multiplies 1 - s,
 * which is off by 2 u, with x (1.6 + 0.22 x^2), which is at most 64 before s rounds to 1.
 */
const FLOORS: Readonly<Record<string, Floor>> = {
  tanh: { value: 0, slope: 16 * U },
  sigmoid: { value: 0, slope: 16 * U },
  erf: { value: 0, slope: 16 * U },
  gelu: { value: 2e-7, slope: 16 * U },
  geluTanh: { value: 2e-7, slope: 128 * U },
};

const oneElement: BoundOf = (c, exact) => {
  const { value, slope } = FLOORS[c.op.name] ?? { value: 0, slope: 0 };
  return {
    out: Float64Array.from(exact.out, (y) => 8 * U * Math.abs(y) + value + TINY),
    grads: exact.grads.map(
      (g) => g && Float64Array.from(g, (d, i) => 16 * U * Math.abs(d) + slope * Math.abs(c.weights[i]) + TINY),
    ),
  };
};

/** For an op that has no bound of its own here: normwise, relative to the largest element of each tensor. */
const normwise: BoundOf = (c, exact) => {
  const n = gamma(innerLength(c) + numel(c.shape));
  const largest = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const all = (values: ArrayLike<number>): Float64Array => new Float64Array(values.length).fill(n * largest(values));
  return { out: all(exact.out), grads: exact.grads.map((g) => g && all(g)) };
};

const BOUNDS: Readonly<Record<string, BoundOf>> = {
  ...Object.fromEntries(['add', 'sub', 'mul', 'div'].map((name) => [name, oneOperation])),
  ...Object.fromEntries(['sum', 'mean', 'matmul', 'linear'].map((name) => [name, linearInEach])),
  ...Object.fromEntries(
    [
      ['equal', 'greater', 'less', 'maximum', 'minimum', 'max', 'min', 'argmax', 'gather', 'where'],
      ['reshape', 'permute', 'slice', 'concat', 'expand'],
    ]
      .flat()
      .map((name) => [name, moves]),
  ),
  dropout: movesScaled,
  softmax: softmaxBound,
  logSoftmax: logSoftmaxBound,
  layerNorm: layerNormBound,
  crossEntropy: crossEntropyBound,
  linearCrossEntropy: linearCrossEntropyBound,
  residualNorm: residualNormBound,
  embeddingNorm: embeddingNormBound,
  attention: attentionBound,
};

const ieeeBound = (c: Case, exact: Outcome): Bound | Promise<Bound> =>
  (BOUNDS[c.op.name] ?? ('fn' in c.op ? oneElement : normwise))(c, exact);

/** Whose arithmetic: that of IEEE 754 with the functions of native/math.inl, or what WGSL allows a device. */
export type Arithmetic = 'ieee' | 'wgsl';

export async function boundOf(c: Case, exact: Outcome, arithmetic: Arithmetic): Promise<Bound> {
  const bound = await ieeeBound(c, exact);
  return arithmetic === 'ieee' ? bound : wgslBound(c, exact, bound);
}

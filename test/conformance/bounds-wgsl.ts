// What the WGSL specification (sec. 15.7.4, accuracy of built-in functions) allows beyond the bounds of bounds.ts.
import type { UnaryAttrs } from '../../src/ops/unary-op.js';
import type { Bound } from './bounds.js';
import type { Case, Outcome } from './evaluate.js';
import { U } from './rounding.js';

/**
 * A division may be off by 2.5 units of the last place where IEEE has half of one, sqrt and 1 / sqrt by 2, exp by
 * 3 + 2|x| where native/math.inl has 1.1 and the rounding of x: at most (6 + 4|x|) u against (2 + |x|) u, and sums of
 * products may or may not be fused. 8 covers each of these ratios; what is exact stays so.
 */
const LOOSER = 8;

/** Relative errors of functions whose own error grows with the argument, units of 2 u being those of the last place. */
const RELATIVE: Readonly<Record<string, (x: number, c: number) => number>> = {
  exp: (x) => (3 + 2 * Math.abs(x)) * 2 * U,
  sigmoid: (x) => (3 + 2 * Math.abs(x)) * 2 * U,
  // exp2(c log2 x): exp2 as exp, and the error of its argument, 3 units or 2^-21 times c, comes in times ln 2.
  powScalar: (x, c) => {
    const exponent = (Math.abs(c) + 1) * Math.abs(Math.log2(x));
    return (4 + 6 * exponent) * 2 * U + (Math.abs(c) + 1) * 2 ** -21;
  },
};

/** log is within 2^-21 where its result is near 0, and relative beyond. */
const ABSOLUTE: Readonly<Record<string, number>> = { log: 2 ** -21 };

/** x / x has two gradients that cancel, w / x and -w / x: what is left is the error of their divisions. */
function cancelled({ op, data, weights }: Case): number {
  if (op.name !== 'div' || data[1].same === undefined) return 0;
  const least = Array.from(data[0].data).reduce((a, x) => Math.min(a, Math.abs(x)), Number.POSITIVE_INFINITY);
  return (16 * U * weights.reduce((a, w) => Math.max(a, Math.abs(w)), 0)) / least;
}

export function wgslBound(c: Case, exact: Outcome, { out, grads }: Bound): Bound {
  const { op, attrs, data } = c;
  const relative = RELATIVE[op.name] ?? (() => 0);
  const constant = (attrs as UnaryAttrs).c;
  const x = data[0].data;
  const widened = (bound: ArrayLike<number>, values: ArrayLike<number>, absolute: number): Float64Array =>
    Float64Array.from(bound, (b, i) => LOOSER * b + relative(x[i], constant) * Math.abs(values[i]) + absolute);
  return {
    out: widened(out, exact.out, ABSOLUTE[op.name] ?? 0),
    grads: grads.map((bound, i) => {
      const values = exact.grads[i];
      return bound === null || values === null ? null : widened(bound, values, cancelled(c));
    }),
  };
}

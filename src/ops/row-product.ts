// Products of matrices of rows: linear layers and their gradients, with what the kernel does on the way.
import type { Backend, Buf, MatmulCall, Precision } from '../backend/backend.js';
import { numel, type Shape } from '../core/shape.js';
import { gradientPrecision } from './factor.js';
import type { Arg, BackwardCtx, GradOp, Target } from './op.js';
import { type MatmulAttrs, matrixOf } from './product.js';
import { seenAs, sumTo } from './reduction.js';

/** All leading axes as one: [rows, cols]. */
export const asRows = (arg: Arg): Arg => seenAs(arg, [numel(arg.shape.slice(0, -1)), arg.shape.at(-1) as number]);

/** What one product does besides. */
type Extras = Partial<Pick<MatmulCall, 'b' | 'bias' | 'epilogue' | 'sums' | 'precision' | 'packed'>>;

/** y = op(a) op(b) (+ bias), through the epilogue. */
function multiplyRows(backend: Backend, a: Arg, b: Arg, y: Buf, attrs: MatmulAttrs & Extras): void {
  const [m, k] = matrixOf(a.shape, attrs.transposeA);
  const n = matrixOf(b.shape, attrs.transposeB)[1];
  if (y.length === 0) return;
  backend.kernels.matmul({ ...attrs, a: a.buf, b: attrs.b ?? b.buf, y, m, n, k, batch: 1, strideA: 0, strideB: 0 });
}

/** y = x W^T + bias: x [rows, in], W [out, in]. */
export function project(
  backend: Backend,
  [x, weight, bias]: readonly Arg[],
  y: Buf,
  epilogue?: MatmulCall['epilogue'],
): void {
  const attrs = { transposeA: false, transposeB: true, bias: bias.buf, ...(epilogue && { epilogue }) };
  multiplyRows(backend, x, weight, y, { ...attrs, ...weight.factor?.product(weight) });
}

interface InputAttrs {
  readonly shape: Shape;
  readonly epilogue: MatmulCall['epilogue'] | null;
}

const inputProduct: GradOp<InputAttrs> = {
  name: 'inputProduct',
  shapes: (_, { shape }) => [shape],
  forward: (backend, [dOut, weight], [dX], { epilogue }) =>
    multiplyRows(backend, dOut, weight, dX.buf, {
      ...{ transposeA: false, transposeB: false },
      ...(epilogue && { epilogue }),
      precision: gradientPrecision(weight),
    }),
};

const ADD = { kind: 'add' } as const;

/** dX = dOut W, left where the gradient of input i is gathered, or handed back. @param dOut [rows, out] */
export function inputGradient<A>(ctx: BackwardCtx<A>, i: number, dOut: Arg, weight: Arg): Arg | null {
  if (!ctx.needs(i)) return null;
  const target = ctx.into(i);
  const attrs = { shape: ctx.inputs[i].shape, epilogue: target?.add ? ADD : null };
  const [dX] = ctx.runGrad(inputProduct, [dOut, weight], attrs, [target?.arg ?? null]);
  return target === null ? dX : null;
}

/** dOut W in memory of its own, through the slope of the function in front of the product where one is given. */
export const timesWeight = <A>(
  { runGrad }: BackwardCtx<A>,
  dOut: Arg,
  weight: Arg,
  shape: Shape,
  epilogue: InputAttrs['epilogue'] = null,
): Arg => runGrad(inputProduct, [dOut, weight], { shape, epilogue })[0];

const weightProduct: GradOp<{ readonly add: boolean; readonly sums: boolean; readonly precision: Precision }> = {
  name: 'weightProduct',
  shapes: ([dOut, x], { sums }) => [[dOut[1], x[1]], ...(sums ? [[dOut[1]]] : [])],
  forward: (backend, [dOut, x], [dWeight, dBias], { add, precision }) =>
    multiplyRows(backend, dOut, x, dWeight.buf, {
      ...{ transposeA: true, transposeB: false },
      ...(add && { epilogue: ADD }),
      ...(dBias && { sums: dBias.buf }),
      precision,
    }),
};

/**
 * dW = dOut^T x and dB = the sums of dOut over all rows, which the same product takes on the way; each is left where
 * the gradient is gathered, or handed back.
 * @param weight, bias which inputs they are; null: there is no bias @param dOut [rows, out] @param x [rows, in]
 */
export function weightGradients<A>(
  ctx: BackwardCtx<A>,
  [weight, bias]: readonly [number, number | null],
  dOut: Arg,
  x: Arg,
): [dWeight: Arg | null, dBias: Arg | null] {
  const { into, runGrad } = ctx;
  const needs = (i: number | null): i is number => i !== null && ctx.needs(i);
  const own = needs(weight) ? into(weight) : null;
  const sums = needs(bias) ? into(bias) : null;
  const add = own?.add ?? false;
  // The product takes the sums along when it adds where they add, and when there is a product at all.
  const together = needs(weight) && needs(bias) && x.shape[1] > 0 && (sums?.add ?? false) === add;
  const dBias = needs(bias) && !together ? sumsAlone(ctx, dOut, sums) : null;
  if (!needs(weight)) return [null, dBias];
  const precision = gradientPrecision(ctx.inputs[weight]);
  const outs = [own?.arg ?? null, sums?.arg ?? null];
  const [made, madeSums] = runGrad(weightProduct, [dOut, x], { add, sums: together, precision }, outs);
  return [own === null ? made : null, together && sums === null ? madeSums : dBias];
}

function sumsAlone<A>({ runGrad }: BackwardCtx<A>, dOut: Arg, target: Target | null): Arg | null {
  const written = target !== null && !target.add;
  const [dBias] = runGrad(sumTo, [dOut], { shape: [dOut.shape[1]] }, [written ? target.arg : null]);
  return written ? null : dBias;
}

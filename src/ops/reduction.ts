import type { Backend, Buf } from '../backend/backend.js';
import { numel, type Shape, sameShape } from '../core/shape.js';
import type { Arg, BackwardCtx, GradOp } from './op.js';
import { copyAll, withScratch } from './scratch.js';

/** Neighbouring axes that are all reduced, or all kept. */
interface Group {
  size: number;
  readonly reduced: boolean;
}

const product = (groups: readonly Group[]): number => groups.reduce((n, group) => n * group.size, 1);

/**
 * Reduces `axes` of x into y. Neighbouring axes are one for the kernel; where kept axes lie between, the innermost
 * group goes first, through scratch memory.
 */
export function reduceAxes(backend: Backend, fn: 'sum' | 'max' | 'min', x: Arg, y: Buf, axes: readonly number[]): void {
  const groups: Group[] = [];
  x.shape.forEach((size, axis) => {
    const reduced = axes.includes(axis);
    const last = groups.at(-1);
    if (size === 1) return;
    if (last?.reduced === reduced) last.size *= size;
    else groups.push({ size, reduced });
  });
  const step = (from: Buf, left: readonly Group[]): void => {
    const at = left.findLastIndex((group) => group.reduced);
    const rest = left.toSpliced(at, 1);
    const outer = product(left.slice(0, at));
    const inner = product(left.slice(at + 1));
    const reduceInto = (to: Buf): void => backend.kernels.reduce(fn, from, to, outer, left[at].size, inner);
    if (rest.some((group) => group.reduced)) {
      withScratch(backend, outer * inner, x.dtype, (between) => {
        reduceInto(between);
        step(between, rest);
      });
    } else reduceInto(y);
  };
  if (groups.some((group) => group.reduced)) step(x.buf, groups);
  else copyAll(backend, x.buf, y, x.shape);
}

/** The shape with `axes` of size 1, or without them. */
export const reducedShape = (shape: Shape, axes: readonly number[], keepDims: boolean): Shape =>
  keepDims
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));

/** Sum over what broadcasting repeated: an element that was read n times gets n gradients. */
export const sumTo: GradOp<{ readonly shape: Shape }> = {
  name: 'sumTo',
  shapes: (_, { shape }) => [shape],
  forward: (backend, [x], [y]) => {
    const lead = x.shape.length - y.shape.length;
    const axes = x.shape.flatMap((size, axis) => (axis < lead || y.shape[axis - lead] !== size ? [axis] : []));
    reduceAxes(backend, 'sum', x, y.buf, axes);
  },
};

/** A gradient of a broadcast input, brought back to that input's shape. */
export const unbroadcast = <A>({ runGrad }: BackwardCtx<A>, gradient: Arg, shape: Shape): Arg =>
  sameShape(gradient.shape, shape) ? gradient : runGrad(sumTo, [gradient], { shape })[0];

/** The same memory seen under another shape of the same size. */
export const seenAs = (arg: Arg, shape: Shape): Arg => ({ buf: arg.buf, dtype: arg.dtype, shape });

/** Bytes of f32 tensors of these shapes. */
export const bytesOf = (...shapes: readonly Shape[]): number =>
  4 * shapes.reduce((sum, shape) => sum + numel(shape), 0);

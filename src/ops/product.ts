// How matrix products of batches become kernel calls; used by matmul, by linear and by their gradients.
import type { Backend, Buf, Precision } from '../backend/backend.js';
import { broadcastStrides, numel, type Shape } from '../core/shape.js';
import type { Arg, GradOp } from './op.js';
import { withWindow } from './scratch.js';

export interface MatmulAttrs {
  /** The first input holds the transpose of its matrices: [..., k, m]. */
  readonly transposeA: boolean;
  /** The second input holds the transpose of its matrices: [..., n, k]. */
  readonly transposeB: boolean;
}

/** Of a product that is part of a gradient: that of the second input, as in the product itself. */
interface WithPrecision {
  readonly precision?: Precision;
}

/** Axes in front of the matrices. */
export const batchOf = (shape: Shape): Shape => shape.slice(0, -2);

/** Rows and columns of op(x). */
export function matrixOf(shape: Shape, transposed: boolean): [rows: number, cols: number] {
  const [rows, cols] = shape.slice(-2);
  return transposed ? [cols, rows] : [rows, cols];
}

/** A run of matrices: how many, and how far apart they lie in both inputs, counted in matrices. */
interface Run {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

/** Batch axes as few runs: axes of size 1 are left out, and axes that follow one another without a gap are one. */
function runsOf(a: Shape, b: Shape, batch: Shape): Run[] {
  const [stepsA, stepsB] = [broadcastStrides(a, batch), broadcastStrides(b, batch)];
  const runs: Run[] = [];
  batch.forEach((size, axis) => {
    const run = { size, a: stepsA[axis], b: stepsB[axis] };
    const last = runs.at(-1);
    if (size === 1) return;
    if (last?.a === size * run.a && last.b === size * run.b) runs[runs.length - 1] = { ...run, size: size * last.size };
    else runs.push(run);
  });
  return runs;
}

/**
 * y = op(a) op(b) (+ bias), batch by batch. One matrix b under a whole batch of a is one tall product; other
 * repetitions along several axes take a kernel call for each index of the outer ones.
 * @param batch the common shape of both inputs' batch axes
 */
export function multiply(
  backend: Backend,
  a: Arg,
  b: Arg,
  y: Buf,
  batch: Shape,
  attrs: MatmulAttrs & WithPrecision,
  bias?: Buf,
): void {
  const [m, k] = matrixOf(a.shape, attrs.transposeA);
  const n = matrixOf(b.shape, attrs.transposeB)[1];
  if (y.length === 0) return;
  const sizes = { ...attrs, n, k, ...(bias && { bias }), precision: attrs.precision ?? b.factor?.precision ?? 'f32' };
  const [batchA, batchB] = [batchOf(a.shape), batchOf(b.shape)];
  if (!attrs.transposeA && numel(batchB) === 1) {
    const tall = { ...sizes, m: m * numel(batch), batch: 1, strideA: 0, strideB: 0 };
    backend.kernels.matmul({ ...tall, a: a.buf, b: b.buf, y });
    return;
  }
  const call = (runs: readonly Run[], from: Buf, by: Buf, to: Buf): void => {
    const [run = { size: 1, a: 0, b: 0 }, ...inner] = runs;
    if (inner.length === 0) {
      const strides = { batch: run.size, strideA: run.a * m * k, strideB: run.b * k * n };
      backend.kernels.matmul({ ...sizes, ...strides, m, a: from, b: by, y: to });
      return;
    }
    const part = to.length / run.size;
    for (let i = 0; i < run.size; i++) {
      const [atA, atB] = [i * run.a * m * k, i * run.b * k * n];
      withWindow(backend, from, atA, from.length - atA, (x) =>
        withWindow(backend, by, atB, by.length - atB, (w) =>
          withWindow(backend, to, i * part, part, (window) => call(inner, x, w, window)),
        ),
      );
    }
  };
  call(runsOf(batchA, batchB, batch), a.buf, b.buf, y);
}

/** A product inside a backward pass, whose result is seen under `shape`: [...batch, rows, cols] or anything as large. */
export const product: GradOp<MatmulAttrs & Required<WithPrecision> & { readonly shape: Shape; readonly batch: Shape }> =
  {
    name: 'product',
    shapes: (_, { shape }) => [shape],
    forward: (backend, [a, b], [y], { batch, transposeA, transposeB, precision }) =>
      multiply(backend, a, b, y.buf, batch, { transposeA, transposeB, precision }),
  };

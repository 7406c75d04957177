import type { Backend } from '../backend/backend.js';
import { ShapeError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import { takes } from './check.js';
import { div, equal, mul, mulScalar } from './elementwise.js';
import { expand } from './expand.js';
import type { Arg, BackwardCtx, BadSample, Op, OpDoc, Sample } from './op.js';
import { bytesOf, reduceAxes, reducedShape, seenAs } from './reduction.js';
import { rowsWorkload } from './samples.js';
import { withScratch } from './scratch.js';

export interface ReduceAttrs {
  /** Axes to reduce, each counted from the front. */
  readonly axes: readonly number[];
  /** Whether reduced axes stay, with size 1. */
  readonly keepDims: boolean;
}

/** The last axis alone, and it stays; a scalar has none. */
export const alongLast = (shape: Shape): ReduceAttrs => ({
  axes: shape.slice(-1).map(() => shape.length - 1),
  keepDims: true,
});

/** Elements that go into one result. */
const countOf = (shape: Shape, axes: readonly number[]): number => axes.reduce((n, axis) => n * shape[axis], 1);

function checkAxes(op: string, shape: Shape, axes: readonly number[]): void {
  const inside = (axis: number): boolean => Number.isInteger(axis) && axis >= 0 && axis < shape.length;
  if (!axes.every(inside) || new Set(axes).size !== axes.length) {
    throw new ShapeError(op, `axes [${axes.join(', ')}] must be different axes of the tensor`, [shape]);
  }
}

/** A gradient of the result, given the input's rank back: reduced axes of size 1. */
const kept = ({ inputs: [x], attrs }: BackwardCtx<ReduceAttrs>, arg: Arg): Arg =>
  seenAs(arg, reducedShape(x.shape, attrs.axes, true));

interface Row {
  readonly name: string;
  readonly doc: OpDoc;
  /** Whether no elements at all have a result. */
  readonly emptyHasValue: boolean;
  /** Whether the result jumps from one element to another: samples then keep elements apart. */
  readonly apart: boolean;
  forward(backend: Backend, x: Arg, y: Arg, attrs: ReduceAttrs): void;
  backward(ctx: BackwardCtx<ReduceAttrs>): Arg;
}

const reduction = (row: Row): Op<ReduceAttrs> => ({
  name: row.name,
  doc: row.doc,
  shape: (inputs, { axes, keepDims }) => {
    takes(row.name, inputs, 1);
    checkAxes(row.name, inputs[0], axes);
    if (!row.emptyHasValue && countOf(inputs[0], axes) === 0) {
      throw new ShapeError(row.name, 'is not defined over no elements', inputs);
    }
    return reducedShape(inputs[0], axes, keepDims);
  },
  cost: ([x], { axes }) => ({ flops: numel(x), bytes: bytesOf(x, reducedShape(x, axes, false)) }),
  forward: (backend, [x], y, attrs) => row.forward(backend, x, y, attrs),
  backward: (ctx) => [row.backward(ctx)],
  get samples() {
    return row.apart ? samples.map(keptApart) : samples;
  },
  workload: rowsWorkload({ axes: [0], keepDims: false }, (...shape) => [{ shape, apart: 0.5 }]),
  get badSamples() {
    return badSamples;
  },
});

const one = (name: string, shape: Shape, axes: readonly number[], keepDims = false): Sample<ReduceAttrs> => ({
  name,
  inputs: [{ shape }],
  attrs: { axes, keepDims },
});

const samples: readonly Sample<ReduceAttrs>[] = [
  one('scalar', [], []),
  one('one element', [1], [0]),
  one('seven', [7], [0], true),
  one('16, a vector', [3, 16], [1]),
  one('17, a vector and one', [17, 3], [0]),
  one('63 and 65', [63, 65], [1]),
  one('all axes', [3, 5, 2], [0, 1, 2]),
  one('first and last axis', [4, 3, 5], [0, 2]),
  one('rank 4, every other axis', [2, 3, 5, 7], [1, 3], true),
  one('axes of size 1', [1, 6, 1], [0, 2]),
  one('no axes', [2, 3], []),
  one('no rows', [0, 3], [1]),
  one('one long row', [1, 4096], [1]),
  one('one long column', [4096, 1], [0]),
  one('bert: bias gradient', [40, 32], [0]),
];

const keptApart = (sample: Sample<ReduceAttrs>): Sample<ReduceAttrs> => ({
  ...sample,
  inputs: sample.inputs.map((input) => ({ ...('shape' in input ? input : { shape: input }), apart: 0.5 })),
});

const bad = (
  name: string,
  inputs: BadSample<ReduceAttrs>['inputs'],
  axes: readonly number[],
): BadSample<ReduceAttrs> => ({
  name,
  inputs,
  attrs: { axes, keepDims: false },
});

const badSamples: readonly BadSample<ReduceAttrs>[] = [
  bad('no such axis', [[2, 3]], [2]),
  bad('negative axis', [[2, 3]], [-1]),
  bad('an axis twice', [[2, 3]], [1, 1]),
  bad('two inputs', [[2, 3], [3]], [0]),
  bad('integers', [{ shape: [3], ids: 5 }], [0]),
];

const spread = (ctx: BackwardCtx<ReduceAttrs>, arg: Arg): Arg =>
  ctx.run(expand, [kept(ctx, arg)], { shape: ctx.inputs[0].shape });

export const sum = reduction({
  name: 'sum',
  doc: {
    formula: 'y = sum of x over the axes',
    gradient: 'dX = dOut, repeated along the axes',
    why: {
      en: 'every element counts once, so each gets the whole gradient; no elements sum to 0',
      zh: '每个元素都恰好计入一次，所以各自得到完整的梯度；没有元素时和为 0',
    },
    source: 'definition; error bound: Higham 2002, Accuracy and Stability, sec. 4.2',
  },
  emptyHasValue: true,
  apart: false,
  forward: (backend, x, y, { axes }) => reduceAxes(backend, 'sum', x, y.buf, axes),
  backward: (ctx) => spread(ctx, ctx.dOut),
});

export const mean = reduction({
  name: 'mean',
  doc: {
    formula: 'y = (sum of x over the axes) / n,  n = number of elements in one sum',
    gradient: 'dX = dOut / n, repeated along the axes',
    why: {
      en: 'a sum that does not grow with the batch: learning rates keep their meaning; over no elements it is undefined',
      zh: '与批的大小无关的“和”，学习率因此不必随之调整；没有元素时无定义',
    },
    source: 'definition',
  },
  emptyHasValue: false,
  apart: false,
  forward: (backend, x, y, { axes }) =>
    withScratch(backend, y.buf.length, y.dtype, (total) => {
      reduceAxes(backend, 'sum', x, total, axes);
      backend.kernels.unary(mulScalar.fn, total, y.buf, 1 / countOf(x.shape, axes));
    }),
  backward: (ctx) =>
    spread(ctx, ctx.run(mulScalar, [ctx.dOut], { c: 1 / countOf(ctx.inputs[0].shape, ctx.attrs.axes) })),
});

/** dOut shared out equally among the elements that equal the result. */
function shareOfTies(ctx: BackwardCtx<ReduceAttrs>): Arg {
  const {
    inputs: [x],
    out,
    dOut,
    attrs,
    run,
  } = ctx;
  const holds = run(equal, [x, kept(ctx, out)], {}); // 1 where x equals the result
  const ties = run(sum, [holds], { axes: attrs.axes, keepDims: true });
  return run(mul, [holds, run(div, [kept(ctx, dOut), ties], {})], {});
}

export const max = reduction({
  name: 'max',
  doc: {
    formula: 'y = largest x over the axes',
    gradient: 'dX = dOut [x = y] / (number of elements equal to y)',
    why: {
      en: 'only the largest element moves the result; equal ones share the gradient, as in torch.amax',
      zh: '只有最大的元素影响结果；并列最大时平分梯度，与 torch.amax 一致',
    },
    source: 'PyTorch, torch.amax',
  },
  emptyHasValue: false,
  apart: true,
  forward: (backend, x, y, { axes }) => reduceAxes(backend, 'max', x, y.buf, axes),
  backward: shareOfTies,
});

export const min = reduction({
  name: 'min',
  doc: {
    formula: 'y = smallest x over the axes',
    gradient: 'dX = dOut [x = y] / (number of elements equal to y)',
    why: {
      en: 'the mirror image of max: the smallest element moves the result, equal ones share the gradient',
      zh: '与 max 对称：只有最小的元素影响结果，并列时平分梯度',
    },
    source: 'PyTorch, torch.amin',
  },
  emptyHasValue: false,
  apart: true,
  forward: (backend, x, y, { axes }) => reduceAxes(backend, 'min', x, y.buf, axes),
  backward: shareOfTies,
});

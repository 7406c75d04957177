import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { along, type Call, not, type Run } from './onnx-call.js';
import { COMPOSED } from './onnx-composed.js';

const unary =
  (f: (x: Tensor) => Tensor): Run =>
  (c) =>
    f(c.x());
const binary =
  (f: (a: Tensor, b: Tensor) => Tensor): Run =>
  (c) =>
    f(c.x(0), c.x(1));
const chain =
  (f: (a: Tensor, b: Tensor) => Tensor): Run =>
  (c) =>
    c.all.reduce(f);

const reduce =
  (f: (x: Tensor, axes: number[], keep: boolean) => Tensor): Run =>
  (c) =>
    f(c.x(), c.axes(1, c.x().rank), c.attr('keepdims', 1) === 1);

function slices(x: Tensor, axis: number, sizes: readonly number[]): Tensor[] {
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return x.slice(axis, at - size, at);
  });
}

function gemm(c: Call): Tensor {
  const options = { transposeA: c.attr('transA', 0) === 1, transposeB: c.attr('transB', 0) === 1 };
  const product = c.x(0).matmul(c.x(1), options).mul(c.attr('alpha', 1));
  return c.has(2) ? product.add(c.x(2).mul(c.attr('beta', 1))) : product;
}

function layerNorm(c: Call): Tensor[] {
  const x = c.x();
  const axis = c.attr('axis', -1);
  const at = axis < 0 ? axis + x.rank : axis;
  const axes = x.shape.map((_, i) => i).slice(at);
  const width = axes.reduce((n, i) => n * x.shape[i], 1);
  const gamma = c.x(1).reshape([width]);
  const beta = c.has(2) ? c.x(2).reshape([width]) : gamma.mul(0);
  const eps = c.attr('epsilon', 1e-5);
  const y = x.reshape([-1, width]).layerNorm(gamma, beta, eps).reshape(x.shape);
  const mean = x.mean(axes, true);
  return [y, mean, x.sub(mean).square().mean(axes, true).add(eps).rsqrt()];
}

/** Rows of x along an axis, in any order: [..., shape, ...]. */
function gatherAlong(x: Tensor, at: number, rows: readonly number[], shape: readonly number[]): Tensor {
  const ids = tensor(Int32Array.from(rows), [rows.length]);
  const order = [at, ...x.shape.map((_, i) => i).filter((i) => i !== at)];
  const rest = order.slice(1).map((i) => x.shape[i]);
  const table = x.permute(order).reshape([x.shape[at], -1]);
  const found = table.gather(ids).reshape([...shape, ...rest]);
  const back = [...rest.slice(0, at).map((_, i) => shape.length + i), ...shape.map((_, i) => i)];
  return found.permute([...back, ...rest.slice(at).map((_, i) => shape.length + at + i)]);
}

function gather(c: Call): Tensor {
  const axis = c.attr('axis', 0);
  const { shape, data } = c.stored(1);
  const at = axis < 0 ? axis + c.x().rank : axis;
  const rows = data.map((id) => (Number(id) < 0 ? Number(id) + c.x().shape[at] : Number(id)));
  return gatherAlong(c.x(), at, rows, shape);
}

function slice(c: Call): Tensor {
  const starts = c.numbers(1) ?? c.attr<number[]>('starts', []);
  const ends = c.numbers(2) ?? c.attr<number[]>('ends', []);
  const steps = c.numbers(4);
  const given = c.has(3) || c.attr('axes', null) !== null;
  const axes = given ? c.axes(3, c.x().rank) : starts.map((_, i) => i);
  return axes.reduce((x, axis, i) => {
    const [size, step] = [x.shape[axis], steps?.[i] ?? 1];
    const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1];
    const inside = (at: number): number => Math.max(lowest, Math.min(highest, at < 0 ? at + size : at));
    const [start, end] = [inside(starts[i]), inside(ends[i])];
    if (step === 1) return x.slice(axis, start, Math.max(start, end));
    const rows = Array.from({ length: Math.max(0, Math.ceil((end - start) / step)) }, (_, k) => start + k * step);
    return gatherAlong(x, axis, rows, [rows.length]);
  }, c.x());
}

function split(c: Call): Tensor[] {
  const x = c.x();
  const axis = c.attr('axis', 0);
  const size = x.shape[axis < 0 ? axis + x.rank : axis];
  const parts = c.node.outputs.length;
  const even = Math.ceil(size / parts);
  const sizes = c.numbers(1) ?? c.attr<number[] | null>('split', null);
  return slices(
    x,
    axis,
    sizes ?? Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(even, size - i * even))),
  );
}

function axesInserted(c: Call): Tensor {
  const rank = c.x().rank + (c.numbers(1) ?? []).length;
  const sizes = [...c.x().shape];
  for (const axis of c.axes(1, rank).sort((a, b) => a - b)) sizes.splice(axis, 0, 1);
  return c.x().reshape(sizes);
}

function axesRemoved(c: Call): Tensor {
  const axes = c.has(1) || c.attr('axes', null) !== null ? c.axes(1, c.x().rank) : null;
  return c.x().reshape(c.x().shape.filter((size, i) => (axes === null ? size !== 1 : !axes.includes(i))));
}

function reshaped(c: Call): Tensor {
  const wanted = c.numbers(1) as number[];
  if (wanted.includes(0) && c.attr('allowzero', 0) === 1) return c.x().reshape(wanted);
  return c.x().reshape(wanted.map((size, i) => (size === 0 ? c.x().shape[i] : size)));
}

function power(c: Call): Tensor {
  const exponent = c.stored(1);
  if (exponent.data.length === 1) return c.x().pow(Number(exponent.data[0]));
  if (c.stored(0).data.some((base) => Number(base) <= 0)) not('an exponent for each of bases below 0');
  return c.x().log().mul(c.x(1)).exp();
}

/** Products with vectors: a row on the left, a column on the right, which then go. */
function product(a: Tensor, b: Tensor): Tensor {
  const left = a.rank === 1 ? a.reshape([1, -1]) : a;
  const right = b.rank === 1 ? b.reshape([-1, 1]) : b;
  const y = left.matmul(right);
  const shape = y.shape.filter((_, i) => !((a.rank === 1 && i === y.rank - 2) || (b.rank === 1 && i === y.rank - 1)));
  return y.reshape(shape);
}

/** Whole numbers keep the shape that argmax gives: they are compared by their values. */
function argMax(c: Call): Tensor {
  const axis = c.attr('axis', 0);
  const at = axis < 0 ? axis + c.x().rank : axis;
  const turned = c.x().permute([
    ...c
      .x()
      .shape.map((_, i) => i)
      .filter((i) => i !== at),
    at,
  ]);
  if (c.attr('select_last_index', 0) === 0) return turned.argmax();
  const places = tensor(Float32Array.from({ length: c.x().shape[at] }, (_, i) => i));
  const last = turned.equal(turned.max(-1, true)).mul(places).max(-1);
  return c.attr('keepdims', 1) === 1 ? last.reshape(c.x().shape.with(at, 1)) : last;
}

function dropout(c: Call): Tensor[] {
  if (c.numbers(2)?.[0] === 1 && c.numbers(1)?.[0] !== 0) not('random numbers of its own');
  return [c.x(), c.x().mul(0).add(1)];
}

function clipped(c: Call): Tensor {
  const low = c.has(1) ? c.x().maximum(c.x(1).expand(c.x().shape)) : c.x();
  return c.has(2) ? low.minimum(c.x(2).expand(c.x().shape)) : low;
}

/** Each operator of ONNX by methods of Tensor. */
export const OPERATORS: Readonly<Record<string, Run>> = {
  Abs: unary((x) => x.abs()),
  Neg: unary((x) => x.neg()),
  Exp: unary((x) => x.exp()),
  Log: unary((x) => x.log()),
  Sqrt: unary((x) => x.sqrt()),
  Reciprocal: unary((x) => x.reciprocal()),
  Tanh: unary((x) => x.tanh()),
  Sigmoid: unary((x) => x.sigmoid()),
  Relu: unary((x) => x.relu()),
  Erf: unary((x) => x.erf()),
  Identity: unary((x) => x),
  Swish: (c) => c.x().mul(c.x().mul(c.attr('alpha', 1)).sigmoid()),
  Softsign: unary((x) => x.div(x.abs().add(1))),
  Softplus: unary((x) => x.exp().add(1).log()),
  Gelu: (c) => (c.attr('approximate', 'none') === 'tanh' ? c.x().geluTanh() : c.x().gelu()),
  Add: binary((a, b) => a.add(b)),
  Sub: binary((a, b) => a.sub(b)),
  Mul: binary((a, b) => a.mul(b)),
  Div: binary((a, b) => a.div(b)),
  Equal: binary((a, b) => a.equal(b)),
  Greater: binary((a, b) => a.greater(b)),
  Less: binary((a, b) => a.less(b)),
  Pow: power,
  Max: chain((a, b) => a.maximum(b)),
  Min: chain((a, b) => a.minimum(b)),
  Sum: chain((a, b) => a.add(b)),
  Mean: (c) => c.all.reduce((a, b) => a.add(b)).mul(1 / c.count),
  Where: (c) => c.x(1).where(c.x(0), c.x(2)),
  Clip: clipped,
  MatMul: binary(product),
  Gemm: gemm,
  Softmax: (c) => along(c.x(), c.attr('axis', -1), (x) => x.softmax()),
  LogSoftmax: (c) => along(c.x(), c.attr('axis', -1), (x) => x.logSoftmax()),
  LayerNormalization: layerNorm,
  ReduceSum: reduce((x, axes, keep) => x.sum(axes, keep)),
  ReduceMean: reduce((x, axes, keep) => x.mean(axes, keep)),
  ReduceMax: reduce((x, axes, keep) => x.max(axes, keep)),
  ReduceSumSquare: reduce((x, axes, keep) => x.square().sum(axes, keep)),
  ReduceL2: reduce((x, axes, keep) => x.square().sum(axes, keep).sqrt()),
  ReduceLogSumExp: reduce((x, axes, keep) => x.exp().sum(axes, keep).log()),
  Reshape: reshaped,
  Flatten: (c) => {
    const axis = c.attr('axis', 1);
    const rows = c
      .x()
      .shape.slice(0, axis < 0 ? axis + c.x().rank : axis)
      .reduce((n, size) => n * size, 1);
    return c.x().reshape([rows, c.x().size / rows]);
  },
  Squeeze: axesRemoved,
  Unsqueeze: axesInserted,
  Transpose: (c) =>
    c.x().permute(
      c.attr(
        'perm',
        c.x().shape.map((_, i) => c.x().rank - 1 - i),
      ),
    ),
  Concat: (c) => c.all[0].concat(c.all.slice(1), c.attr('axis', 0)),
  Split: split,
  Slice: slice,
  Expand: (c) => {
    const wanted = c.numbers(1) as number[];
    const rank = Math.max(wanted.length, c.x().rank);
    const at = (sizes: readonly number[], i: number): number => sizes[i - rank + sizes.length] ?? 1;
    return c.x().expand(Array.from({ length: rank }, (_, i) => Math.max(at(wanted, i), at(c.x().shape, i))));
  },
  Gather: gather,
  ArgMax: argMax,
  Dropout: dropout,
  Sign: unary((x) => x.greater(x.mul(0)).sub(x.less(x.mul(0)))),
  Not: unary((x) => x.neg().add(1)),
  And: binary((a, b) => a.mul(b)),
  Or: binary((a, b) => a.add(b).sub(a.mul(b))),
  ...COMPOSED,
};

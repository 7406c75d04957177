import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';

export interface Value {
  readonly name: string;
  readonly dtype: string;
  readonly shape: number[];
  readonly data: (number | string | boolean)[];
}
export interface Node {
  readonly op: string;
  readonly inputs: string[];
  readonly outputs: string[];
  readonly attributes: Readonly<Record<string, unknown>>;
}
export interface Case {
  readonly name: string;
  readonly opset: number;
  readonly nodes: Node[];
  readonly inputs: Value[];
  readonly initializers: Value[];
  readonly outputs: Value[];
}

/** A case that asks for what no op here does; `why` says what. */
export class NotOurs extends Error {}
function not(why: string): never {
  throw new NotOurs(why);
}

/** The inputs of one node: tensors, or whole numbers where an operator takes its settings as a tensor. */
export class Call {
  constructor(
    readonly node: Node,
    private readonly values: ReadonlyMap<string, Tensor>,
    private readonly raw: ReadonlyMap<string, Value>,
    readonly opset: number,
  ) {}

  get count(): number {
    return this.node.inputs.length;
  }
  has = (i: number): boolean => (this.node.inputs[i] ?? '') !== '';
  x(i = 0): Tensor {
    return this.values.get(this.node.inputs[i]) ?? not('numbers that are not float32');
  }
  get all(): Tensor[] {
    return this.node.inputs.map((_, i) => this.x(i));
  }
  stored(i: number): Value {
    return this.raw.get(this.node.inputs[i]) ?? not('settings that are computed');
  }
  numbers(i: number): number[] | null {
    return this.has(i) ? this.stored(i).data.map(Number) : null;
  }
  attr(name: string, otherwise: number): number;
  attr(name: string, otherwise: string): string;
  attr<T>(name: string, otherwise: T): T;
  attr<T>(name: string, otherwise: T): T {
    return (this.node.attributes[name] as T | undefined) ?? otherwise;
  }
  /** Axes by input or by attribute, counted from the front; null: all. */
  axes(i: number, rank: number): number[] {
    const given = this.numbers(i) ?? this.attr<number[] | null>('axes', null);
    const list = given === null || given.length === 0 ? null : given;
    if (list === null && this.attr('noop_with_empty_axes', 0) === 1) return [];
    return (list ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) => (axis < 0 ? axis + rank : axis));
  }
}

type Run = (c: Call) => Tensor | Tensor[];
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

/** Along another axis than the last: turned there and back. */
function along(x: Tensor, axis: number, f: (x: Tensor) => Tensor): Tensor {
  const at = axis < 0 ? axis + x.rank : axis;
  return at === x.rank - 1 ? f(x) : f(x.transpose(at, -1)).transpose(at, -1);
}

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

/** Rows of classes: [batch, classes, ...] as [rows, classes], as cross-entropy takes them. */
const rowsOfClasses = (x: Tensor): Tensor => {
  const moved = x.permute([0, ...x.shape.slice(2).map((_, i) => i + 2), 1]);
  return moved.reshape([-1, x.shape[1]]);
};

function crossEntropy(c: Call): Tensor {
  if (c.has(2)) not('class weights');
  if (c.node.outputs.length > 1) not('the loss with its logarithms');
  const labels = Int32Array.from(c.numbers(1) as number[]);
  const reduction = c.attr('reduction', 'mean');
  const ignoreIndex = c.attr('ignore_index', -1);
  const counted = labels.filter((label) => label !== ignoreIndex).length;
  const scale = reduction === 'none' ? null : reduction === 'sum' ? 1 : 1 / counted;
  const values = rowsOfClasses(c.x()).crossEntropy(labels, { ignoreIndex, scale });
  return values.reshape(scale === null ? c.stored(1).shape : []);
}

function gemm(c: Call): Tensor {
  const options = { transposeA: c.attr('transA', 0) === 1, transposeB: c.attr('transB', 0) === 1 };
  const product = c.x(0).matmul(c.x(1), options).mul(c.attr('alpha', 1));
  return c.has(2) ? product.add(c.x(2).mul(c.attr('beta', 1))) : product;
}

function layerNorm(c: Call): Tensor {
  const x = c.x();
  const axis = c.attr('axis', -1);
  const at = axis < 0 ? axis + x.rank : axis;
  const width = x.shape.slice(at).reduce((n, size) => n * size, 1);
  const gamma = c.x(1).reshape([width]);
  const beta = c.has(2) ? c.x(2).reshape([width]) : gamma.mul(0);
  return x.reshape([-1, width]).layerNorm(gamma, beta, c.attr('epsilon', 1e-5)).reshape(x.shape);
}

function gather(c: Call): Tensor {
  const x = c.x();
  const axis = c.attr('axis', 0);
  const { shape, data } = c.stored(1);
  const at = axis < 0 ? axis + x.rank : axis;
  const ids = tensor(
    Int32Array.from(data, (id) => (Number(id) < 0 ? Number(id) + x.shape[at] : Number(id))),
    [data.length],
  );
  const order = [at, ...x.shape.map((_, i) => i).filter((i) => i !== at)];
  const rest = order.slice(1).map((i) => x.shape[i]);
  const table = x.permute(order).reshape([x.shape[at], -1]);
  const found = table.gather(ids).reshape([...shape, ...rest]);
  const back = [...rest.slice(0, at).map((_, i) => shape.length + i), ...shape.map((_, i) => i)];
  return found.permute([...back, ...rest.slice(at).map((_, i) => shape.length + at + i)]);
}

function slice(c: Call): Tensor {
  const [starts, ends, steps] = [c.numbers(1), c.numbers(2), c.numbers(4)];
  if (starts === null || ends === null) return not('starts as attributes');
  if (steps?.some((step) => step !== 1)) not('steps');
  const axes = c.has(3) ? c.axes(3, c.x().rank) : starts.map((_, i) => i);
  return axes.reduce((x, axis, i) => {
    const size = x.shape[axis];
    const inside = (at: number): number => Math.max(0, Math.min(size, at < 0 ? at + size : at));
    return x.slice(axis, inside(starts[i]), Math.max(inside(starts[i]), inside(ends[i])));
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

function attention(c: Call): Tensor {
  const heads = c.attr<number | null>('q_num_heads', null);
  if (c.attr('is_causal', 0) === 1 || c.node.outputs.length > 1) not('a causal mask, or the probabilities as well');
  const split = (x: Tensor): Tensor => {
    if (heads === null) return x;
    const [batch, seq, width] = x.shape;
    return x.reshape([batch, seq, heads, width / heads]).permute([0, 2, 1, 3]); // [batch, heads, seq, size]
  };
  const [q, k, v] = [0, 1, 2].map((i) => split(c.x(i)));
  const scale = c.attr('scale', 1 / Math.sqrt(q.shape[3]));
  const scores = q.matmul(k, { transposeB: true }).mul(scale);
  const y = (c.has(3) ? scores.add(c.x(3)) : scores).softmax().matmul(v);
  return heads === null ? y : y.permute([0, 2, 1, 3]).reshape([c.x().shape[0], c.x().shape[1], -1]);
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
  return exponent.data.length === 1 ? c.x().pow(Number(exponent.data[0])) : not('an exponent for each element');
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
  MatMul: binary((a, b) => (a.rank < 2 || b.rank < 2 ? not('products of vectors') : a.matmul(b))),
  Gemm: gemm,
  Softmax: (c) => along(c.x(), c.attr('axis', -1), (x) => x.softmax()),
  LogSoftmax: (c) => along(c.x(), c.attr('axis', -1), (x) => x.logSoftmax()),
  LayerNormalization: (c) => (c.node.outputs.length > 1 ? not('mean and deviation as well') : layerNorm(c)),
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
  // Whole numbers keep the shape that argmax gives: they are compared by their values.
  ArgMax: (c) => {
    if (c.attr('select_last_index', 0) === 1) not('the last of equals');
    const axis = c.attr('axis', 0);
    const at = axis < 0 ? axis + c.x().rank : axis;
    const others = c
      .x()
      .shape.map((_, i) => i)
      .filter((i) => i !== at);
    return c
      .x()
      .permute([...others, at])
      .argmax();
  },
  Dropout: (c) => (c.numbers(2)?.[0] === 1 || c.node.outputs.length > 1 ? not('random numbers of its own') : c.x()),
  SoftmaxCrossEntropyLoss: crossEntropy,
  Attention: attention,
};

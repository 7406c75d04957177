import { boundsOf } from '../autograd/value.js';
import type { Backend } from '../backend/backend.js';
import { defaultBackend } from '../backend/select.js';
import { type DType, dtypeOf, type FloatDType, newData, type TypedData } from '../core/dtype.js';
import { DtypeError, ShapeError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import { checkSizes } from '../ops/check.js';
import { Tensor } from './tensor.js';

/** Numbers in any nesting: a scalar, a list, a list of lists. */
export type Nested = number | readonly Nested[];

export interface CreateOptions {
  /** Default: the backend's float type, or i32 for an Int32Array. */
  readonly dtype?: DType;
  readonly backend?: Backend;
  readonly requiresGrad?: boolean;
}

/**
 * A tensor from numbers: `tensor([[1, 2], [3, 4]])`, `tensor(new Float32Array(6), [2, 3])`.
 * @param shape default: that of the nesting, or one axis for a typed array
 * @throws {ShapeError} ragged nesting, or a shape of another size than the data
 */
export function tensor(values: Nested | TypedData, shape?: Shape, options: CreateOptions = {}): Tensor {
  const backend = options.backend ?? defaultBackend();
  const isArray = ArrayBuffer.isView(values);
  const dtype = options.dtype ?? (isArray ? hostType(values, backend) : backend.float);
  const nested = isArray ? [values.length] : shapeOf(values);
  const flat = isArray && dtypeOf(values) === dtype ? values : convert(isArray ? values : flatten(values), dtype);
  const target = checkSizes('tensor', shape ?? nested);
  if (numel(target) !== flat.length)
    throw new ShapeError('tensor', `${flat.length} values do not fill this shape`, [target]);
  if (options.requiresGrad && dtype === 'i32') throw new DtypeError('tensor: integers have no gradient; use f32');
  const result = new Tensor(backend, backend.upload(flat), target, options.requiresGrad ?? false);
  if (flat instanceof Int32Array) result.bounds = boundsOf(flat);
  return result;
}

/** A float array keeps the backend's float type: f64 data on an f32 backend is rounded. */
const hostType = (values: TypedData, backend: Backend): DType => (values instanceof Int32Array ? 'i32' : backend.float);

function shapeOf(values: Nested): number[] {
  if (typeof values === 'number') return [];
  const inner = values.length === 0 ? [] : shapeOf(values[0] as Nested);
  for (const row of values) {
    if (String(shapeOf(row)) !== String(inner))
      throw new ShapeError('tensor', 'rows of a nested list must have one length');
  }
  return [values.length, ...inner];
}

const flatten = (values: Nested): number[] =>
  typeof values === 'number' ? [values] : (values as readonly Nested[]).flatMap(flatten);

function convert(values: ArrayLike<number>, dtype: DType): TypedData {
  const data = newData(dtype, values.length);
  data.set(values);
  return data;
}

/** A tensor whose elements all equal `value`. */
export function full(shape: Shape, value: number, options: CreateOptions = {}): Tensor {
  const backend = options.backend ?? defaultBackend();
  const buf = backend.alloc(numel(checkSizes('full', shape)), options.dtype ?? backend.float);
  backend.kernels.fill(buf, value);
  const result = new Tensor(backend, buf, shape, options.requiresGrad ?? false);
  if (buf.dtype === 'i32') result.bounds = { min: value, max: value, next: value };
  return result;
}

export const zeros = (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 0, options);
export const ones = (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 1, options);

/** 0, 1, ... length - 1. */
export const arange = (length: number, options: CreateOptions = {}): Tensor =>
  tensor(
    convert(
      Array.from({ length }, (_, i) => i),
      options.dtype ?? (options.backend ?? defaultBackend()).float,
    ),
    [length],
    options,
  );

/** Elements drawn by `draw`, in row-major order, in double precision before rounding. */
export function fromDraws(shape: Shape, draw: () => number, dtype?: FloatDType, options: CreateOptions = {}): Tensor {
  const backend = options.backend ?? defaultBackend();
  const data = newData(dtype ?? backend.float, numel(shape));
  for (let i = 0; i < data.length; i++) data[i] = draw();
  return tensor(data, shape, { ...options, dtype: dtype ?? backend.float });
}

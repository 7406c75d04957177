/** Element types. `f64` exists on the reference backend alone, for gradient checks and golden values. */
export type DType = 'f32' | 'i32' | 'f64';
export type FloatDType = 'f32' | 'f64';

/** What a tensor's values look like once they are back in JavaScript. */
export type TypedData = Float32Array | Int32Array | Float64Array;

const ARRAYS = { f32: Float32Array, i32: Int32Array, f64: Float64Array } as const;

/** Bytes one element takes. */
export const bytesPer = (dtype: DType): number => ARRAYS[dtype].BYTES_PER_ELEMENT;

/** A zero-filled array of `length` elements. */
export const newData = (dtype: DType, length: number): TypedData => new ARRAYS[dtype](length);

/** The element type that a typed array holds. */
export function dtypeOf(data: TypedData): DType {
  if (data instanceof Float32Array) return 'f32';
  return data instanceof Int32Array ? 'i32' : 'f64';
}

export const isFloat = (dtype: DType): dtype is FloatDType => dtype !== 'i32';

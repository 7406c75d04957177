import type { StoredDtype } from './safetensors-header.js';

type Values = Float32Array | Int32Array;

/** Both of Node's platforms, and every browser's, are little-endian like the format. */
const f32Bits = (count: number): { bits: Uint32Array; floats: Float32Array } => {
  const floats = new Float32Array(count);
  return { bits: new Uint32Array(floats.buffer), floats };
};

/** IEEE 754 half precision: 1 sign, 5 exponent, 10 fraction bits. */
function halfBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13); // 112 = 127 - 15, the biases
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // a subnormal: brings its first bit to the place of the hidden one
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function halves(bytes: Uint8Array): Float32Array {
  const stored = new Uint16Array(bytes.buffer);
  const { bits, floats } = f32Bits(stored.length);
  for (let i = 0; i < stored.length; i++) bits[i] = halfBits(stored[i]);
  return floats;
}

/** The upper half of a float32. */
function bfloats(bytes: Uint8Array): Float32Array {
  const stored = new Uint16Array(bytes.buffer);
  const { bits, floats } = f32Bits(stored.length);
  for (let i = 0; i < stored.length; i++) bits[i] = stored[i] << 16;
  return floats;
}

/** Integers of any width, if each fits in 31 bits and a sign. */
function integers(stored: Uint32Array | BigInt64Array | BigUint64Array): Int32Array | string {
  const values = new Int32Array(stored.length);
  for (let i = 0; i < stored.length; i++) {
    const value = Number(stored[i]);
    values[i] = value;
    if (values[i] !== value) return `value ${stored[i]} at ${i} does not fit in an int32`;
  }
  return values;
}

const EIGHT = () => 'floats of 8 bits are not read';

/** How the values of each stored type become float32 or int32; text says why they cannot. */
const WIDEN: Readonly<Record<StoredDtype, (bytes: Uint8Array) => Values | string>> = {
  BOOL: (b) => Int32Array.from(b),
  U8: (b) => Int32Array.from(b),
  I8: (b) => Int32Array.from(new Int8Array(b.buffer)),
  F8_E5M2: EIGHT,
  F8_E4M3: EIGHT,
  I16: (b) => Int32Array.from(new Int16Array(b.buffer)),
  U16: (b) => Int32Array.from(new Uint16Array(b.buffer)),
  F16: halves,
  BF16: bfloats,
  I32: (b) => new Int32Array(b.buffer),
  U32: (b) => integers(new Uint32Array(b.buffer)),
  F32: (b) => new Float32Array(b.buffer),
  F64: (b) => Float32Array.from(new Float64Array(b.buffer)),
  I64: (b) => integers(new BigInt64Array(b.buffer)),
  U64: (b) => integers(new BigUint64Array(b.buffer)),
};

/**
 * @param bytes of a buffer of their own, from its first byte on
 * @returns the values, rounded to float32 where they were wider; or why there are none
 */
export const widen = (dtype: StoredDtype, bytes: Uint8Array): Values | string => WIDEN[dtype](bytes);

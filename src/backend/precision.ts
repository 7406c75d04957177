// What products of fewer bits have in common on all backends.
import { BackendError } from '../core/errors.js';
import type { Backend, MatmulCall, Precision } from './backend.js';

/** Longest sum of products of 8-bit numbers that cannot leave 32 bits: 255 * 127 * 65,536 < 2^31. */
export const MOST_INT8 = 65_536;

/** @throws {BackendError} a product that 8-bit numbers are not made for */
export function checkInt8({ transposeA, batch, strideA, strideB, m, k, sums }: MatmulCall): void {
  const tall = batch <= 1 || (strideB === 0 && strideA === m * k);
  if (!transposeA && tall && k <= MOST_INT8 && sums === undefined) return;
  throw new BackendError(`int8: one b under all rows of an a that is not transposed, k up to ${MOST_INT8}, no sums`, {
    code: 'BACKEND-SIZE',
    where: `a matmul of ${m} x ${k}, batch ${batch}`,
    fix: "use precision 'bf16' or 'f32'",
  });
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The nearest number with 8 significant bits, ties to even: a float whose lower 16 bits are 0. NaN stays NaN. */
export function roundBf16(x: number): number {
  word[0] = x;
  if (Number.isNaN(x)) return x;
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return word[0];
}

/** @throws {BackendError} a backend whose products are of floats alone */
export function requirePrecision({ name, multipliers }: Backend, precision: Precision): void {
  if (precision === 'f32' || multipliers !== undefined) return;
  throw new BackendError(`${name}: it has no products in ${precision}`, {
    code: 'BACKEND-PRECISION',
    fix: '--precision f32, or --backend native',
  });
}

/** Says so where a precision is not faster than f32; null where it is. */
export function slowerNote({ name, multipliers }: Backend, precision: Precision): string | null {
  if (precision === 'f32' || multipliers?.[precision] !== null) return null;
  return `${name}: no instruction here multiplies ${precision} numbers; results are the same, but not sooner than with f32`;
}

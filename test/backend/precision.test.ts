// Products of fewer bits: how numbers are rounded, that native computes the same integers as plain JavaScript, and what
// numbers at the ends of the range do.
import { describe, expect, test } from '@jest/globals';
import { createNativeBackend } from '#native';
import type { Backend, MatmulCall, Precision } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { roundActivations, roundWeights } from '../../src/backend/js/int8.js';
import { MOST_INT8, roundBf16 } from '../../src/backend/precision.js';
import { Rng } from '../../src/core/random.js';
import { BACKENDS } from '../backends.js';
import { describeIf } from '../skip.js';
import { whyNoNative } from './native-trial.js';

describe('rounding to bf16', () => {
  test('is to the nearest, ties to even, and keeps NaN and infinity', () => {
    const step = 2 ** -7; // between neighbours above 1
    expect(roundBf16(1 + 0.5 * step)).toBe(1);
    expect(roundBf16(1 + 1.5 * step)).toBe(1 + 2 * step);
    expect(roundBf16(1 + 0.51 * step)).toBe(1 + step);
    expect(roundBf16(-3.0001)).toBe(-3);
    expect(roundBf16(3.4e38)).toBe(Infinity);
    expect([0, -0, Infinity, -Infinity, Number.NaN].map(roundBf16)).toEqual([0, -0, Infinity, -Infinity, Number.NaN]);
  });

  test('leaves 8 significant bits', () => {
    const rng = new Rng(1, 2);
    for (let i = 0; i < 1000; i++) {
      const x = Math.fround((rng.uniform() - 0.5) * 2 ** (rng.int(200) - 100));
      expect(Math.abs(roundBf16(x) - x)).toBeLessThanOrEqual(Math.abs(x) * 2 ** -8);
      expect(roundBf16(roundBf16(x))).toBe(roundBf16(x));
    }
  });
});

describe('rounding to 8 bits', () => {
  test('a row is off by at most half a step, and its zero is exact', () => {
    const rng = new Rng(3, 4);
    const x = Float32Array.from({ length: 100 }, (_, i) => (i === 7 ? 0 : 3 * rng.uniform() - 1));
    const { q, scale, zero } = roundActivations(x);
    expect(q.every((value) => Number.isInteger(value) && value >= 0 && value <= 255)).toBe(true);
    expect(q[7]).toBe(zero);
    // Half a step for the number and half a one for the zero, which is an integer too.
    x.forEach((value, i) => {
      expect(Math.abs(value - scale * (q[i] - zero))).toBeLessThanOrEqual(1.01 * scale);
    });
  });

  test('weights use the whole range on both sides', () => {
    const { q, scale, zero } = roundWeights(Float32Array.of(-2, 1, 0.5, 0, 2));
    expect([zero, scale]).toEqual([0, Math.fround(2 / 127)]);
    expect(Array.from(q)).toEqual([-127, 64, 32, 0, 127]);
  });

  test('rows of zeros, of subnormal numbers, and rows that are not finite', () => {
    expect(roundActivations(new Float32Array(3))).toEqual({ q: new Int32Array(3), scale: 0, zero: 0 });
    expect(roundActivations(new Float32Array(3).fill(1e-42)).q).toEqual(new Int32Array(3));
    expect(roundActivations(Float32Array.of(-3e38, 3e38)).scale).toBeGreaterThan(2e36);
    for (const odd of [Number.NaN, Infinity, -Infinity]) {
      expect(roundActivations(Float32Array.of(1, odd)).scale).toBeNaN();
      expect(roundWeights(Float32Array.of(1, odd)).scale).toBeNaN();
    }
  });
});

interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** y of one product, with a bias; b as it lies, or packed before. */
async function productOf(
  backend: Backend,
  { m, n, k }: Sizes,
  data: readonly Float32Array[],
  options: { precision: Precision; packed?: boolean; transposeB?: boolean },
): Promise<Float32Array> {
  const { precision, packed = false, transposeB = true } = options;
  const [a, b, bias] = data.map((values) => backend.upload(values));
  const y = backend.alloc(m * n, 'f32');
  const length = backend.kernels.packedLength(k, n, precision);
  const space = packed && length > 0 ? backend.alloc(length, 'f32') : null;
  if (space !== null) backend.kernels.pack(b, space, k, n, transposeB, precision);
  const call: MatmulCall = {
    ...{ a, b, bias, y, m, n, k, precision, transposeA: false, transposeB, batch: 1, strideA: 0, strideB: 0 },
    ...(space !== null && { packed: space }),
  };
  backend.kernels.matmul(call);
  const result = (await backend.read(y)) as Float32Array;
  for (const buf of [a, b, bias, y, ...(space === null ? [] : [space])]) backend.free(buf);
  return result;
}

function drawn({ m, n, k }: Sizes, seed: number): Float32Array[] {
  const rng = new Rng(seed, 5);
  return [m * k, k * n, n].map((length) => Float32Array.from({ length }, () => 4 * rng.uniform() - 1.5));
}

const absent = whyNoNative();
const isas = absent === null ? createNativeBackend().isas : [];
const SIZES: readonly Sizes[] = [
  { m: 1, n: 1, k: 1 },
  { m: 5, n: 7, k: 3 },
  { m: 15, n: 33, k: 19 },
  { m: 130, n: 65, k: 257 },
  { m: 3, n: 130, k: 3100 },
];

describeIf(
  absent === null,
  'native',
  absent ?? '',
)('8-bit products on native', () => {
  test.each(isas)('%s: the same bits as on plain JavaScript', async (isa) => {
    const js = createJsBackend('f32');
    for (const threads of [1, 2]) {
      const native = createNativeBackend({ isa, threads, poison: true });
      for (const [seed, sizes] of SIZES.entries()) {
        const data = drawn(sizes, seed);
        for (const transposeB of [false, true]) {
          const want = await productOf(js, sizes, data, { precision: 'int8', transposeB });
          for (const packed of [false, true])
            expect(await productOf(native, sizes, data, { precision: 'int8', packed, transposeB })).toEqual(want);
        }
      }
      expect(native.liveBytes).toBe(0);
    }
  });
});

/** y of attention over sequences of 3 and 40 rows, 2 heads of 5. */
async function attended(backend: Backend, precision?: 'f32' | 'bf16'): Promise<Float32Array> {
  const rng = new Rng(4, 5);
  const sizes = { rows: 43, queryRows: 43, sequences: 2, heads: 2, headDim: 5, maxSeq: 40, scale: 0.5 };
  const floats = (length: number) => backend.upload(Float32Array.from({ length }, () => 4 * rng.uniform() - 2));
  const [q, k, v, y, keyBias, lse] = [430, 430, 430, 430, 43, 86].map(floats);
  const offsets = backend.upload(Int32Array.of(0, 3, 43));
  const call = { q, k, v, keyBias, offsets, queries: null, ...sizes, dropout: null };
  backend.kernels.attention({ ...call, ...(precision && { precision }) }, y, lse);
  const result = (await backend.read(y)) as Float32Array;
  for (const buf of [q, k, v, y, keyBias, lse, offsets]) backend.free(buf);
  return result;
}

describe.each(BACKENDS.filter(({ dtype }) => dtype === 'f32'))('attention in bf16, $name', ({ create }) => {
  test('is that of floats but for rounding, and itself where nothing is faster', async () => {
    const backend = create();
    const [exact, plain, rounded] = [
      await attended(createJsBackend('f32')),
      await attended(backend),
      await attended(backend, 'bf16'),
    ];
    const off = rounded.map((value, i) => Math.abs(value - exact[i]));
    // Scores of 5 products of numbers below 2, with two roundings each, and a probability with one; values below 2.
    expect(Math.max(...off)).toBeLessThan(2 * (2 * 0.5 * 5 * 4 * 2 * 2 ** -9 + 2 * 2 ** -8));
    if (backend.multipliers?.bf16 != null) expect(rounded).not.toEqual(plain);
    else expect(rounded).toEqual(plain);
    expect(backend.liveBytes).toBe(0);
  });
});

const NARROW = BACKENDS.filter(({ dtype, create }) => dtype === 'f32' && create().multipliers !== undefined);

describe.each(NARROW)('at the ends of the range, $name', ({ create }) => {
  const sizes: Sizes = { m: 6, n: 17, k: 21 };
  const SUBNORMAL = 2 ** -140;
  /** Rows of a: ordinary, NaN, infinity, zeros, subnormal numbers, huge ones. */
  const rows = (): Float32Array[] => {
    const [a, b, bias] = drawn(sizes, 9);
    const { k } = sizes;
    a[k + 3] = Number.NaN;
    a[2 * k + 20] = Infinity;
    a.fill(0, 3 * k, 4 * k);
    a.fill(SUBNORMAL, 4 * k, 5 * k);
    a.fill(3e38, 5 * k, 6 * k);
    return [a, b, bias];
  };

  test.each(['bf16', 'int8'] as const)('%s: a row keeps its kind, and others stay as they are', async (precision) => {
    const backend = create();
    const [a, b, bias] = rows();
    b.fill(0.5);
    const y = await productOf(backend, sizes, [a, b, bias], { precision });
    const row = (i: number): Float32Array => y.subarray(i * sizes.n, (i + 1) * sizes.n);
    expect(row(0).every(Number.isFinite)).toBe(true);
    expect(row(1).every(Number.isNaN)).toBe(true);
    expect(row(2).every((value) => (precision === 'int8' ? Number.isNaN(value) : value === Infinity))).toBe(true);
    expect(row(3)).toEqual(bias);
    expect(row(4)).toEqual(bias);
    expect(row(5).every((value) => value > 3e38)).toBe(true);
    expect(backend.liveBytes).toBe(0);
  });

  test('int8: a column of weights that is not finite spoils itself alone', async () => {
    const backend = create();
    const [a, b, bias] = drawn(sizes, 9);
    b[2 * sizes.k] = Number.NaN;
    b.fill(0, 3 * sizes.k, 4 * sizes.k);
    const y = await productOf(backend, sizes, [a, b, bias], { precision: 'int8' });
    expect(Array.from(y.keys()).filter((i) => Number.isNaN(y[i]))).toEqual([0, 1, 2, 3, 4, 5].map((i) => 17 * i + 2));
    expect(y[3]).toBe(bias[3]);
  });

  test('int8: products that it is not made for are refused', () => {
    const backend = create();
    const [a, b, y] = [12, 12, 18].map((length) => backend.alloc(length, 'f32'));
    const sizes = { m: 3, n: 3, k: 2, batch: 2, transposeA: false, transposeB: false };
    const call: MatmulCall = { a, b, y, ...sizes, strideA: 6, strideB: 0, precision: 'int8' };
    const refused = expect.objectContaining({ code: 'BACKEND-SIZE' });
    expect(() => backend.kernels.matmul({ ...call, strideB: 6 })).toThrow(refused);
    expect(() => backend.kernels.matmul({ ...call, transposeA: true })).toThrow(refused);
    expect(() => backend.kernels.matmul({ ...call, k: MOST_INT8 + 1 })).toThrow(refused);
    for (const buf of [a, b, y]) backend.free(buf);
  });
});

// Products in bf16 and in 8 bits against PyTorch's (test/golden/narrow.py), on every backend that has them.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { backward } from '../../src/autograd/tape.js';
import { roundActivations, roundWeights } from '../../src/backend/js/int8.js';
import { tensor } from '../../src/tensor/create.js';
import { BACKENDS } from '../backends.js';

interface Golden {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly x: number[];
  readonly w: number[];
  readonly dOut: number[];
  readonly bf16: Readonly<Record<'out' | 'ownOut' | 'dX' | 'dW', number[]>>;
  readonly int8: Readonly<Record<'out' | 'rows' | 'columns' | 'zero', number[]>>;
}

const { m, k, n, ...golden }: Golden = JSON.parse(
  readFileSync(new URL('../golden/narrow.json', import.meta.url), 'utf8'),
);
const NARROW = BACKENDS.filter(({ dtype, create }) => dtype === 'f32' && create().multipliers !== undefined);

/** Sum of |a| |b| over every sum of products of at most `depth` numbers, at most: what roundings are a share of. */
const sizeOf = (a: readonly number[], b: readonly number[], depth: number): number => {
  const most = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
  return depth * most(a) * most(b);
};

function expectClose(got: ArrayLike<number>, want: readonly number[], bound: (i: number) => number): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, i) => {
    if (!(Math.abs(got[i] - value) <= bound(i))) throw new Error(`element ${i} is ${got[i]}, not ${value}`);
  });
}

describe.each(NARROW)('$name', ({ create }) => {
  test('bf16, forward and back', async () => {
    const backend = create();
    const x = tensor(golden.x, [m, k], { backend, requiresGrad: true });
    const w = tensor(golden.w, [k, n], { backend, requiresGrad: true }).multiplyIn('bf16');
    const y = x.matmul(w);
    const out = Float32Array.from(await y.data());
    const dOut = tensor(golden.dOut, [m, n], { backend });
    backward(y.mul(dOut).sum());
    const sums = (a: readonly number[], b: readonly number[], depth: number): number =>
      depth * 2 ** -24 * sizeOf(a, b, depth); // products of 8 bits are exact in f32; sums are not
    const forward = sums(golden.x, golden.w, k);
    expectClose(out, golden.bf16.out, () => forward);
    expectClose(out, golden.bf16.ownOut, (i) => forward + 2 ** -8 * Math.abs(golden.bf16.ownOut[i]));
    expectClose((await x.grad?.data()) ?? [], golden.bf16.dX, () => sums(golden.dOut, golden.w, n));
    expectClose((await w.grad?.data()) ?? [], golden.bf16.dW, () => sums(golden.x, golden.dOut, m));
  });

  test('int8', async () => {
    const backend = create();
    const x = tensor(golden.x, [m, k], { backend });
    const w = tensor(golden.w, [k, n], { backend }).multiplyIn('int8');
    // Ours are exact integers, times three roundings of scales, rounded twice; PyTorch's factors are rounded to f32 each.
    const bound = 7 * 2 ** -24 * sizeOf(golden.x, golden.w, k);
    expectClose(await x.matmul(w).data(), golden.int8.out, () => bound);
  });
});

test('8-bit integers are those of fake quantization', () => {
  for (let row = 0; row < m; row++) {
    const { q, zero } = roundActivations(Float32Array.from(golden.x.slice(row * k, (row + 1) * k)));
    expect([zero, ...q]).toEqual([golden.int8.zero[row], ...golden.int8.rows.slice(row * k, (row + 1) * k)]);
  }
  for (let column = 0; column < n; column++) {
    const { q } = roundWeights(Float32Array.from({ length: k }, (_, i) => golden.w[i * n + column]));
    expect(Array.from(q)).toEqual(Array.from({ length: k }, (_, i) => golden.int8.columns[i * n + column]));
  }
});

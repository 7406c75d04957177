// Products of fewer bits through the ops that have weights: within derived bounds of the exact value and gradients, fused
// ops like their small ones, and packed weights like others.
import { afterAll, describe, expect, test } from '@jest/globals';
import { apply } from '../../src/autograd/apply.js';
import { scope } from '../../src/autograd/scope.js';
import { backward } from '../../src/autograd/tape.js';
import type { Backend, Precision } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { UsageError } from '../../src/core/errors.js';
import { feedForward } from '../../src/ops/feed-forward.js';
import { linear } from '../../src/ops/linear.js';
import { linearCrossEntropy } from '../../src/ops/linear-cross-entropy.js';
import { matmul } from '../../src/ops/matmul.js';
import type { Op, Sample } from '../../src/ops/op.js';
import { full, tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { BACKENDS } from '../backends.js';
import { boundOf, magnitudes } from './bounds.js';
import { type Case, caseOf, evaluate, type Outcome, tensorsOf, wantsGradient, weighted } from './evaluate.js';

const oracle = createJsBackend('f64');
const listed = <A extends object>(op: Op<A>): Op => op as unknown as Op;
const OPS = [listed(matmul), linear];
/** Those that have products of fewer bits. */
const NARROW = BACKENDS.filter(({ dtype, create }) => dtype === 'f32' && create().multipliers !== undefined);

/** The same as `evaluate`, with products in `precision`. */
async function narrow(c: Case, backend: Backend, precision: Precision, frozen = false): Promise<Outcome> {
  const inputs = tensorsOf(c, backend, precision !== 'int8');
  for (const input of inputs.slice(1)) if (input.rank >= 2) input.multiplyIn(precision, frozen);
  const out = scope(() => {
    const result = apply(c.op, inputs, c.attrs).keep();
    if (result.requiresGrad) backward(weighted(c, result, backend));
    return result;
  });
  const grads = await Promise.all(inputs.map(async (input) => (await input.grad?.data()) ?? null));
  const outcome = { inputs: [], out: await out.data(), grads };
  for (const value of new Set([out, ...inputs, ...inputs.map((input) => input.grad)])) value?.dispose();
  return outcome;
}

function within(got: ArrayLike<number>, want: ArrayLike<number>, bound: (i: number) => number): void {
  for (let i = 0; i < want.length; i++) {
    const off = Math.abs(got[i] - want[i]);
    if (!(off <= bound(i))) throw new Error(`element ${i} is ${got[i]}, not ${want[i]} within ${bound(i)}`);
  }
}

/** Both factors of a product are off by 2^-8 of themselves at most, half the distance of neighbours; 1 % for the rest. */
const BF16 = 1.01 * 2 ** -7;

describe.each(NARROW)('bf16, $name', ({ create }) => {
  const backend = create();

  describe.each(OPS.map((op) => ({ name: op.name, op })))('$name', ({ op }) => {
    test.each(op.samples.map((sample) => ({ name: sample.name, sample })))('$name', async ({ sample }) => {
      const c = caseOf(op, sample);
      const [got, want, sums] = [
        await narrow(c, backend, 'bf16'),
        await evaluate(c, oracle),
        await magnitudes(c, true),
      ];
      const floats = await boundOf(c, want, 'ieee');
      within(got.out, want.out, (i) => BF16 * Math.abs(sums.out[i]) + floats.out[i]);
      for (const i of c.data.keys()) {
        if (!wantsGradient(c, i)) continue;
        const [gradient, exact, sum, bound] = [got.grads[i], want.grads[i], sums.grads[i], floats.grads[i]];
        if (!gradient || !exact || !sum || !bound) throw new Error(`input ${i} got no gradient`);
        within(gradient, exact, (at) => BF16 * Math.abs(sum[at]) + bound[at]);
      }
    });
  });

  afterAll(() => expect(backend.liveBytes).toBe(0));
});

describe('fused ops in bf16 equal their small ops in bf16', () => {
  const compare = async (op: Op, sample: Sample<object>): Promise<void> => {
    const c = caseOf(op, sample, 3);
    const fused = await narrow(c, oracle, 'bf16');
    const composed = await narrow({ ...c, op: { ...op, name: op.name, ...composedOf(op) } }, oracle, 'bf16');
    within(composed.out, fused.out, (i) => 2 ** -40 * (1 + Math.abs(fused.out[i])));
  };
  test.each([listed(feedForward), linear].map((op) => [op.name, op] as const))('%s', async (_, op) => {
    for (const sample of op.samples.slice(0, 8)) await compare(op, sample);
  });
});

/** An op whose forward pass is the composition of another's. */
const composedOf = (op: Op): Partial<Op> => ({
  forward: (backend, inputs, out, attrs) => {
    const run = (small: Op, args: readonly { buf: Tensor['buf']; shape: Tensor['shape'] }[], a: object): Tensor =>
      apply(small, args as readonly Tensor[], a);
    const made = scope(() => op.compose?.({ inputs, attrs, ids: () => [], run: run as never }) as Tensor);
    const line = { offset: 0, strides: [1] };
    if (out.buf.length > 0) backend.kernels.copy(made.buf, out.buf, [out.buf.length], line, line);
    made.dispose();
  },
  backward: { reason: 'the value alone is compared' },
  aux: () => [],
});

describe('8 bits', () => {
  /** Row x is off by at most a step, a column of weights by at most half a step of its own. */
  const stepOf = (x: Float64Array, weight: boolean): number => {
    const [low, high] = x.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, 0]);
    return weight ? Math.max(high, -low) / 254 : (high - low) / 255;
  };

  test.each(linear.samples.map((sample) => ({ name: sample.name, sample })))('linear: $name', async ({ sample }) => {
    const c = caseOf(linear, sample);
    const exact = await evaluate(c, oracle);
    const [x, weight] = c.data.map(({ data }) => data as Float64Array);
    const [out, from] = c.data[1].shape;
    const bound = (at: number): number => {
      const [row, column] = [Math.floor(at / out), at % out];
      const [a, b] = [x.subarray(row * from, (row + 1) * from), weight.subarray(column * from, (column + 1) * from)];
      const [stepA, stepB] = [stepOf(a, false), stepOf(b, true)];
      return 1.01 * a.reduce((sum, v, p) => sum + stepA * Math.abs(b[p]) + stepB * (Math.abs(v) + stepA), 1e-5);
    };
    for (const { create } of NARROW) {
      const backend = create();
      const [got, packed] = [await narrow(c, backend, 'int8'), await narrow(c, backend, 'int8', true)];
      within(got.out, exact.out, bound);
      expect(packed.out).toEqual(got.out);
      expect(backend.liveBytes).toBe(0);
    }
  });

  test('have no gradient', () => {
    const weight = tensor([[1, 2]], undefined, { backend: oracle, requiresGrad: true }).multiplyIn('int8');
    const y = tensor([[3, 4]], undefined, { backend: oracle }).linear(
      weight,
      tensor([0], undefined, { backend: oracle }),
    );
    expect(() => backward(y.sum())).toThrow(UsageError);
  });
});

test('a loss over a vocabulary in bf16 is near that in f32', async () => {
  const c = caseOf(listed(linearCrossEntropy), linearCrossEntropy.samples.at(-2) as Sample<object>);
  const [got, want] = [await narrow(c, oracle, 'bf16'), await evaluate(c, oracle)];
  expect(got.out[0]).not.toBe(want.out[0]);
  expect(Math.abs(got.out[0] - want.out[0])).toBeLessThan(0.1);
});

test('a frozen weight that is assigned to is laid out anew', async () => {
  for (const { create } of NARROW) {
    const backend = create();
    const weight = tensor([[1, 2]], undefined, { backend }).multiplyIn('bf16', true);
    const [x, bias] = [tensor([[1, 1]], undefined, { backend }), tensor([0], undefined, { backend })];
    const before = x.linear(weight, bias);
    weight.assign(Float32Array.of(4, 5));
    const after = x.linear(weight, bias);
    expect([await before.item(), await after.item()]).toEqual([3, 9]);
    for (const value of [weight, x, bias, before, after]) value.dispose();
    expect(backend.liveBytes).toBe(0);
  }
});

test('a frozen weight is in memory once, and comes back as it was for whoever reads it', async () => {
  for (const { create } of NARROW.filter(({ name }) => name === 'native')) {
    const backend = create();
    const [out, from] = [70, 33]; // no whole tiles
    const data = Float32Array.from({ length: out * from }, (_, i) => Math.fround(Math.sin(i) / 3));
    data.set([-0, Number.NaN, Number.NEGATIVE_INFINITY, 1e-42]);
    const weight = tensor(data, [out, from], { backend });
    const [x, bias] = [full([3, from], 1, { backend }), full([out], 0, { backend })];
    const plain = x.linear(weight, bias);
    const before = backend.liveBytes;
    weight.multiplyIn('f32', true);
    const frozen = x.linear(weight, bias);
    expect(backend.liveBytes - before).toBe(4 * (64 * from + 3 * out)); // what columns are filled up with, and the result
    expect(weight.dtype).toBe('f32');
    expect(await frozen.data()).toEqual(await plain.data());
    expect(new Int32Array((await weight.data()).buffer)).toEqual(new Int32Array(data.buffer));
    const again = x.linear(weight.multiplyIn('f32', true), bias);
    weight.multiplyIn('f32');
    expect(await again.data()).toEqual(await plain.data());
    expect(await weight.data()).toEqual(data);
    for (const value of [weight, x, bias, plain, frozen, again]) value.dispose();
    expect(backend.liveBytes).toBe(0);
  }
});

test('a frozen weight beside its gradient stays where it is', async () => {
  const { create } = NARROW[0];
  const backend = create();
  const weight = tensor([[1, 2]], undefined, { backend }).multiplyIn('f32', true);
  weight.requiresGrad = true;
  const [x, bias] = [tensor([[3, 1]], undefined, { backend }), tensor([0], undefined, { backend })];
  const loss = x.linear(weight, bias).sum();
  backward(loss);
  const home = weight.buf;
  weight.assign(Float32Array.of(4, 5));
  scope(() => void x.linear(weight, bias));
  expect(weight.buf).toBe(home);
  for (const value of [loss, weight.grad, weight, x, bias]) value?.dispose();
  expect(backend.liveBytes).toBe(0);
});

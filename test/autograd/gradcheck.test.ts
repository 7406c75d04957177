import { expect, test } from '@jest/globals';
import { apply } from '../../src/autograd/apply.js';
import { gradcheck } from '../../src/autograd/gradcheck.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { DtypeError } from '../../src/core/errors.js';
import { exp, mul, mulScalar } from '../../src/ops/elementwise.js';
import type { Op } from '../../src/ops/op.js';
import type { UnaryAttrs } from '../../src/ops/unary-op.js';
import { tensor as create } from '../../src/tensor/create.js';
import { playground } from './graph.js';

test('passes a right gradient, leaves values and grads as they were', async () => {
  const { backend, tensor } = playground();
  const [x, w] = [tensor([[1, -2, 0.5]]), tensor([[0.3], [1], [-1]])];
  const before = backend.liveBytes;
  const report = await gradcheck(() => x.matmul(w).tanh().sum(), [x, w]);
  expect(report).toMatchObject({ ok: true, checked: 6 });
  expect(Array.from(await x.data())).toEqual([1, -2, 0.5]);
  expect([x.grad, w.grad, backend.liveBytes]).toEqual([null, null, before]);
});

test('finds a gradient that is wrong by a millionth, and says where', async () => {
  const { tensor } = playground();
  const wrong: Op<UnaryAttrs> = {
    ...exp,
    backward: ({ out, dOut, run }) => [run(mulScalar, [run(mul, [out, dOut], {})], { c: 1 + 1e-6 })],
  };
  const x = tensor([0.1, 0.2]);
  const report = await gradcheck(() => apply(wrong, [x], { c: 0 }).sum(), [x]);
  expect(report.ok).toBe(false);
  expect(report.worst.input).toBe(0);
  expect(report.worst.analytic / report.worst.numeric).toBeCloseTo(1 + 1e-6, 9);
});

test('an input that the loss does not depend on has gradient 0', async () => {
  const { tensor } = playground();
  const [x, unused] = [tensor([1]), tensor([1])];
  expect((await gradcheck(() => x.square().add(unused.mul(0)).sum(), [x, unused])).ok).toBe(true);
});

test('checks at most `limit` elements of each input', async () => {
  const { tensor } = playground();
  const x = tensor(Array.from({ length: 100 }, (_, i) => i / 50));
  expect((await gradcheck(() => x.square().sum(), [x], { limit: 10 })).checked).toBe(10);
});

test('refuses single precision', async () => {
  const x = create([1], undefined, { backend: createJsBackend('f32') });
  await expect(gradcheck(() => x.square().sum(), [x])).rejects.toThrow(DtypeError);
});

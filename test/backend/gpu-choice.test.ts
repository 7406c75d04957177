// The trial of `auto`, between backends of which one is slow or wrong.
import { expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.js';
import { tryBoth } from '../../src/backend/gpu/choose.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { preset } from '../../src/bert/config.js';
import { productsOf } from '../../src/bert/products.js';

type Matmul = Backend['kernels']['matmul'];
const SIZES = productsOf({ hiddenSize: 4, intermediateSize: 16 }, 8);

/** A backend whose products go through `change`. */
function changed(change: (matmul: Matmul) => Matmul): Backend & { readonly device: { readonly adapter: string } } {
  const backend = createJsBackend('f32');
  const kernels = { ...backend.kernels, matmul: change(backend.kernels.matmul.bind(backend.kernels)) };
  return Object.assign(Object.defineProperty(backend, 'kernels', { value: kernels }), {
    device: { adapter: 'an adapter' },
  });
}
const usual = changed((matmul) => matmul);
const slow = changed((matmul) => (call) => {
  const end = performance.now() + 5;
  while (performance.now() < end);
  matmul(call);
});
const wrong = changed((matmul) => (call) => matmul({ ...call, a: call.b, b: call.a, m: call.n, n: call.m }));

test('products of a model: a projection and both of the feed-forward network', () => {
  expect(productsOf(preset('base', { vocabSize: 8 }), 512)).toEqual([
    { m: 512, n: 768, k: 768 },
    { m: 512, n: 3072, k: 768 },
    { m: 512, n: 768, k: 3072 },
  ]);
});

test('the faster one wins, the slower one says by how much', async () => {
  expect(await tryBoth(usual, slow, SIZES)).toBeNull();
  expect(await tryBoth(slow, usual, SIZES)).toMatch(/^3 products took it \d+\.\d ms, js \d+\.\d ms$/);
});

test('one that computes something else loses, however fast it is', async () => {
  expect(await tryBoth(wrong, slow, SIZES)).toContain('an adapter computes a product otherwise than js');
});

import { describe, expect, test } from '@jest/globals';
import { scope } from '../../src/autograd/scope.js';
import { backward } from '../../src/autograd/tape.js';
import { UsageError } from '../../src/core/errors.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { playground } from './graph.js';

describe('scope', () => {
  test('frees what was made inside, and gives back what is returned', async () => {
    const { backend, tensor } = playground();
    const x = tensor([1, 2, 3]);
    const before = backend.liveBytes;
    const sum = scope(() => x.exp().square().add(1).sum());
    expect(backend.liveBytes).toBe(before + 8);
    expect(await sum.item()).toBeGreaterThan(0);
    expect(x.freed).toBe(false);
  });

  test('lets through what an array or an object holds', () => {
    const { tensor } = playground();
    const x = tensor([1]);
    const [[a], { b, inner }] = scope((): [Tensor[], { b: Tensor; inner: { c: Tensor } }] => [
      [x.add(1)],
      { b: x.add(2), inner: { c: x.add(3) } },
    ]);
    expect([a.freed, b.freed, inner.c.freed]).toEqual([false, false, false]);
  });

  test('what an inner scope returns belongs to the outer one', () => {
    const { backend, tensor } = playground();
    const x = tensor([1]);
    const before = backend.liveBytes;
    scope(() => {
      const y = scope(() => x.add(1).add(2));
      expect(y.freed).toBe(false);
    });
    expect(backend.liveBytes).toBe(before);
  });

  test('keeps what was kept', () => {
    const { tensor } = playground();
    const x = tensor([1]);
    const held: Tensor[] = [];
    scope(() => {
      held.push(x.add(1).keep());
    });
    expect(held[0].freed).toBe(false);
    held[0].dispose();
    held[0].dispose(); // again: nothing happens
    expect(held[0].freed).toBe(true);
  });

  test('frees after an error, too', () => {
    const { backend, tensor } = playground();
    const x = tensor([1, 2]);
    const before = backend.liveBytes;
    expect(() => scope(() => x.exp().add(tensor([1, 2, 3])))).toThrow('add');
    expect(backend.liveBytes).toBe(before);
  });

  test('refuses an asynchronous body, and frees what it had made', () => {
    const { backend, tensor } = playground();
    const x = tensor([1]);
    const before = backend.liveBytes;
    expect(() => scope(async () => x.exp())).toThrow(UsageError);
    expect(backend.liveBytes).toBe(before);
  });

  test('a step of training inside leaves only gradients', () => {
    const { backend, tensor } = playground();
    const x = tensor([[1, 2, 3]]);
    const before = backend.liveBytes;
    for (let step = 0; step < 3; step++) {
      scope(() => backward(x.softmax().matmul(x, { transposeB: true }).sum()));
      expect(backend.liveBytes).toBe(before + 3 * 8); // the gradient of x
    }
  });

  test('a graph that is never walked back is freed with its row statistics', () => {
    const { backend, tensor } = playground();
    const [x, gamma, beta] = [tensor([[1, 2]]), tensor([1, 1]), tensor([0, 0])];
    const before = backend.liveBytes;
    scope(() => {
      x.layerNorm(gamma, beta).sum();
    });
    expect(backend.liveBytes).toBe(before);
  });
});

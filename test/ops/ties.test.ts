// Gradients where finite differences say nothing: at ties, kinks and jumps. The answers are those of PyTorch.
import { describe, expect, test } from '@jest/globals';
import { backward } from '../../src/autograd/tape.js';
import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { BACKENDS } from '../backends.js';

describe.each(BACKENDS)('$name', ({ create, dtype }) => {
  const backend = create();
  const leaf = (...values: number[]): Tensor => tensor(values, undefined, { backend, dtype, requiresGrad: true });
  const gradients = async (loss: Tensor, ...leaves: Tensor[]): Promise<number[][]> => {
    backward(loss);
    return Promise.all(leaves.map(async (x) => Array.from(await (x.grad as Tensor).data())));
  };

  test('abs and relu have slope 0 at 0', async () => {
    const x = leaf(-2, 0, 3);
    expect(await gradients(x.abs().sum(), x)).toEqual([[-1, 0, 1]]);
    const y = leaf(-2, 0, 3);
    expect(await gradients(y.relu().sum(), y)).toEqual([[0, 0, 1]]);
  });

  test('maximum and minimum share at a tie', async () => {
    const [a, b] = [leaf(1, 2, 3), leaf(1, 5, 0)];
    expect(await gradients(a.maximum(b).sum(), a, b)).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    const [c, d] = [leaf(1, 2, 3), leaf(1, 5, 0)];
    expect(await gradients(c.minimum(d).sum(), c, d)).toEqual([
      [0.5, 1, 0],
      [0.5, 0, 1],
    ]);
  });

  test('maximum of a tensor with itself passes the gradient on once', async () => {
    const x = leaf(1, -2);
    expect(await gradients(x.maximum(x).sum(), x)).toEqual([[1, 1]]);
  });

  test('max and min split the gradient evenly among ties', async () => {
    const x = leaf(4, 1, 4, 4, 1, 4);
    expect(await gradients(x.max().mul(8).sum(), x)).toEqual([[2, 0, 2, 2, 0, 2]]);
    const y = leaf(4, 1, 4, 4, 1, 4);
    expect(await gradients(y.min().mul(8).sum(), y)).toEqual([[0, 4, 0, 0, 4, 0]]);
  });

  test('argmax takes the first of equals', async () => {
    expect(Array.from(await leaf(1, 3, 3, 2).argmax().data())).toEqual([1]);
  });

  test('x^0 has slope 0, even at 0', async () => {
    const x = leaf(0, 2);
    expect(await gradients(x.pow(0).sum(), x)).toEqual([[0, 0]]);
  });

  test('equal, greater, less at a tie', async () => {
    const [a, b] = [leaf(1, 2, 3), leaf(1, 3, 2)];
    expect(Array.from(await a.equal(b).data())).toEqual([1, 0, 0]);
    expect(Array.from(await a.greater(b).data())).toEqual([0, 0, 1]);
    expect(Array.from(await a.less(b).data())).toEqual([0, 1, 0]);
  });

  test('an element chosen many times gets as many gradients', async () => {
    const table = tensor([[1], [2]], undefined, { backend, dtype, requiresGrad: true });
    const ids = tensor(Int32Array.of(1, 1, 1), undefined, { backend });
    expect(await gradients(table.gather(ids).sum(), table)).toEqual([[0, 3]]);
  });
});

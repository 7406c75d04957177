import { describe, expect, test } from '@jest/globals';
import { backward } from '../../src/autograd/tape.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { DtypeError, ShapeError } from '../../src/core/errors.js';
import { type CreateOptions, tensor as create, type Nested } from '../../src/tensor/create.js';
import { format } from '../../src/tensor/print.js';
import type { Tensor } from '../../src/tensor/tensor.js';

const backend = createJsBackend('f64');
const tensor = (values: Nested, options: CreateOptions = {}): Tensor =>
  create(values, undefined, { backend, ...options });
const ids = (...values: number[]): Tensor => create(Int32Array.from(values), undefined, { backend });
const values = async (x: Tensor): Promise<number[]> => Array.from(await x.data());

describe('broadcasting', () => {
  test('column and row make a table', async () => {
    const sum = tensor([[1], [2]]).add(tensor([[10, 20, 30]]));
    expect(sum.shape).toEqual([2, 3]);
    expect(await values(sum)).toEqual([11, 21, 31, 12, 22, 32]);
  });

  test('a number stands for a tensor', async () => {
    const x = tensor([1, 2]);
    expect(await values(x.add(1))).toEqual([2, 3]);
    expect(await values(x.sub(1))).toEqual([0, 1]);
    expect(await values(x.mul(3))).toEqual([3, 6]);
    expect(await values(x.div(2))).toEqual([0.5, 1]);
  });

  test('equals an explicit expand, gradient included', async () => {
    const [a, b] = [tensor([[1], [2]], { requiresGrad: true }), tensor([[1], [2]], { requiresGrad: true })];
    const w = tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix
    backward(a.mul(w).sum());
    backward(b.expand([2, 3]).mul(w).sum());
    expect(await values(a.grad as Tensor)).toEqual(await values(b.grad as Tensor));
    expect(await values(a.grad as Tensor)).toEqual([6, 15]);
  });

  test('where broadcasts all three', async () => {
    const chosen = tensor([1, 2, 3]).where(tensor([[1], [0]]), tensor([9]));
    expect(chosen.shape).toEqual([2, 3]);
    expect(await values(chosen)).toEqual([1, 2, 3, 9, 9, 9]);
  });

  test('refuses sizes that do not fit', () => {
    expect(() => tensor([1, 2]).add(tensor([1, 2, 3]))).toThrow(ShapeError);
  });
});

describe('shapes', () => {
  test('reshape works one size out', async () => {
    expect(tensor([1, 2, 3, 4, 5, 6]).reshape([2, -1]).shape).toEqual([2, 3]);
    expect(tensor([[1, 2]]).reshape([-1]).shape).toEqual([2]);
    expect(() => tensor([1, 2, 3]).reshape([2, -1])).toThrow(ShapeError);
    expect(() => tensor([1, 2, 3, 4]).reshape([-1, -1])).toThrow(ShapeError);
  });

  test('transpose swaps the last two axes, or any', async () => {
    const x = tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix
    expect(await values(x.transpose())).toEqual([1, 4, 2, 5, 3, 6]);
    expect(x.reshape([1, 2, 3]).transpose(0, -1).shape).toEqual([3, 2, 1]);
  });

  test('axes may be counted from the back', async () => {
    const x = tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix
    expect(await values(x.sum(-1))).toEqual([6, 15]);
    expect(x.mean(-2, true).shape).toEqual([1, 3]);
    expect(await values(x.max([0, 1]))).toEqual([6]);
    expect(await values(x.min())).toEqual([1]);
    expect(await values(x.slice(-1, 1, 2))).toEqual([2, 5]);
    expect(x.concat([x], -1).shape).toEqual([2, 6]);
    expect(() => x.sum(2)).toThrow(ShapeError);
  });

  test('item wants one element', async () => {
    expect(await tensor([[7]]).item()).toBe(7);
    await expect(tensor([1, 2]).item()).rejects.toThrow(ShapeError);
  });
});

describe('ids are checked on the host, before a kernel reads with them', () => {
  const table = tensor([[1, 2], [3, 4], [5, 6]]); // biome-ignore format: a matrix

  test('gather', async () => {
    expect(await values(table.gather(ids(2, 0)))).toEqual([5, 6, 1, 2]);
    expect(() => table.gather(ids(0, 3))).toThrow('gather: ids must lie in 0 .. 2; these reach from 0 to 3');
    expect(() => table.gather(ids(-1))).toThrow(ShapeError);
    expect(table.gather(ids()).shape).toEqual([0, 2]);
  });

  test('labels: a class or ignoreIndex, and no other negative number', async () => {
    const logits = tensor([[0, 0], [0, 0], [0, 0]]); // biome-ignore format: a matrix
    const losses = await values(logits.crossEntropy(ids(0, -100, 1), { scale: null }));
    expect(losses).toEqual([Math.LN2, 0, Math.LN2]);
    expect(await logits.crossEntropy(Int32Array.of(-1, -1, -1), { ignoreIndex: -1 }).item()).toBe(0);
    expect(() => logits.crossEntropy(ids(0, 2, 1))).toThrow(ShapeError);
    expect(() => logits.crossEntropy(ids(0, -5, 1))).toThrow(ShapeError);
    expect(() => logits.crossEntropy(ids(-100, -5, 1))).toThrow(ShapeError);
    expect(() => logits.crossEntropy(ids(0, 7, 1), { ignoreIndex: 7 })).toThrow(ShapeError);
  });

  test('the mean over all labels is the default', async () => {
    expect(await tensor([[0, 0], [0, 0]]).crossEntropy(ids(0, 1)).item()).toBeCloseTo(Math.LN2, 15); // biome-ignore format: a matrix
  });

  test('argmax knows its own range; assign makes it known anew', () => {
    expect(table.gather(tensor([[1, 2, 0]]).argmax()).shape).toEqual([1, 2]);
    expect(() => table.gather(tensor([[0, 0, 0, 9]]).argmax())).toThrow(ShapeError);
    const changing = ids(0, 1);
    changing.assign(Int32Array.of(0, 9));
    expect(() => table.gather(changing)).toThrow(ShapeError);
  });

  test('offsets of attention lie within the rows', () => {
    const q = tensor([[1, 2], [3, 4]]); // biome-ignore format: a matrix
    const attrs = { heads: 1, scale: 1, maxSeq: 2, dropout: null };
    expect(q.attention(q, q, tensor([0, 0]), ids(0, 2), attrs).shape).toEqual([2, 2]);
    expect(() => q.attention(q, q, tensor([0, 0]), ids(0, 5), attrs)).toThrow(ShapeError);
  });
});

describe('assign', () => {
  test('replaces values in place', async () => {
    const x = tensor([1, 2]);
    expect(await values(x.assign(Float64Array.of(3, 4)))).toEqual([3, 4]);
  });
  test('refuses another size, and floats for integers', () => {
    expect(() => tensor([1, 2]).assign(Float64Array.of(3))).toThrow(ShapeError);
    expect(() => ids(1).assign(Float64Array.of(3))).toThrow(DtypeError);
    expect(() => tensor([1]).assign(Int32Array.of(3))).toThrow(DtypeError);
  });
});

describe('format', () => {
  test('scalars, vectors, nested lists', async () => {
    expect(await format(tensor(1.5))).toBe('f64[] 1.500');
    expect(await format(tensor([1, 2.25]))).toBe('f64[2] [1, 2.250]');
    expect(await format(ids(3))).toBe('i32[1] [3]');
    expect(await format(tensor([[1, 2], [3, 4]]))).toBe('f64[2, 2] [[1, 2],\n [3, 4]]'); // biome-ignore format: a matrix
  });
  test('long axes are shortened', async () => {
    const x = tensor(Array.from({ length: 9 }, (_, i) => i));
    expect(await format(x)).toBe('f64[9] [0, 1, 2, ..., 6, 7, 8]');
  });
  test('an axis of no elements', async () => {
    expect(await format(create(new Float64Array(0), [0, 3], { backend }))).toBe('f64[0, 3] []');
    expect(await format(create(new Float64Array(0), [2, 0], { backend }))).toBe('f64[2, 0] [[],\n []]');
  });
});

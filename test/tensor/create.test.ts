import { afterEach, describe, expect, test } from '@jest/globals';
import { createJsBackend } from '../../src/backend/js/index.js';
import { defaultBackend, useBackend } from '../../src/backend/select.js';
import { DtypeError, ShapeError } from '../../src/core/errors.js';
import { arange, fromDraws, full, ones, tensor, zeros } from '../../src/tensor/create.js';

const backend = createJsBackend('f32');

describe('tensor', () => {
  test('from nested lists', async () => {
    const x = tensor([[1, 2, 3], [4, 5, 6]], undefined, { backend }); // biome-ignore format: a matrix
    expect([x.shape, x.dtype, x.rank, x.size]).toEqual([[2, 3], 'f32', 2, 6]);
    expect(await x.data()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
  });

  test('from a number, and from nothing', () => {
    expect(tensor(5, undefined, { backend }).shape).toEqual([]);
    expect(tensor([], undefined, { backend }).shape).toEqual([0]);
    expect(tensor([[], []], undefined, { backend }).shape).toEqual([2, 0]);
  });

  test('from typed arrays: floats take the type of the backend, integers stay', async () => {
    const x = tensor(Float64Array.of(0.1), undefined, { backend });
    expect(await x.data()).toEqual(Float32Array.of(0.1));
    expect(tensor(Int32Array.of(1), undefined, { backend }).dtype).toBe('i32');
    expect(tensor(new Float32Array(6), [2, 3], { backend }).shape).toEqual([2, 3]);
    expect(tensor([1, 2], undefined, { backend, dtype: 'i32' }).dtype).toBe('i32');
  });

  test('copies: changing the array afterwards changes nothing', async () => {
    const host = Float32Array.of(1, 2);
    const x = tensor(host, undefined, { backend });
    host[0] = 9;
    expect(await x.data()).toEqual(Float32Array.of(1, 2));
  });

  test('refuses ragged lists, wrong sizes, integers that want a gradient', () => {
    const before = backend.liveBytes;
    expect(() => tensor([[1, 2], [3]], undefined, { backend })).toThrow('rows of a nested list must have one length');
    expect(() => tensor([[1], 2], undefined, { backend })).toThrow(ShapeError);
    expect(() => tensor([1, 2, 3], [2, 2], { backend })).toThrow('tensor: 3 values do not fill this shape; got [2, 2]');
    expect(() => tensor([1, 2, 3], [1.5, 2], { backend })).toThrow(ShapeError);
    expect(() => zeros([2, -3], { backend })).toThrow(ShapeError);
    expect(() => tensor(Int32Array.of(1), undefined, { backend, requiresGrad: true })).toThrow(DtypeError);
    expect(backend.liveBytes).toBe(before);
  });
});

describe('the others', () => {
  test('full, zeros, ones, arange', async () => {
    expect(await full([2], 7, { backend }).data()).toEqual(Float32Array.of(7, 7));
    expect(await zeros([1, 2], { backend }).data()).toEqual(Float32Array.of(0, 0));
    expect(await ones([], { backend }).item()).toBe(1);
    expect(await arange(3, { backend }).data()).toEqual(Float32Array.of(0, 1, 2));
    expect(await arange(2, { backend, dtype: 'i32' }).data()).toEqual(Int32Array.of(0, 1));
    expect((await full([0], 3, { backend, dtype: 'i32' }).data()).length).toBe(0);
  });

  test('fromDraws fills in row-major order, and rounds once', async () => {
    let next = 0;
    const draw = (): number => {
      next += 0.1;
      return next;
    };
    const x = fromDraws([2, 2], draw, undefined, { backend });
    expect(await x.data()).toEqual(Float32Array.of(0.1, 0.2, 0.1 + 0.1 + 0.1, 0.1 + 0.1 + 0.1 + 0.1));
  });
});

describe('the default backend', () => {
  const before = defaultBackend();
  afterEach(() => {
    useBackend(before);
  });
  test('is used where none is named', () => {
    useBackend(backend);
    expect(zeros([1]).backend).toBe(backend);
  });
});

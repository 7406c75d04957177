import { describe, expect, test } from '@jest/globals';
import { formKeys, formName, type MatmulForm } from '../../src/backend/gpu/fast/matmul-form.js';
import { TILES } from '../../src/backend/gpu/fast/tiles.js';
import { Memo } from '../../src/backend/gpu/spec.js';

describe('what is made once', () => {
  test('is told apart by every key and by their order, until it is cleared', () => {
    const [memo, slab] = [new Memo<object>(), {}];
    const get = (...keys: unknown[]): object => memo.get(keys, () => ({}));
    const one = get(slab, 0, 256);
    expect(get(slab, 0, 256)).toBe(one);
    for (const keys of [
      [slab, 256, 0],
      [{}, 0, 256],
      [slab, 0],
      [slab, 0, 256, 0],
    ])
      expect(get(...keys)).not.toBe(one);
    expect(memo.size).toBe(5);
    memo.clear();
    expect([memo.size, get(slab, 0, 256) === one]).toEqual([0, false]);
  });

  test('a matmul kernel: forms of different names have different keys', () => {
    const flags = ['transposeA', 'transposeB', 'vectorA', 'vectorB', 'vectorY', 'wholeK', 'split', 'bias', 'pre'];
    const of = (bits: number) => Object.fromEntries(flags.map((flag, i) => [flag, (bits & (1 << i)) !== 0]));
    const [names, keys] = [new Set<string>(), new Set<string>()];
    for (const tile of TILES) {
      for (const [end, fn] of [
        ['store', ''],
        ['add', ''],
        ['activate', 'gelu'],
        ['activate', 'relu'],
        ['slope', 'gelu'],
      ]) {
        for (let bits = 0; bits < 2 ** flags.length; bits++) {
          const form = { tile, end, fn, ...of(bits) } as unknown as MatmulForm;
          names.add(formName(form));
          keys.add(JSON.stringify(formKeys(form)));
        }
      }
    }
    expect([names.size, keys.size]).toEqual([9 * 5 * 512, 9 * 5 * 512]);
  });
});

import { describe, expect, test } from '@jest/globals';
import { dropThreshold, philox, Rng, randomRow, randomRowStride, seedWords } from '../../src/core/random.js';

/** Known answers of Random123 1.09, kat_vectors, "philox4x32 10": counter, key, result. */
const KNOWN: readonly (readonly [counter: number[], key: number[], words: number[]])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

test.each(KNOWN)('philox of counter %p and key %p', ([c0, c1, c2, c3], [k0, k1], words) => {
  const out = new Uint32Array(4);
  philox(out, c0, c1, c2, c3, k0, k1);
  expect(Array.from(out)).toEqual(words);
});

test('a seed of up to 53 bits makes two key words', () => {
  expect(seedWords(0)).toEqual([0, 0]);
  expect(seedWords(2 ** 32 + 5)).toEqual([5, 1]);
  expect(seedWords(2 ** 53 - 1)).toEqual([0xffffffff, 0x1fffff]);
});

describe('randomRow', () => {
  const key = { seed: 2 ** 40 + 3, stream: 11, step: 7, row: 5 };
  const rowOf = (cols: number, row: number, at = key): number[] => {
    const out = new Uint32Array(cols);
    randomRow(out, cols, row, at);
    return Array.from(out);
  };

  test.each([1, 15, 16, 17, 63, 64, 65, 130])('%p columns are laid out as the comment says', (cols) => {
    const words = new Uint32Array(4);
    const want = Array.from({ length: cols }, (_, j) => {
      const counter = ((key.row + 2) * randomRowStride(cols)) / 4 + Math.floor(j / 64) * 16 + (j % 16);
      philox(words, counter, 0, key.step, key.stream, 3, 2 ** 8);
      return words[Math.floor(j / 16) % 4];
    });
    expect(rowOf(cols, 2)).toEqual(want);
  });

  test('the key row shifts rows, so that micro-batches continue one another', () => {
    expect(rowOf(20, 3)).toEqual(rowOf(20, 0, { ...key, row: key.row + 3 }));
  });

  test('rows, steps, streams and seeds share no numbers', () => {
    const rows = [
      rowOf(64, 0),
      rowOf(64, 1),
      rowOf(64, 0, { ...key, step: 8 }),
      rowOf(64, 0, { ...key, stream: 12 }),
      rowOf(64, 0, { ...key, seed: 4 }),
    ].flat();
    expect(new Set(rows).size).toBe(rows.length);
  });

  test('counters beyond 2^32 carry into the second word', () => {
    const far = rowOf(64, 0, { ...key, row: 2 ** 30 });
    expect(far).not.toEqual(rowOf(64, 0, { ...key, row: 0 }));
    expect(far).toEqual(rowOf(64, 1, { ...key, row: 2 ** 30 - 1 }));
  });
});

test('dropThreshold is the share of 2^32', () => {
  expect(dropThreshold(0)).toBe(0);
  expect(dropThreshold(0.5)).toBe(2 ** 31);
  expect(dropThreshold(1 - 2 ** -40)).toBe(2 ** 32 - 1);
});

describe('Rng', () => {
  const rng = (): Rng => new Rng(42, 900);

  test('the same key gives the same numbers, another gives others', () => {
    const [a, b, c] = [rng(), rng(), new Rng(42, 900, 1)];
    const [x, y, z] = [a, b, c].map((r) => Array.from({ length: 9 }, () => r.next()));
    expect(x).toEqual(y);
    expect(x).not.toEqual(z);
  });

  test('uniform fills [0, 1) evenly', () => {
    const draws = rng();
    const cells = new Array<number>(64).fill(0);
    const n = 64_000;
    for (let i = 0; i < n; i++) cells[Math.floor(draws.uniform() * 64)]++;
    const expected = n / 64;
    const chiSquare = cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(114); // 63 degrees of freedom: exceeded once in 10,000 seeds
    expect(chiSquare).toBeGreaterThan(30); // nor more even than chance
  });

  test.each([1, 2, 10, 3 * 2 ** 30])('int(%p) stays below and is unbiased', (n) => {
    const draws = rng();
    const halves = [0, 0];
    for (let i = 0; i < 20_000; i++) {
      const value = draws.int(n);
      if (!(Number.isInteger(value) && value >= 0 && value < n)) throw new Error(`${value} is not below ${n}`);
      halves[value < n / 2 ? 0 : 1]++;
    }
    // Five standard deviations of a fair coin. Without rejection, int(3 * 2^30) would give 2/3 in the lower half.
    if (n > 1) expect(Math.abs(halves[0] - halves[1])).toBeLessThan(5 * Math.sqrt(20_000));
  });

  test('normal has mean 0, variance 1 and the tails of a normal', () => {
    const draws = rng();
    const values = Array.from({ length: 40_000 }, () => draws.normal());
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    const beyond = values.filter((x) => Math.abs(x) > 1.959964).length / values.length;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(40_000));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / 40_000));
    expect(Math.abs(beyond - 0.05)).toBeLessThan(4 * Math.sqrt((0.05 * 0.95) / 40_000));
  });

  test('shuffle keeps all items, and every order is equally likely', () => {
    const draws = rng();
    const orders = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = draws.shuffle(['a', 'b', 'c']).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect([...orders.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    for (const count of orders.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });
});

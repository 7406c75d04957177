import { describe, expect, test } from '@jest/globals';
import {
  DROPOUT_ROUNDS,
  dropThreshold,
  philox,
  Rng,
  randomRow,
  randomRowStride,
  seedWords,
} from '../../src/core/random.js';

/** Known answers of Random123 1.09, kat_vectors, "philox4x32 10" and "philox4x32 7": counter, key, results. */
const KNOWN: readonly (readonly [counter: number[], key: number[], ten: number[], seven: number[]])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    [0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    [0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    [0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a],
  ],
];

test.each(KNOWN)('philox of counter %p and key %p', ([c0, c1, c2, c3], [k0, k1], ten, seven) => {
  const out = new Uint32Array(4);
  philox(out, c0, c1, c2, c3, k0, k1);
  expect(Array.from(out)).toEqual(ten);
  philox(out, c0, c1, c2, c3, k0, k1, DROPOUT_ROUNDS);
  expect(Array.from(out)).toEqual(seven);
});

test('a seed of up to 53 bits makes two key words', () => {
  expect(seedWords(0)).toEqual([0, 0]);
  expect(seedWords(2 ** 32 + 5)).toEqual([5, 1]);
  expect(seedWords(2 ** 53 - 1)).toEqual([0xffffffff, 0x1fffff]);
});

describe('randomRow', () => {
  const key = { seed: 2 ** 40 + 3, stream: 11, step: 7, row: 5 };
  const rowOf = (cols: number, row: number, at = key): number[] => {
    const out = new Uint16Array(cols);
    randomRow(out, cols, row, at);
    return Array.from(out);
  };

  test.each([1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 260])('%p columns are laid out as the comment says', (cols) => {
    const words = new Uint32Array(4);
    const want = Array.from({ length: cols }, (_, j) => {
      const counter = ((key.row + 2) * randomRowStride(cols)) / 8 + Math.floor(j / 128) * 16 + (j % 16);
      philox(words, counter, 0, key.step, key.stream, 3, 2 ** 8, DROPOUT_ROUNDS);
      const word = words[Math.floor(j / 16) % 4];
      return j % 128 < 64 ? word % 2 ** 16 : Math.floor(word / 2 ** 16);
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
    // 320 draws out of 2^16: equal pairs to be expected 0.8, more than 7 once in a million seeds.
    expect(new Set(rows).size).toBeGreaterThan(rows.length - 7);
  });

  test('counters beyond 2^32 carry into the second word', () => {
    const far = rowOf(64, 0, { ...key, row: 2 ** 30 });
    expect(far).not.toEqual(rowOf(64, 0, { ...key, row: 0 }));
    expect(far).toEqual(rowOf(64, 1, { ...key, row: 2 ** 30 - 1 }));
  });
});

test('dropThreshold is the share of 2^16', () => {
  expect(dropThreshold(0)).toBe(0);
  expect(dropThreshold(0.1)).toBe(6554);
  expect(dropThreshold(0.5)).toBe(2 ** 15);
  expect(dropThreshold(1 - 2 ** -40)).toBe(2 ** 16 - 1);
});

test('numbers of rows are even, and neighbours know nothing of each other', () => {
  const [rows, cols] = [200, 256];
  const numbers = Array.from({ length: rows }, (_, row) => {
    const out = new Uint16Array(cols);
    randomRow(out, cols, row, { seed: 6, stream: 1024, step: 12, row: 0 });
    return out;
  });
  // Chi square over pairs of cells, 16 x 16: 255 degrees of freedom, beyond 347 once in 10,000 seeds.
  const pairsAt = (columns: number, down: number): number => {
    const cells = new Float64Array(256);
    let count = 0;
    for (let row = 0; row + down < rows; row++) {
      for (let col = 0; col + columns < cols; col++, count++)
        cells[(numbers[row][col] >> 12) * 16 + (numbers[row + down][col + columns] >> 12)]++;
    }
    return cells.reduce((sum, n) => sum + (n - count / 256) ** 2 / (count / 256), 0);
  };
  // The next element, the next word of a lane, the other half of a word, the next block, the next row.
  for (const [columns, down] of [
    [1, 0],
    [16, 0],
    [64, 0],
    [128, 0],
    [0, 1],
  ]) {
    expect(pairsAt(columns, down)).toBeLessThan(347);
    expect(pairsAt(columns, down)).toBeGreaterThan(180);
  }
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

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { median, quantile, ratioOfMedians, summarize, uTest } from '../../src/bench/stats.js';
import { Rng } from '../../src/core/random.js';

interface Golden {
  readonly cases: readonly { a: number[]; b: number[]; p: number; quantiles: number[] }[];
}
const { cases } = JSON.parse(readFileSync('test/golden/statistics.json', 'utf8')) as Golden;

describe('as scipy and numpy have it', () => {
  test.each(cases.map((c, i) => ({ name: `${i}: ${c.a.length} and ${c.b.length} values`, ...c })))(
    '$name',
    ({ a, b, p, quantiles }) => {
      // The exact test is exact; the normal distribution is approximated to 1.5e-7, twice that for two sides.
      expect(Math.abs(uTest(a, b) - p)).toBeLessThanOrEqual(4e-7);
      expect(uTest(b, a)).toBeCloseTo(uTest(a, b), 12);
      [0, 0.05, 0.5, 0.95, 1].forEach((share, i) => {
        expect(quantile(a, share)).toBeCloseTo(quantiles[i], 12);
      });
    },
  );
});

test('one stall moves no median, and hardly the spread', () => {
  const calm = [1.01, 0.99, 1, 1.02, 0.98];
  expect(median([...calm, 50])).toBeLessThan(1.02);
  expect(summarize([...calm, 50])).toMatchObject({ n: 6, min: 0.98 });
  expect(summarize([...calm, 50]).spread).toBeLessThan(0.03);
});

test('the interval of a ratio holds the true one, and is the same every time', () => {
  const rng = new Rng(5, 1);
  const draw = (scale: number): number[] => Array.from({ length: 30 }, () => scale * (1 + 0.05 * rng.normal()));
  const [a, b] = [draw(2), draw(1)];
  const found = ratioOfMedians(a, b);
  expect(found.low).toBeLessThan(2);
  expect(found.high).toBeGreaterThan(2);
  expect(found.high - found.low).toBeLessThan(0.2);
  expect(ratioOfMedians(a, b)).toEqual(found);
});

test('of 200 pairs of one distribution about one in twenty passes for different', () => {
  const rng = new Rng(11, 2);
  const draw = (): number[] => Array.from({ length: 12 }, () => rng.normal());
  const found = Array.from({ length: 200 }, () => uTest(draw(), draw())).filter((p) => p < 0.05).length;
  expect(found).toBeLessThanOrEqual(10 + 3 * Math.sqrt(200 * 0.05 * 0.95)); // 3 sigma
});

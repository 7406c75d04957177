import { describe, expect, test } from '@jest/globals';
import { erf, erfc } from '../../src/core/special.js';

/** x, erf x, erfc x: mpmath at 200 bits, rounded to double. */
const KNOWN: readonly (readonly [x: number, erf: number, erfc: number])[] = [
  [1e-300, 1.1283791670955126e-300, 1],
  [1e-10, 1.1283791670955126e-10, 0.999999999887162],
  [0.1, 0.1124629160182849, 0.887537083981715],
  [0.25, 0.27632639016823696, 0.7236736098317631],
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [0.84, 0.7651427114549945, 0.23485728854500548],
  [0.85, 0.7706680576083526, 0.22933194239164748],
  [1, 0.8427007929497149, 0.15729920705028513],
  [1.2, 0.9103139782296353, 0.08968602177036464],
  [1.25, 0.9229001282564583, 0.07709987174354177],
  [1.7, 0.9837904585907745, 0.01620954140922544],
  [2.5, 0.999593047982555, 0.0004069520174449589],
  [2.857, 0.9999466417399131, 5.3358260086846374e-5],
  [3, 0.9999779095030014, 2.209049699858544e-5],
  [4.5, 0.9999999998033839, 1.9661604415428876e-10],
  [5.9, 0.9999999999999999, 7.190409783550478e-17],
  [6.5, 1, 3.8421483271206475e-20],
  [10, 1, 2.088487583762545e-45],
  [20, 1, 5.395865611607901e-176],
  [26.5, 1, 2.2109076642637343e-307],
];

/** Of the last place: half a unit each of the result and of what it is compared with, and the error of the method. */
const within = (units: number, got: number, want: number): void =>
  expect(Math.abs(got - want)).toBeLessThanOrEqual(units * 2 ** -52 * Math.abs(want));

describe.each(KNOWN)('at %p', (x, value, rest) => {
  test('erf and its mirror image', () => {
    within(1, erf(x), value);
    expect(erf(-x)).toBe(-erf(x));
  });
  test('erfc, and 2 minus it on the other side', () => {
    within(3, erfc(x), rest);
    within(1, erfc(-x), 1 + value);
  });
});

test('ends and NaN', () => {
  expect([erf(Infinity), erf(-Infinity), erfc(Infinity), erfc(-Infinity)]).toEqual([1, -1, 0, 2]);
  expect([erf(0), erfc(0)]).toEqual([0, 1]);
  expect(Object.is(erf(-0), -0)).toBe(true);
  expect([erf(Number.NaN), erfc(Number.NaN)]).toEqual([Number.NaN, Number.NaN]);
});

test('the pieces fit: no step where the formula changes', () => {
  for (const border of [0.84375, 1.25, 1 / 0.35]) {
    const [low, high] = [border - 1e-9, border];
    const slope = (2 / Math.sqrt(Math.PI)) * Math.exp(-border * border);
    // Both values are rounded, each to half of 2^-53.
    expect(Math.abs(erf(high) - erf(low) - slope * (high - low))).toBeLessThanOrEqual(2 ** -52);
  }
});

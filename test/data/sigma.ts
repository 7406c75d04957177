import { expect } from '@jest/globals';

/** How many standard deviations `hits` of `n` lie from the share `p`. */
export const sigmas = (hits: number, n: number, p: number): number =>
  Math.abs(hits - n * p) / Math.sqrt(n * p * (1 - p));

/**
 * The share is `p` within 3 standard deviations, and there are draws enough that the share `wrong` would have been found
 * out: it lies at least 6 away, so that it passes the first test once in a thousand.
 */
export function expectShare(hits: number, n: number, p: number, wrong: number): void {
  expect(sigmas(n * wrong, n, p)).toBeGreaterThan(6);
  expect(sigmas(hits, n, p)).toBeLessThan(3);
}

/** Counts of equally likely outcomes: chi squared within 3 standard deviations of its mean. */
export function expectUniform(counts: readonly number[]): void {
  const mean = counts.reduce((sum, c) => sum + c, 0) / counts.length;
  const chi = counts.reduce((sum, c) => sum + (c - mean) ** 2 / mean, 0);
  const degrees = counts.length - 1;
  expect(Math.abs(chi - degrees) / Math.sqrt(2 * degrees)).toBeLessThan(3);
}

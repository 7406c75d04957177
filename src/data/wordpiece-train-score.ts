/** Which pair of pieces becomes the next piece. */
export type Rule = 'frequency' | 'likelihood';

/** 1, 1/3, 1/5, … */
const INVERSES = Float64Array.from({ length: 12 }, (_, k) => 1 / (2 * k + 1));

const TABLE_LENGTH = 1 << 14;
/** x ln x of small counts, which are most; made when it is first asked, for the library is loaded for other things, too. */
let table: Float64Array | null = null;

/** x ln x, at 0 its limit 0. */
export function xLnX(x: number): number {
  if (x >= TABLE_LENGTH) return x * ln(x);
  table ??= Float64Array.from({ length: TABLE_LENGTH }, (_, i) => (i === 0 ? 0 : i * ln(i)));
  return table[x];
}

/**
 * Natural logarithm of x >= 1 by additions, multiplications and divisions alone: equal bits on every engine, which
 * `Math.log` does not promise, and a vocabulary must not depend on that. Error below 1e-15 of the result.
 */
export function ln(x: number): number {
  let exponent = 0;
  let m = x;
  while (m > 1.5) {
    m /= 2;
    exponent++;
  }
  const s = (m - 1) / (m + 1); // |s| <= 1/5, so that twelve terms of 2 atanh(s) are enough
  const s2 = s * s;
  let sum = 0;
  for (let k = INVERSES.length - 1; k >= 0; k--) sum = sum * s2 + INVERSES[k];
  return exponent * Math.LN2 + 2 * s * sum;
}

/**
 * By how much the log likelihood of the corpus under a unigram model of pieces, sum of n ln(n / total), grows when a pair
 * becomes one new piece: the criterion of Schuster and Nakajima 2012 for one step, with the other pieces as they are.
 * @param pair how often the pair occurs
 * @param left how often its left piece occurs; `right` likewise; equal pieces lose two a pair
 * @param total how many pieces the corpus has
 */
export function likelihoodGain(pair: number, left: number, right: number, same: boolean, total: number): number {
  const parts = same
    ? xLnX(Math.max(0, left - 2 * pair)) - xLnX(left)
    : xLnX(left - pair) - xLnX(left) + xLnX(right - pair) - xLnX(right);
  return parts + xLnX(pair) - xLnX(total - pair) + xLnX(total);
}

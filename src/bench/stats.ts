import { Rng } from '../core/random.js';

/** Random numbers of resampling have a stream of their own. */
const STREAM_BOOTSTRAP = 910;

const rising = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/** The value that so large a share of all values does not exceed, between neighbours by line (Hyndman and Fan 1996, type 7). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = rising(values);
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return (sorted[low] as number) + (at - low) * ((sorted[high] as number) - (sorted[low] as number));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** What a table says of repeated measurements; never a mean, which one stall moves. */
export interface Summary {
  readonly n: number;
  readonly median: number;
  readonly min: number;
  readonly p95: number;
  /** Median distance from the median, as a share of it. */
  readonly spread: number;
}

export function summarize(values: readonly number[]): Summary {
  const middle = median(values);
  const distances = values.map((value) => Math.abs(value - middle));
  return {
    n: values.length,
    median: middle,
    min: Math.min(...values),
    p95: quantile(values, 0.95),
    spread: middle === 0 ? 0 : median(distances) / middle,
  };
}

export interface Interval {
  readonly ratio: number;
  /** Ends of the 95 % interval. */
  readonly low: number;
  readonly high: number;
}

/** Of a quantile of two samples, with a 95 % interval from 2,000 resamplings (Efron 1979); the same input gives the same numbers. */
export function ratioOfQuantiles(a: readonly number[], b: readonly number[], share: number): Interval {
  const rng = new Rng(1, STREAM_BOOTSTRAP);
  const again = (values: readonly number[]): number[] => values.map(() => values[rng.int(values.length)] as number);
  const ratios = Array.from({ length: 2000 }, () => quantile(again(a), share) / quantile(again(b), share));
  return {
    ratio: quantile(a, share) / quantile(b, share),
    low: quantile(ratios, 0.025),
    high: quantile(ratios, 0.975),
  };
}

/** median(a) / median(b), with its interval. */
export const ratioOfMedians = (a: readonly number[], b: readonly number[]): Interval => ratioOfQuantiles(a, b, 0.5);

/** Ranks from 1 of all values together, equal ones sharing the mean of theirs; and the sum of t^3 - t over ties. */
function ranksOf(values: readonly number[]): { ranks: number[]; ties: number } {
  const order = values.map((_, i) => i).sort((i, j) => (values[i] as number) - (values[j] as number));
  const ranks = new Array<number>(values.length);
  let ties = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end < order.length && values[order[end] as number] === values[order[start] as number]) end++;
    for (let i = start; i < end; i++) ranks[order[i] as number] = (start + end + 1) / 2;
    ties += (end - start) ** 3 - (end - start);
    start = end;
  }
  return { ranks, ties };
}

/** How many of the ways to mix n and m different values give each U from 0 to n m. */
function waysOf(n: number, m: number): number[] {
  // counts[k] after i values of the first kind: the ways to reach U = k with i of them (Mann and Whitney 1947, sec. 3).
  let counts: number[][] = Array.from({ length: m + 1 }, () => [1]);
  for (let i = 1; i <= n; i++) {
    const next: number[][] = [[1]];
    for (let j = 1; j <= m; j++) {
      const ways = new Array<number>(i * j + 1).fill(0);
      (counts[j] as number[]).forEach((c, u) => {
        ways[u + j] = (ways[u + j] as number) + c; // the largest is of the first kind: it beats all j
      });
      (next[j - 1] as number[]).forEach((c, u) => {
        ways[u] = (ways[u] as number) + c;
      });
      next.push(ways);
    }
    counts = next;
  }
  return counts[m] as number[];
}

/** Upper tail of the standard normal distribution (Abramowitz and Stegun 7.1.26 has 1.5e-7; enough for a verdict). */
function upperTail(z: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = 0.5 * poly * Math.exp((-z * z) / 2);
  return z >= 0 ? tail : 1 - tail;
}

/**
 * Two-sided p of the Mann-Whitney U test: how likely two samples as different as these are, were they of one
 * distribution. Exact where one has at most 8 values and none are equal; else by the normal distribution, corrected
 * for ties and continuity (as scipy.stats.mannwhitneyu does).
 */
export function uTest(a: readonly number[], b: readonly number[]): number {
  const [n, m] = [a.length, b.length];
  const { ranks, ties } = ranksOf([...a, ...b]);
  const sumA = ranks.slice(0, n).reduce((sum, rank) => sum + rank, 0);
  const u = Math.max(sumA - (n * (n + 1)) / 2, n * m - (sumA - (n * (n + 1)) / 2));
  if (ties === 0 && Math.min(n, m) <= 8) {
    const ways = waysOf(n, m);
    const all = ways.reduce((sum, w) => sum + w, 0);
    return Math.min(1, (2 * ways.slice(u).reduce((sum, w) => sum + w, 0)) / all);
  }
  const total = n + m;
  const variance = ((n * m) / 12) * (total + 1 - ties / (total * (total - 1)));
  if (variance === 0) return 1;
  return Math.min(1, 2 * upperTail((u - (n * m) / 2 - 0.5) / Math.sqrt(variance)));
}

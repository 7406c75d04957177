// Bound of attention; see bounds.ts for the notation.
import { dropThreshold, randomRow, randomRowStride } from '../../src/core/random.js';
import type { AttentionAttrs } from '../../src/ops/attention.js';
import type { BoundOf } from './bounds.js';
import type { Case } from './evaluate.js';
import { gamma, TINY, U } from './rounding.js';

/** What each probability is multiplied with. */
function keepFactors(
  { dropout, heads, maxSeq }: AttentionAttrs,
  sequence: number,
  head: number,
  query: number,
): number[] {
  if (dropout === null || dropout.rate === 0) return new Array<number>(maxSeq).fill(1);
  const words = new Uint16Array(randomRowStride(maxSeq));
  randomRow(words, maxSeq, (sequence * heads + head) * maxSeq + query, dropout.key);
  const threshold = dropThreshold(dropout.rate);
  return Array.from({ length: maxSeq }, (_, j) => (words[j] >= threshold ? 1 / (1 - dropout.rate) : 0));
}

/** Calls `visit` for each head of each query: its row, the rows of its sequence, the head's first column. */
function eachQuery(
  c: Case,
  visit: (query: number, queries: number, first: number, length: number, column: number, keep: number[]) => void,
): void {
  const attrs = c.attrs as AttentionAttrs;
  const offsets = c.data[4].data;
  const starts = (c.data[5] ?? c.data[4]).data;
  const places = c.data[6]?.data;
  const headDim = c.data[0].shape[1] / attrs.heads;
  for (let s = 0; s + 1 < offsets.length; s++) {
    for (let head = 0; head < attrs.heads; head++) {
      for (let i = starts[s]; i < starts[s + 1]; i++) {
        const keep = keepFactors(attrs, s, head, places?.[i] ?? i - offsets[s]);
        visit(i, starts[s + 1] - starts[s], offsets[s], offsets[s + 1] - offsets[s], head * headDim, keep);
      }
    }
  }
}

/**
 * A score is off by gamma_d of its terms and a rounding of what bias and score add up to; a probability P by twice the
 * largest such error of its row, the spread's rounding, and gamma_n. Sums over keys add gamma_n of their terms, sums
 * over headDim gamma_d, those over queries likewise. With B = M |dOut| |v| and C = sum P B bounding both parts of dS = P (dP - D), its error is
 * P (B + C) times twice that of P and the roundings of the sums; dQ, dK and dV sum these up.
 */
export const attentionBound: BoundOf = (c) => {
  const { heads, scale } = c.attrs as AttentionAttrs;
  const [q, k, v, bias] = c.data.map((input) => input.data);
  const width = c.data[0].shape[1];
  const d = width / heads;
  const [out, dQ, dK, dV] = [q, q, k, k].map(({ length }) => new Float64Array(length).fill(TINY));
  const dot = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, f: (x: number) => number): number => {
    let sum = 0;
    for (let e = 0; e < d; e++) sum += f(a[i + e] * b[j + e]);
    return sum;
  };
  eachQuery(c, (query, queries, first, n, column, keep) => {
    const at = query * width + column;
    const keyAt = (j: number): number => (first + j) * width + column;
    const keys = Array.from({ length: n }, (_, j) => j);
    const scores = keys.map((j) => scale * dot(q, at, k, keyAt(j), (x) => x) + bias[first + j]);
    const top = Math.max(...scores);
    const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
    const scoreError = Math.max(
      ...keys.map((j) => gamma(d + 6) * scale * dot(q, at, k, keyAt(j), Math.abs) + 2 * U * Math.abs(bias[first + j])),
    );
    const spread = Math.min(104, top - Math.min(...scores));
    const lseError = 4 * U * (Math.abs(top) + Math.abs(Math.log(total)));
    const e = 2 * scoreError + lseError + gamma(n + 12 + 2 * spread);
    const p = scores.map((s) => Math.exp(s - top) / total);
    const b = keys.map((j) => keep[j] * dot(c.weights, at, v, keyAt(j), Math.abs));
    const mean = p.reduce((sum, x, j) => sum + x * b[j], 0);
    const most = Math.max(n, queries); // terms of a sum of dQ, dK
    for (const j of keys) {
      const dScore = p[j] * (b[j] + mean) * (2 * e + gamma(n + most + 2 * d + 12)) * scale + TINY;
      for (let x = 0; x < d; x++) {
        out[at + x] += p[j] * keep[j] * Math.abs(v[keyAt(j) + x]) * (e + gamma(n + 6));
        dV[keyAt(j) + x] += p[j] * keep[j] * Math.abs(c.weights[at + x]) * (e + gamma(queries + 6));
        dQ[at + x] += dScore * Math.abs(k[keyAt(j) + x]);
        dK[keyAt(j) + x] += dScore * Math.abs(q[at + x]);
      }
    }
  });
  return { out, grads: [dQ, dK, dV, ...c.data.slice(3).map(() => null)] };
};

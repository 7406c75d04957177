import { dropThreshold, randomRow, randomRowStride } from '../../core/random.js';
import type { AttentionCall, Buf } from '../backend.js';
import { dataOf } from './memory.js';

/** One query of one head: where things lie. */
interface Row {
  /** First row of the sequence, and number of its rows. */
  readonly first: number;
  readonly length: number;
  /** The query's row, its place within the sequence, its head. */
  readonly query: number;
  readonly place: number;
  readonly sequence: number;
  readonly head: number;
}

function* queries(call: AttentionCall): Generator<Row> {
  const offsets = dataOf(call.offsets);
  const starts = call.queries === null ? offsets : dataOf(call.queries.offsets);
  const places = call.queries === null ? null : dataOf(call.queries.places);
  for (let sequence = 0; sequence < call.sequences; sequence++) {
    const first = offsets[sequence];
    const length = offsets[sequence + 1] - first;
    for (let head = 0; head < call.heads; head++) {
      for (let query = starts[sequence]; query < starts[sequence + 1]; query++) {
        yield { first, length, query, place: places === null ? query - first : places[query], sequence, head };
      }
    }
  }
}

/** Scores of one query with every key of its sequence, before the softmax. */
function scoresOf(call: AttentionCall, row: Row, scores: Float64Array): void {
  const [q, k, bias] = [dataOf(call.q), dataOf(call.k), dataOf(call.keyBias)];
  const width = call.heads * call.headDim;
  const column = row.head * call.headDim;
  for (let j = 0; j < row.length; j++) {
    let dot = 0;
    const atQ = row.query * width + column;
    const atK = (row.first + j) * width + column;
    for (let d = 0; d < call.headDim; d++) dot += q[atQ + d] * k[atK + d];
    scores[j] = dot * call.scale + bias[row.first + j];
  }
}

/** What each probability of one query is multiplied with: 0 where it is dropped, 1 / (1 - rate) where it is kept. */
function keepFactors(call: AttentionCall, row: Row, words: Uint16Array, keep: Float64Array): void {
  if (call.dropout === null) {
    keep.fill(1, 0, row.length);
    return;
  }
  const { rate, key } = call.dropout;
  const threshold = dropThreshold(rate);
  randomRow(words, call.maxSeq, (row.sequence * call.heads + row.head) * call.maxSeq + row.place, key);
  for (let j = 0; j < row.length; j++) keep[j] = words[j] >= threshold ? 1 / (1 - rate) : 0;
}

/** Vaswani et al. 2017 (arXiv:1706.03762), eq. 1, query by query. */
export function attention(call: AttentionCall, y: Buf, lse: Buf): void {
  const [v, ys, lses] = [dataOf(call.v), dataOf(y), dataOf(lse)];
  const { heads, headDim, maxSeq } = call;
  const width = heads * headDim;
  const scores = new Float64Array(maxSeq);
  const keep = new Float64Array(maxSeq);
  const words = new Uint16Array(randomRowStride(maxSeq));
  const out = new Float64Array(headDim);
  for (const row of queries(call)) {
    scoresOf(call, row, scores);
    keepFactors(call, row, words, keep);
    let max = -Infinity;
    for (let j = 0; j < row.length; j++) max = Math.max(max, scores[j]);
    let sum = 0;
    for (let j = 0; j < row.length; j++) sum += Math.exp(scores[j] - max);
    out.fill(0);
    for (let j = 0; j < row.length; j++) {
      const weight = (Math.exp(scores[j] - max) / sum) * keep[j];
      const at = (row.first + j) * width + row.head * headDim;
      for (let d = 0; d < headDim; d++) out[d] += weight * v[at + d];
    }
    ys.set(out, row.query * width + row.head * headDim);
    lses[row.query * heads + row.head] = max + Math.log(sum);
  }
}

/**
 * With P the probabilities, M their dropout factors and D_i = sum_d dY_id y_id (Dao et al. 2022, arXiv:2205.14135,
 * appendix B.2): dV = (P M)^T dY, dS = P (M dY V^T - D), dQ = scale dS K, dK = scale dS^T Q.
 */
export function attentionGrad(call: AttentionCall, y: Buf, lse: Buf, dY: Buf, dQ: Buf, dK: Buf, dV: Buf): void {
  const [q, k, v] = [dataOf(call.q), dataOf(call.k), dataOf(call.v)];
  const [ys, lses, dYs] = [dataOf(y), dataOf(lse), dataOf(dY)];
  const { heads, headDim, maxSeq, scale } = call;
  const width = heads * headDim;
  const sums = [dQ, dK, dV].map((buf) => new Float64Array(buf.length));
  const [sumQ, sumK, sumV] = sums;
  const scores = new Float64Array(maxSeq);
  const keep = new Float64Array(maxSeq);
  const words = new Uint16Array(randomRowStride(maxSeq));
  for (const row of queries(call)) {
    scoresOf(call, row, scores);
    keepFactors(call, row, words, keep);
    const at = row.query * width + row.head * headDim;
    let dot = 0;
    for (let d = 0; d < headDim; d++) dot += dYs[at + d] * ys[at + d];
    for (let j = 0; j < row.length; j++) {
      const atKey = (row.first + j) * width + row.head * headDim;
      const probability = Math.exp(scores[j] - lses[row.query * heads + row.head]);
      let dProbability = 0;
      for (let d = 0; d < headDim; d++) {
        dProbability += dYs[at + d] * v[atKey + d];
        sumV[atKey + d] += probability * keep[j] * dYs[at + d];
      }
      const dScore = probability * (dProbability * keep[j] - dot) * scale;
      for (let d = 0; d < headDim; d++) {
        sumQ[at + d] += dScore * k[atKey + d];
        sumK[atKey + d] += dScore * q[at + d];
      }
    }
  }
  for (const [i, buf] of [dQ, dK, dV].entries()) dataOf(buf).set(sums[i]);
}

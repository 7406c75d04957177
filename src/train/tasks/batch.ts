import type { BertInput } from '../../bert/input.js';
import type { Sequence } from '../../data/tasks/encode.js';
import type { Feature } from './task.js';

/** Sequences laid end to end, without padding, as the encoder takes them. */
export function packSequences(sequences: readonly Sequence[]): BertInput {
  const offsets = new Int32Array(sequences.length + 1);
  let maxSeq = 0;
  for (const [s, { ids }] of sequences.entries()) {
    offsets[s + 1] = offsets[s] + ids.length;
    maxSeq = Math.max(maxSeq, ids.length);
  }
  const rows = offsets[sequences.length];
  const inputIds = new Int32Array(rows);
  const tokenTypeIds = new Int32Array(rows);
  const positionIds = new Int32Array(rows);
  for (const [s, { ids, first }] of sequences.entries()) {
    inputIds.set(ids, offsets[s]);
    tokenTypeIds.fill(1, offsets[s] + Math.min(first, ids.length), offsets[s + 1]);
    for (let i = 0; i < ids.length; i++) positionIds[offsets[s] + i] = i;
  }
  return {
    rows,
    sequences: sequences.length,
    maxSeq,
    uniform: rows === sequences.length * maxSeq,
    inputIds,
    tokenTypeIds,
    positionIds,
    keyBias: new Float32Array(rows),
    offsets,
  };
}

export const inputOf = (features: readonly Feature[]): BertInput =>
  packSequences(features.flatMap(({ sequences }) => sequences));

export const tokensOf = ({ sequences }: Feature): number => sequences.reduce((sum, { ids }) => sum + ids.length, 0);

/**
 * Cuts features into batches of about `budget` tokens. Those of one batch are of similar length, so that no row of
 * attention is much longer than its neighbours; the caller gets their indices.
 */
export function* batchesByLength(features: readonly Feature[], budget: number): Generator<number[]> {
  const lengths = features.map(tokensOf);
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[a] - lengths[b] || a - b);
  let batch: number[] = [];
  let tokens = 0;
  for (const i of order) {
    if (batch.length > 0 && tokens + lengths[i] > budget) {
      yield batch;
      batch = [];
      tokens = 0;
    }
    batch.push(i);
    tokens += lengths[i];
  }
  if (batch.length > 0) yield batch;
}

import { Rng } from '../../src/core/random.js';
import type { PretrainBatch } from '../../src/data/batch.js';

/** Sequences of uneven length with uneven numbers of masked places: what a mean of means would get wrong. */
export function makeBatch(seed: number, { batch = 6, seq = 12, vocab = 40 } = {}): PretrainBatch {
  const rng = new Rng(seed, 77);
  const inputIds = new Int32Array(batch * seq);
  const tokenTypeIds = new Int32Array(batch * seq);
  const lengths = Int32Array.from({ length: batch }, () => 4 + rng.int(seq - 3));
  const maskedPositions: number[] = [];
  const maskedLabels: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < lengths[b]; i++) {
      inputIds[b * seq + i] = 5 + rng.int(vocab - 5);
      tokenTypeIds[b * seq + i] = i < lengths[b] / 2 ? 0 : 1;
      if (i === 1 || rng.uniform() < 0.25 * (b % 3)) {
        maskedPositions.push(b * seq + i);
        maskedLabels.push(inputIds[b * seq + i]);
        inputIds[b * seq + i] = 4;
      }
    }
  }
  return {
    batch,
    seq,
    inputIds,
    tokenTypeIds,
    lengths,
    maskedPositions: Int32Array.from(maskedPositions),
    maskedLabels: Int32Array.from(maskedLabels),
    sentenceLabels: Int32Array.from({ length: batch }, () => rng.int(2)),
  };
}

/** A few batches over and over. */
export const cycle = (count: number, sizes = {}) => {
  const batches = Array.from({ length: count }, (_, i) => makeBatch(i + 1, sizes));
  return { batchAt: (step: number) => batches[step % count], evalBatches: () => batches.slice(0, 1) };
};

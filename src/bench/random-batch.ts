import type { Rng } from '../core/random.js';
import type { PretrainBatch } from '../data/batch.js';

/** Masked places of a sequence, google's numbers (create_pretraining_data.py, --max_predictions_per_seq). */
export const maskedOf = (seq: number): number => (seq <= 128 ? 20 : 77);

/**
 * A batch of random ids, for measuring: what is learnt from it is nothing.
 * @param lengths of the sequences to draw from; all full where there are none
 */
export function randomBatch(
  rng: Rng,
  { batch, seq, vocab }: { batch: number; seq: number; vocab: number },
  lengths: readonly number[] = [seq],
): PretrainBatch {
  const inputIds = Int32Array.from({ length: batch * seq }, () => 5 + rng.int(vocab - 5));
  const chosen = Int32Array.from({ length: batch }, () => lengths[rng.int(lengths.length)] as number);
  const places = Array.from(chosen, (length, b) => {
    const count = Math.max(1, Math.min(length - 2, Math.round((maskedOf(seq) * length) / seq)));
    return Array.from({ length: count }, (_, i) => b * seq + 1 + Math.floor((i * (length - 2)) / count));
  }).flat();
  return {
    batch,
    seq,
    inputIds,
    tokenTypeIds: inputIds.map((_, i) => (i % seq < seq / 2 ? 0 : 1)),
    lengths: chosen,
    maskedPositions: Int32Array.from(places),
    maskedLabels: Int32Array.from(places, (place) => inputIds[place] as number),
    sentenceLabels: Int32Array.from({ length: batch }, () => rng.int(2)),
  };
}

// Batches of random ids, of full sequences or of sequences as long as real ones.
import { readFileSync } from 'node:fs';

/** Masked places of a sequence, google's numbers (create_pretraining_data.py, --max_predictions_per_seq). */
export const masked = (seq) => (seq <= 128 ? 20 : 77);

/** Lengths in tokens of the paragraphs of a text, at 1.3 tokens a word, cut to `seq`. */
export function realLengths(seq) {
  const text = readFileSync(new URL('../../examples/en/corpus.txt', import.meta.url), 'utf8');
  const words = text.split('\n').map((line) => line.split(/\s+/).filter((word) => word !== '').length);
  return words.filter((n) => n > 0).map((n) => Math.min(seq, Math.round(1.3 * n) + 2));
}

/** @param lengths of the sequences to draw from; all full where there are none */
export function randomBatch(rng, { batch, seq, vocab }, lengths = [seq]) {
  const inputIds = Int32Array.from({ length: batch * seq }, () => 5 + rng.int(vocab - 5));
  const chosen = Int32Array.from({ length: batch }, () => lengths[rng.int(lengths.length)]);
  const places = Array.from(chosen, (length, b) => {
    const count = Math.max(1, Math.round((masked(seq) * length) / seq));
    return Array.from({ length: count }, (_, i) => b * seq + 1 + Math.floor((i * (length - 2)) / count));
  }).flat();
  return {
    batch,
    seq,
    inputIds,
    tokenTypeIds: inputIds.map((_, i) => (i % seq < seq / 2 ? 0 : 1)),
    lengths: chosen,
    maskedPositions: Int32Array.from(places),
    maskedLabels: Int32Array.from(places, (place) => inputIds[place]),
    sentenceLabels: Int32Array.from({ length: batch }, () => rng.int(2)),
  };
}

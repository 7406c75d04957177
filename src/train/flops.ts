import type { BertConfig } from '../bert/config.js';

/** What one step computes on: sizes of a batch as it reaches the model. */
export interface StepShape {
  /** Tokens of each sequence; padding does not count, for sequences are packed end to end. */
  readonly lengths: ArrayLike<number>;
  /** Masked tokens, the only places that reach the vocabulary. */
  readonly masked: number;
}

/** A batch of equal sequences, for estimates. */
export function fullShape(batch: number, seq: number, maskedPerSequence: number): StepShape {
  return { lengths: new Int32Array(batch).fill(seq), masked: batch * maskedPerSequence };
}

function sum(values: ArrayLike<number>, of: (x: number) => number): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += of(values[i] as number);
  return total;
}

export const tokensOf = (shape: StepShape): number => sum(shape.lengths, (n) => n);

/**
 * Floating point operations of one training step's products, a multiply and an add counting as two. Backward costs
 * twice the forward pass: 3 x [rows L (8 H^2 + 4 H I) + L 4 H sum(len^2) + 2 masked (H^2 + H V) + 2 B (H^2 + 2 H)].
 * For I = 4 H and sequences of one length S the bracket begins rows L (24 H^2 + 4 S H).
 *
 * The last layer needs keys and values of all rows, and the rest of those alone that somebody reads: masked places and
 * [CLS] (`bert/read-rows.ts`). That is what is computed here, and what is counted.
 *
 * 6 x parameters x tokens (Kaplan et al. 2020, arXiv:2001.08361, sec. 2.1) would count the vocabulary at every place,
 * though only masked ones reach it, and leave out attention: for tiny models it says more than twice as much.
 * @param lastLayer `whole` counts the last layer as other programs compute it, to compare with them
 */
export function flopsPerStep(config: BertConfig, shape: StepShape, lastLayer: 'read' | 'whole' = 'read'): number {
  const { hiddenSize: h, intermediateSize: i, numHiddenLayers: layers, vocabSize: v } = config;
  const rows = tokensOf(shape);
  const read = lastLayer === 'whole' ? rows : Math.min(rows, shape.masked + shape.lengths.length);
  const share = rows === 0 ? 0 : read / rows;
  const perRow = 4 * h * h + 4 * h * i; // query and output; feed-forward in and out
  const linear = layers * rows * (4 * h * h + perRow) - (rows - read) * perRow; // keys and values are of all rows
  const attention = 4 * h * sum(shape.lengths, (n) => n * n); // q k^T and probabilities x v
  const vocabulary = 2 * shape.masked * (h * h + h * v); // transform and decoder
  const sentences = 2 * shape.lengths.length * (h * h + 2 * h); // pooler and classifier
  return 3 * (linear + (layers - 1 + share) * attention + vocabulary + sentences);
}

/** Parameters of the model with both heads; a tied decoder shares the word table. */
export function parameterCount(config: BertConfig): number {
  const { hiddenSize: h, intermediateSize: i, vocabSize: v } = config;
  const embeddings = (v + config.maxPositionEmbeddings + config.typeVocabSize) * h + 2 * h;
  const attention = 4 * (h * h + h) + 2 * h;
  const feedForward = 2 * h * i + i + h + 2 * h;
  const mlm = h * h + h + 2 * h + v + (config.tieWordEmbeddings ? 0 : v * h);
  const sentence = 2 * h + 2;
  return embeddings + config.numHiddenLayers * (attention + feedForward) + (h * h + h) + mlm + sentence;
}

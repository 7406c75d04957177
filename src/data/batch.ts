/** Sequences of a pre-training step, padded to one length, with what was hidden in them. */
export interface PretrainBatch {
  readonly batch: number;
  readonly seq: number;
  /** [batch * seq]: masked places hold [MASK], a random token, or what stood there. */
  readonly inputIds: Int32Array;
  /** [batch * seq]: 0 for A, 1 for B, 0 for padding. */
  readonly tokenTypeIds: Int32Array;
  /** [batch]: tokens before padding. */
  readonly lengths: Int32Array;
  /** [masked]: flat places b * seq + i, ascending. */
  readonly maskedPositions: Int32Array;
  /** [masked]: the ids that stood there. */
  readonly maskedLabels: Int32Array;
  /** [batch]: NSP 0 next, 1 random; SOP 0 in order, 1 swapped; -1 without a sentence task. */
  readonly sentenceLabels: Int32Array;
}

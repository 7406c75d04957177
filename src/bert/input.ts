import { ConfigError } from '../core/errors.js';

/** A batch as text gives it: sequences padded to one length. */
export interface PaddedBatch {
  readonly batch: number;
  readonly seq: number;
  /** [batch * seq] */
  readonly inputIds: Int32Array;
  /** [batch * seq]: 0 for sentence A, 1 for sentence B. */
  readonly tokenTypeIds: Int32Array;
  /** [batch]: tokens before padding. */
  readonly lengths: Int32Array;
}

/**
 * A batch as the encoder takes it: all tokens as rows of one matrix, sequence after sequence. Google's encoder works on
 * such a matrix too (modeling.py:811: "We keep the representation as a 2D tensor to avoid re-shaping it back and
 * forth"). Padded batches have sequences of one length whose tails are hidden by `keyBias`; packed ones have no tails.
 */
export interface BertInput {
  readonly rows: number;
  readonly sequences: number;
  /** No sequence is longer. The same for all parts of a batch, whatever their sequences, for dropout counts by it. */
  readonly maxSeq: number;
  /** True when every sequence has `maxSeq` rows, so that the rows also are a [sequences, maxSeq] grid. */
  readonly uniform: boolean;
  /** [rows] each */
  readonly inputIds: Int32Array;
  readonly tokenTypeIds: Int32Array;
  readonly positionIds: Int32Array;
  /** [rows]: 0 for a token, -10000 for padding (modeling.py:712). */
  readonly keyBias: Float32Array;
  /** [sequences + 1]: where each sequence begins, and the end. */
  readonly offsets: Int32Array;
}

/** Added to the scores of padding: large enough to vanish after softmax, finite so that no row turns into NaN. */
export const HIDDEN_KEY_BIAS = -10000;

/** Keeps the padding: rows = batch * seq. */
export function paddedInput(padded: PaddedBatch): BertInput {
  const { batch, seq, lengths } = padded;
  const keyBias = new Float32Array(batch * seq);
  for (let b = 0; b < batch; b++) keyBias.fill(HIDDEN_KEY_BIAS, b * seq + (lengths[b] as number), (b + 1) * seq);
  return {
    rows: batch * seq,
    sequences: batch,
    maxSeq: seq,
    uniform: true,
    inputIds: padded.inputIds,
    tokenTypeIds: padded.tokenTypeIds,
    positionIds: Int32Array.from({ length: batch * seq }, (_, row) => row % seq),
    keyBias,
    offsets: Int32Array.from({ length: batch + 1 }, (_, b) => b * seq),
  };
}

/** Leaves the padding out: rows = sum of lengths. No kernel works on a row that nobody reads. */
export function packedInput(padded: PaddedBatch): BertInput {
  const { batch, seq, lengths } = padded;
  const offsets = new Int32Array(batch + 1);
  for (let b = 0; b < batch; b++) offsets[b + 1] = (offsets[b] as number) + (lengths[b] as number);
  const rows = offsets[batch] as number;
  const inputIds = new Int32Array(rows);
  const tokenTypeIds = new Int32Array(rows);
  const positionIds = new Int32Array(rows);
  for (let b = 0; b < batch; b++) {
    const start = offsets[b] as number;
    const length = lengths[b] as number;
    inputIds.set(padded.inputIds.subarray(b * seq, b * seq + length), start);
    tokenTypeIds.set(padded.tokenTypeIds.subarray(b * seq, b * seq + length), start);
    for (let i = 0; i < length; i++) positionIds[start + i] = i;
  }
  const uniform = rows === batch * seq;
  return {
    rows,
    sequences: batch,
    maxSeq: seq,
    uniform,
    inputIds,
    tokenTypeIds,
    positionIds,
    keyBias: new Float32Array(rows),
    offsets,
  };
}

/** Sequences of any lengths end to end, each of one segment unless `types` says otherwise. */
export function packSequences(
  sequences: readonly ArrayLike<number>[],
  types?: readonly ArrayLike<number>[],
): BertInput {
  const batch = sequences.length;
  const lengths = Int32Array.from(sequences, (ids) => ids.length);
  const seq = lengths.reduce((most, length) => Math.max(most, length), 0);
  const inputIds = new Int32Array(batch * seq);
  const tokenTypeIds = new Int32Array(batch * seq);
  for (const [b, ids] of sequences.entries()) {
    inputIds.set(ids, b * seq);
    tokenTypeIds.set(types?.[b] ?? [], b * seq);
  }
  return packedInput({ batch, seq, inputIds, tokenTypeIds, lengths });
}

/** Rows of the packed matrix that the padded positions (b * seq + i) became. */
export function packedPositions(padded: PaddedBatch, input: BertInput, positions: Int32Array): Int32Array {
  const { seq } = padded;
  return positions.map((p) => (input.offsets[Math.floor(p / seq)] as number) + (p % seq));
}

/** @throws {ConfigError} when a sequence is longer than the position table */
export function checkLength(input: BertInput, maxPositions: number): void {
  if (input.maxSeq > maxPositions) {
    throw new ConfigError(`a sequence of ${input.maxSeq} tokens does not fit a model with ${maxPositions} positions`, {
      code: 'CONFIG-POSITIONS',
      fix: `cut the text to ${maxPositions} tokens (--max-seq ${maxPositions}), or train with a larger max_position_embeddings`,
    });
  }
}

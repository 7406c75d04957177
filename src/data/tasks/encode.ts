import { IdBuffer } from '../id-buffer.js';
import type { Tokenizer } from '../tokenizer.js';

/** A text or a pair as a model takes it: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP]. */
export interface Sequence {
  readonly ids: Int32Array;
  /** Tokens of the first segment, its [SEP] included; those after them are of the second. */
  readonly first: number;
}

/**
 * What stays of a text that is too long: its beginning, its end, or a quarter of the room from the beginning and the rest
 * from the end (Sun et al. 2019, arXiv:1905.05583, sec. 5.3.1).
 */
export type Truncation = 'head' | 'tail' | 'head-tail';
export const TRUNCATIONS: readonly Truncation[] = ['head', 'tail', 'head-tail'];

/** @param room tokens that may stay */
export function truncated(ids: Int32Array, room: number, how: Truncation): Int32Array {
  if (ids.length <= room) return ids;
  if (how === 'head') return ids.slice(0, room);
  if (how === 'tail') return ids.slice(ids.length - room);
  const head = Math.floor(room / 4);
  const both = new Int32Array(room);
  both.set(ids.subarray(0, head));
  both.set(ids.subarray(ids.length - (room - head)), head);
  return both;
}

/** How much stays of each text of a pair: the longer one loses a token at a time (google-research/bert run_classifier.py:554). */
export function pairRoom(a: number, b: number, room: number): [number, number] {
  if (a + b <= room) return [a, b];
  const half = Math.floor(room / 2);
  // Both above half: they meet there, the second one a token longer if the room is odd.
  if (a > half && b > room - half) return [half, room - half];
  return a > b ? [room - b, b] : [a, room - a];
}

/** [CLS] first [SEP] second [SEP]; without a second text only the first part. */
export function joined(tokenizer: Tokenizer, first: Int32Array, second: Int32Array | null): Sequence {
  const { cls, sep } = tokenizer.vocab;
  const ids = new Int32Array(2 + first.length + (second === null ? 0 : second.length + 1));
  ids[0] = cls;
  ids.set(first, 1);
  ids[first.length + 1] = sep;
  if (second !== null) {
    ids.set(second, first.length + 2);
    ids[ids.length - 1] = sep;
  }
  return { ids, first: first.length + 2 };
}

/** Ids of a text without [CLS] and [SEP]; special tokens in the text are taken as such. */
export function idsOf(tokenizer: Tokenizer, text: string): Int32Array {
  const out = new IdBuffer(text.length);
  tokenizer.appendWithSpecials(text, out);
  return Int32Array.from(out.view());
}

/** A text or a pair in at most `maxSeq` tokens, and whether something was cut off. */
export function encodeSequence(
  tokenizer: Tokenizer,
  text: string,
  pair: string | null,
  options: { readonly maxSeq: number; readonly truncate: Truncation },
): Sequence & { readonly cut: boolean } {
  const { maxSeq, truncate } = options;
  const a = idsOf(tokenizer, text);
  if (pair === null) {
    const kept = truncated(a, maxSeq - 2, truncate);
    return { ...joined(tokenizer, kept, null), cut: kept.length < a.length };
  }
  const b = idsOf(tokenizer, pair);
  const [roomA, roomB] = pairRoom(a.length, b.length, maxSeq - 3);
  const second = truncated(b, roomB, truncate);
  const sequence = joined(tokenizer, truncated(a, roomA, truncate), second);
  return { ...sequence, cut: a.length + b.length > maxSeq - 3 };
}

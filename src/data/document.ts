import { Rng, STREAM } from '../core/random.js';
import type { TokenCorpus } from '../core/token-corpus.js';

/** What the sentence head is trained on: next sentence, sentence order, or nothing. */
export type SentenceTask = 'nsp' | 'sop' | 'none';

/** Tokens, sentences and documents of a corpus. */
export const tokenCount = (corpus: TokenCorpus): number => corpus.ids.length;
export const sentenceCount = (corpus: TokenCorpus): number => corpus.sentenceStarts.length - 1;
export const documentCount = (corpus: TokenCorpus): number => corpus.documentStarts.length - 1;

/** True when token i begins a word. */
export const startsWord = (corpus: TokenCorpus, token: number): boolean =>
  ((corpus.wordStarts[token >> 3] >> (token & 7)) & 1) === 1;

/** Tokens of a document. */
export function documentTokens({ sentenceStarts, documentStarts }: TokenCorpus, document: number): number {
  return sentenceStarts[documentStarts[document + 1]] - sentenceStarts[documentStarts[document]];
}

/** The documents to learn from and those held back, ascending. */
export interface Split {
  readonly train: Uint32Array;
  readonly heldOut: Uint32Array;
  /** Why nothing is held back although it was wanted; null otherwise. */
  readonly note: string | null;
}

/** With NSP a second document must be there to draw random sentences from. */
const LEAST_HELD_OUT: Readonly<Record<SentenceTask, number>> = { nsp: 2, sop: 1, none: 1 };

/**
 * Chooses the documents that are held back: `share` of them, at random, never one that holds more than a quarter of all
 * tokens, for the training would miss it.
 * @param seed of this choice alone, so that runs of different seeds are compared on the same text
 */
export function splitDocuments(corpus: TokenCorpus, share: number, task: SentenceTask, seed: number): Split {
  const count = documentCount(corpus);
  const all = Uint32Array.from({ length: count }, (_, d) => d);
  if (share === 0) return { train: all, heldOut: all.subarray(0, 0), note: null };
  const least = LEAST_HELD_OUT[task];
  const wanted = Math.max(least, Math.round(share * count));
  const largest = tokenCount(corpus) / 4;
  const chosen = new Rng(seed, STREAM.shuffle)
    .shuffle(all.slice())
    .filter((d) => documentTokens(corpus, d) <= largest)
    .subarray(0, wanted);
  if (count < 4 * least || chosen.length < least) return { train: all, heldOut: all.subarray(0, 0), note: few(count) };
  const held = new Set(chosen);
  return { train: all.filter((d) => !held.has(d)), heldOut: chosen.slice().sort(), note: null };
}

const few = (count: number): string =>
  `nothing is held back: ${count} document${count === 1 ? ' is' : 's are'} too few to spare one; ` +
  'set blank lines between chapters or articles';

import { DataError } from '../core/errors.js';
import type { TokenCorpus } from '../core/token-corpus.js';
import { documentCount, documentTokens, type Split, sentenceCount, tokenCount } from './document.js';
import { type FloorText, measureFloors } from './floors.js';
import type { Layout } from './layout.js';

/** What is known about the data before the first step; the part of a run's start that is printed and judged. */
export interface DataCard {
  readonly documents: number;
  readonly heldOutDocuments: number;
  /** Why nothing is held back; null when something is, or nothing was to be. */
  readonly heldOutNote: string | null;
  readonly sentences: number;
  readonly tokens: number;
  /** Share of [UNK] among the tokens. */
  readonly unkShare: number;
  /** Share of sentences that stood in the corpus before. */
  readonly duplicateLineShare: number;
  /** Share of pairs with label 1 in the first pass; 0 without a sentence task. */
  readonly label1Share: number;
  /** Share of padding in the first pass. */
  readonly paddingShare: number;
  readonly floors: {
    readonly uniform: number;
    readonly unigram: number;
    readonly bigram: number;
    readonly mostFrequentShare: number;
  };
  /** [vocabSize]: how often each token stands in the documents to learn from. */
  readonly unigramCounts: Float64Array;
}

/**
 * Measures a corpus and the sequences of its first pass.
 * @throws {DataError} DATA-EMPTY, or DATA-IDS for an id outside the vocabulary
 */
export function makeCard(
  corpus: TokenCorpus,
  split: Split,
  vocab: { readonly size: number; readonly unk: number },
  pass: { readonly layout: Layout; readonly maxSeq: number },
): DataCard {
  const counts = countTokens(corpus, vocab.size);
  return {
    documents: documentCount(corpus),
    heldOutDocuments: split.heldOut.length,
    heldOutNote: split.note,
    sentences: sentenceCount(corpus),
    tokens: tokenCount(corpus),
    unkShare: counts[vocab.unk] / tokenCount(corpus),
    duplicateLineShare: repeatedSentences(corpus) / sentenceCount(corpus),
    ...shares(pass.layout, pass.maxSeq),
    floors: measureFloors(floorText(corpus, split), vocab.size),
    unigramCounts: withoutHeldOut(corpus, split, counts),
  };
}

function countTokens({ ids }: TokenCorpus, vocabSize: number): Float64Array {
  if (ids.length === 0) throw new DataError('the corpus is empty', { code: 'DATA-EMPTY' });
  const counts = new Float64Array(vocabSize);
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] >= vocabSize) {
      throw new DataError(`token ${i} of the corpus has id ${ids[i]}, but the vocabulary ends at ${vocabSize - 1}`, {
        code: 'DATA-IDS',
        fix: 'the corpus was cut with another vocabulary: prepare it again',
      });
    }
    counts[ids[i]]++;
  }
  return counts;
}

function withoutHeldOut(corpus: TokenCorpus, { heldOut }: Split, counts: Float64Array): Float64Array {
  const { ids, sentenceStarts, documentStarts } = corpus;
  for (const document of heldOut) {
    const end = sentenceStarts[documentStarts[document + 1]];
    for (let i = sentenceStarts[documentStarts[document]]; i < end; i++) counts[ids[i]]--;
  }
  return counts;
}

/** Sentences whose ids stood before, found by a 64-bit hash: two of 10 million meet with a chance of 3 in a million. */
function repeatedSentences(corpus: TokenCorpus): number {
  const { ids, sentenceStarts } = corpus;
  const sentences = sentenceCount(corpus);
  const mask = 2 ** Math.ceil(Math.log2(2 * sentences + 1)) - 1;
  const high = new Uint32Array(mask + 1);
  const low = new Uint32Array(mask + 1);
  let repeated = 0;
  for (let s = 0; s < sentences; s++) {
    let [a, b] = [0x811c9dc5, 0x9e3779b9];
    for (let i = sentenceStarts[s]; i < sentenceStarts[s + 1]; i++) {
      a = Math.imul(a ^ ids[i], 0x85ebca6b);
      a ^= a >>> 13;
      b = Math.imul(b + ids[i], 0xc2b2ae35);
      b ^= b >>> 16;
    }
    [a, b] = [a >>> 0 || 1, b >>> 0]; // 0 marks a free slot
    let slot = (a ^ b) & mask;
    while (high[slot] !== 0 && (high[slot] !== a || low[slot] !== b)) slot = (slot + 1) & mask;
    if (high[slot] !== 0) repeated++;
    high[slot] = a;
    low[slot] = b;
  }
  return repeated;
}

function shares(layout: Layout, maxSeq: number): { label1Share: number; paddingShare: number } {
  let tokens = 0;
  let [ones, labelled] = [0, 0];
  for (let sequence = 0; sequence < layout.count; sequence++) {
    tokens += layout.length(sequence);
    if (layout.labels[sequence] >= 0) labelled++;
    if (layout.labels[sequence] === 1) ones++;
  }
  return { label1Share: ones / Math.max(1, labelled), paddingShare: 1 - tokens / (layout.count * maxSeq) };
}

/** Every so many sentences one is measured on where no document is held back. */
const EVERY = 20;

/**
 * What the floors count and what they are measured on: documents to learn from and held-back ones, or, without the
 * latter, 19 of 20 sentences and the twentieth.
 */
function floorText(corpus: TokenCorpus, { train, heldOut }: Split): FloorText {
  const { ids, sentenceStarts, documentStarts } = corpus;
  const spanOf = (document: number): [number, number] => {
    const start = sentenceStarts[documentStarts[document]];
    return [start, start + documentTokens(corpus, document)];
  };
  if (heldOut.length > 0) return { ids, counted: Array.from(train, spanOf), measured: Array.from(heldOut, spanOf) };
  const counted: [number, number][] = [];
  const measured: [number, number][] = [];
  for (let s = 0; s < sentenceCount(corpus); s++) {
    (s % EVERY === EVERY - 1 ? measured : counted).push([sentenceStarts[s], sentenceStarts[s + 1]]);
  }
  return { ids, counted, measured: measured.length > 0 ? measured : counted };
}

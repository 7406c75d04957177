import { DataError } from '../core/errors.js';
import type { BasicOptions } from './basic-tokenizer.js';
import { SPECIAL_TOKENS, Vocab } from './vocab.js';
import { WORD_LIMIT, WordPiece } from './wordpiece.js';
import { Alphabet, type CountedWord, sizeTooSmall } from './wordpiece-train-alphabet.js';
import { PairTable } from './wordpiece-train-pairs.js';
import type { Rule } from './wordpiece-train-score.js';
import { WordCounter, type WordCounts } from './wordpiece-train-words.js';

export interface TrainOptions extends BasicOptions {
  /** Entries of the vocabulary, special tokens included. Fewer come out when the corpus gives no more. */
  readonly size: number;
  /** `frequency` (default): the pair that occurs most. `likelihood`: the pair that makes the corpus likeliest. */
  readonly rule?: Rule;
  /** A pair that occurs less often is not joined. Default 2. */
  readonly minFrequency?: number;
  /** Keep the characters that occur most, this many; a word with any other is [UNK]. Default: all. */
  readonly limitAlphabet?: number;
  /** Entries `[unused0]` … after the special tokens, free for words of a later domain. Default 0. */
  readonly unused?: number;
  /** Called with the size reached after each hundred pieces. */
  readonly onProgress?: (size: number) => void;
}

/** What a vocabulary does to the corpus it was trained on. */
interface Usage {
  /** Words of the corpus. */
  readonly words: number;
  /** Pieces they are cut into; an [UNK] is one. */
  readonly pieces: number;
  readonly unknown: number;
}

export interface TrainResult extends Usage {
  readonly vocab: Vocab;
  /** Distinct words of the corpus. */
  readonly wordTypes: number;
  /** Distinct characters, and how many of them `limitAlphabet` dropped. */
  readonly characters: number;
  readonly droppedCharacters: number;
  /** False if the corpus had no more pairs to join: the vocabulary is smaller than asked for. */
  readonly complete: boolean;
}

/**
 * Trains a WordPiece vocabulary on texts. Starts from single characters (`x` at the start of a word, `##x` after it) and
 * joins one pair of neighbours at a time. The same texts, in any order, give the same vocabulary on any machine: of two
 * pairs that are as good, the one whose left piece stands first in the vocabulary wins, then the one whose right piece
 * does; characters stand there by code point, joined pieces in the order they were made.
 * @throws {ConfigError} a size that does not even hold the characters
 * @throws {DataError} no word in the texts
 */
export function trainWordPiece(texts: Iterable<string>, options: TrainOptions): TrainResult {
  const counter = new WordCounter(options);
  for (const text of texts) counter.add(text);
  return trainOnCounts(counter.result(), options);
}

/** `trainWordPiece` on words that were counted before, under the same rules for case, accents and ideographs. */
export function trainOnCounts(counted: WordCounts, options: TrainOptions): TrainResult {
  const { words, counts } = counted;
  if (words.length === 0) {
    const fix = 'give a text; blanks and control characters are all there is';
    throw new DataError('the corpus holds no word', { code: 'DATA-EMPTY', fix });
  }
  const limit = WORD_LIMIT[options.dialect ?? 'hf'];
  const all = words.map((text, i): CountedWord => ({ text, characters: [...text], count: counts[i] }));
  const usable = all.filter(({ characters }) => characters.length <= limit); // a longer word is [UNK] anyway
  const alphabet = new Alphabet(usable);
  const reserved = reservedTokens(options.unused ?? 0);
  const kept = new Set(alphabet.ranked.slice(0, options.limitAlphabet));
  const room = options.size - reserved.length;
  const single = alphabet.pieces(kept);
  if (single.length > room) {
    throw sizeTooSmall(options.size, reserved.length, single.length, alphabet.fitting(room));
  }
  const spelt = usable.filter(({ characters }) => characters.every((c) => kept.has(c)));
  const table = new PairTable(single, spelt, options.rule ?? 'frequency', options.minFrequency ?? 2);
  const complete = grow(table, room, (pieces) => options.onProgress?.(reserved.length + pieces));
  const vocab = new Vocab([...reserved, ...table.pieces], 'trained vocabulary');
  return {
    vocab,
    ...usage(vocab, all, limit),
    wordTypes: words.length,
    characters: alphabet.ranked.length,
    droppedCharacters: alphabet.ranked.length - kept.size,
    complete,
  };
}

function reservedTokens(unused: number): string[] {
  return [...SPECIAL_TOKENS, ...Array.from({ length: unused }, (_, i) => `[unused${i}]`)];
}

/** Joins pairs until there are `room` pieces. Returns false if the pairs ran out before. */
function grow(table: PairTable, room: number, onProgress: (pieces: number) => void): boolean {
  for (let told = 0; table.pieces.length < room; ) {
    if (!table.join()) return false;
    if (table.pieces.length >= told + 100) {
      told = table.pieces.length;
      onProgress(told);
    }
  }
  return true;
}

function usage(vocab: Vocab, words: readonly CountedWord[], limit: number): Usage {
  const wordPiece = new WordPiece(vocab, limit);
  const sums = { words: 0, pieces: 0, unknown: 0 };
  for (const { text, count } of words) {
    sums.words += count;
    sums.pieces += count * wordPiece.split(text, 0, text.length);
    if (wordPiece.ids[0] === vocab.unk) sums.unknown += count;
  }
  return sums;
}

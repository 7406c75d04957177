import { ConfigError } from '../core/errors.js';
import { CONTINUATION } from './vocab.js';
import { byCodePoint } from './wordpiece-train-words.js';

/** A word of the corpus, as code points, and how often it occurs. */
export interface CountedWord {
  readonly text: string;
  readonly characters: readonly string[];
  readonly count: number;
}

/** The characters of a corpus and the pieces of one character that spell it. */
export class Alphabet {
  /** Distinct characters, the most frequent first, equal counts by code point. */
  readonly ranked: readonly string[];
  /** Characters that begin a word, and those that stand after another. */
  readonly #first = new Set<string>();
  readonly #later = new Set<string>();

  constructor(words: readonly CountedWord[]) {
    const counts = new Map<string, number>();
    for (const { characters, count } of words) {
      characters.forEach((c, i) => {
        counts.set(c, (counts.get(c) ?? 0) + count);
        (i === 0 ? this.#first : this.#later).add(c);
      });
    }
    this.ranked = [...counts]
      .sort(([a, countA], [b, countB]) => countB - countA || byCodePoint(a, b))
      .map(([character]) => character);
  }

  /** Pieces for some of the characters: those at the start of a word, then those inside, each by code point. */
  pieces(characters: Iterable<string>): string[] {
    const sorted = [...characters].sort(byCodePoint);
    const inside = sorted.filter((c) => this.#later.has(c)).map((c) => CONTINUATION + c);
    return [...sorted.filter((c) => this.#first.has(c)), ...inside];
  }

  /** The most characters, by rank, whose pieces fit into `room` entries. */
  fitting(room: number): number {
    let used = 0;
    for (const [n, c] of this.ranked.entries()) {
      used += (this.#first.has(c) ? 1 : 0) + (this.#later.has(c) ? 1 : 0);
      if (used > room) return n;
    }
    return this.ranked.length;
  }
}

/** The error for a size that does not hold the characters. */
export function sizeTooSmall(size: number, reserved: number, pieces: number, fitting: number): ConfigError {
  const needed = reserved + pieces;
  const limit = fitting > 0 ? `, or keep the ${fitting} most frequent characters (--limit-alphabet ${fitting})` : '';
  return new ConfigError(
    `a vocabulary of ${size} cannot hold the characters of the corpus: it needs ${needed} entries`,
    {
      code: 'CONFIG-VOCAB-SIZE',
      where: `${reserved} reserved entries and ${pieces} pieces of one character`,
      fix: `ask for at least ${needed}${limit}`,
    },
  );
}

import { type BasicTokenizer, SPACE_UNIT, WORD_UNIT } from './basic-tokenizer.js';

/** Chunks of more UTF-16 units are not worth remembering: a text of distinct long chunks must not fill the memory. */
export const MAX_REMEMBERED = 64;

/**
 * Runs over a text once and cuts it into chunks that the basic tokenizer can treat one by one: runs of word characters
 * (raw, not yet normalised) and characters that are words by themselves. What becomes of a chunk does not depend on its
 * neighbours, so it can be remembered.
 */
export abstract class Scanner {
  readonly #classes: Uint8Array;
  readonly #finalSigma: boolean;

  constructor(basic: BasicTokenizer) {
    this.#classes = basic.unitClasses();
    this.#finalSigma = basic.finalSigma;
  }

  /** A run of word characters, text[start, end), with its hash. */
  protected abstract chunk(text: string, start: number, end: number, hash: number): void;
  /** A character that is a word by itself. */
  protected abstract single(unit: number): void;
  /** A text whose chunks cannot be separated: a capital sigma looks beyond punctuation. */
  protected abstract whole(text: string): void;

  protected scan(text: string): void {
    if (this.#finalSigma && text.includes('\u03a3')) {
      this.whole(text);
      return;
    }
    const classes = this.#classes;
    const length = text.length;
    let i = 0;
    while (i < length) {
      let unit = text.charCodeAt(i);
      const kind = classes[unit];
      if (kind === WORD_UNIT) {
        const start = i;
        let hash = 0x811c9dc5 | 0; // FNV-1a over units
        do {
          hash = Math.imul(hash ^ unit, 0x01000193);
          i++;
          if (i === length) break;
          unit = text.charCodeAt(i);
        } while (classes[unit] === WORD_UNIT);
        this.chunk(text, start, i, hash);
      } else {
        i++;
        if (kind !== SPACE_UNIT) this.single(unit);
      }
    }
  }
}

import type { Dialect } from './unicode.js';
import { CONTINUATION, type Vocab } from './vocab.js';

const WORD_ROOT = 0;
const CONTINUATION_ROOT = 1;

/**
 * All tokens as a trie in flat arrays: a hash table from (node, UTF-16 unit) to child node. One walk finds the longest
 * match without making a string.
 */
class Trie {
  /** [slots]: node * 2^16 + unit, or -1. */
  readonly #keys: Float64Array;
  readonly #children: Int32Array;
  readonly #mask: number;
  /** [nodes]: the token that ends at this node, or -1. */
  readonly #tokens: Int32Array;

  constructor(vocab: Vocab) {
    const units = vocab.tokens.reduce((sum, token) => sum + token.length, 0);
    const slots = 2 ** Math.ceil(Math.log2(2 * units + 8));
    this.#keys = new Float64Array(slots).fill(-1);
    this.#children = new Int32Array(slots);
    this.#mask = slots - 1;
    this.#tokens = new Int32Array(units + 2).fill(-1);
    let nodes = 2;
    vocab.tokens.forEach((token, id) => {
      const inside = vocab.isContinuation(id);
      let node = inside ? CONTINUATION_ROOT : WORD_ROOT;
      for (let i = inside ? CONTINUATION.length : 0; i < token.length; i++) {
        const slot = this.#slot(node, token.charCodeAt(i));
        if (this.#keys[slot] < 0) {
          this.#keys[slot] = node * 65536 + token.charCodeAt(i);
          this.#children[slot] = nodes++;
        }
        node = this.#children[slot];
      }
      this.#tokens[node] = id;
    });
  }

  /** Longest token at text[start, end): writes [id, end of match]; id -1 if none. */
  longest(text: string, start: number, end: number, out: Int32Array): void {
    let node = start === out[2] ? WORD_ROOT : CONTINUATION_ROOT;
    out[0] = -1;
    for (let i = start; i < end; i++) {
      const slot = this.#slot(node, text.charCodeAt(i));
      if (this.#keys[slot] < 0) return;
      node = this.#children[slot];
      if (this.#tokens[node] >= 0) {
        out[0] = this.#tokens[node];
        out[1] = i + 1;
      }
    }
  }

  #slot(node: number, unit: number): number {
    const key = node * 65536 + unit;
    const hash = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    while (this.#keys[slot] !== key && this.#keys[slot] >= 0) slot = (slot + 1) & this.#mask;
    return slot;
  }
}

/** A word of more code points is [UNK]: tokenizers/src/models/wordpiece/mod.rs:50, google tokenization.py:303. */
export const WORD_LIMIT: Readonly<Record<Dialect, number>> = { hf: 100, google: 200 };

/** Greedy longest-match-first segmentation of a word (google-research/bert tokenization.py:300-359). */
export class WordPiece {
  /** Pieces of the last `split`: ids, and where each ends in the text. */
  readonly ids: Int32Array;
  readonly ends: Int32Array;
  readonly #trie: Trie;
  readonly #unk: number;
  readonly #limit: number;
  /** Id and end of a match, and the start of the word. */
  readonly #match = new Int32Array(3);

  /** @param limit a word of more code points is [UNK]; see WORD_LIMIT */
  constructor(vocab: Vocab, limit: number) {
    this.#trie = new Trie(vocab);
    this.#unk = vocab.unk;
    this.#limit = limit;
    this.ids = new Int32Array(2 * limit);
    this.ends = new Int32Array(2 * limit);
  }

  /**
   * Splits the word text[start, end) into `ids` and `ends` and returns the number of pieces. One piece that is not in the
   * vocabulary makes the whole word [UNK].
   */
  split(text: string, start: number, end: number): number {
    if (end - start > this.#limit && codePoints(text, start, end) > this.#limit) return this.#unknown(end);
    const match = this.#match;
    match[2] = start;
    let count = 0;
    for (let at = start; at < end; at = match[1]) {
      this.#trie.longest(text, at, end, match);
      if (match[0] < 0) return this.#unknown(end);
      this.ids[count] = match[0];
      this.ends[count++] = match[1];
    }
    return count;
  }

  #unknown(end: number): number {
    this.ids[0] = this.#unk;
    this.ends[0] = end;
    return 1;
  }
}

function codePoints(text: string, start: number, end: number): number {
  let count = 0;
  for (let i = start; i < end; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xdc00 || unit >= 0xe000) count++;
  }
  return count;
}

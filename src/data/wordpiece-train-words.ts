import { type BasicOptions, BasicTokenizer } from './basic-tokenizer.js';
import { ChunkTable } from './chunk-table.js';
import { MAX_REMEMBERED, Scanner } from './scanner.js';

/** Words of a corpus as the basic tokenizer cuts them, and how often each occurs. */
export interface WordCounts {
  /** Distinct, by code point. */
  readonly words: readonly string[];
  /** [words] */
  readonly counts: readonly number[];
  /** Words that were forgotten to keep memory bounded: each had been seen once when there were too many. */
  readonly forgotten: number;
}

/** Chunks are turned into words when there are this many. */
const MAX_CHUNKS = 1 << 20;
/** Above this many distinct words (about 0.5 GB), those seen once are forgotten. */
const MAX_WORDS = 1 << 22;

/** Counts words in texts that are fed to it one by one. The order of the texts does not matter up to 4 million words. */
export class WordCounter extends Scanner {
  /** UTF-16 units of all texts. */
  characters = 0;
  readonly #basic: BasicTokenizer;
  readonly #chunks = new ChunkTable();
  /** [chunks] */
  #chunkCounts = new Float64Array(1 << 12);
  /** [0x10000]: units that are words by themselves. */
  readonly #units = new Float64Array(0x10000);
  #words = new Map<string, number>();
  #forgotten = 0;

  constructor(options: BasicOptions) {
    const basic = new BasicTokenizer(options);
    super(basic);
    this.#basic = basic;
  }

  add(text: string): void {
    this.characters += text.length;
    if (this.#chunks.size >= MAX_CHUNKS) this.#flush();
    this.scan(text);
  }

  /** The counts up to now. */
  result(): WordCounts {
    this.#flush();
    for (let unit = 0; unit < this.#units.length; unit++) {
      if (this.#units[unit] > 0) this.#count(String.fromCharCode(unit), this.#units[unit]);
    }
    this.#units.fill(0);
    const words = [...this.#words.keys()].sort(byCodePoint);
    return { words, counts: words.map((word) => this.#words.get(word) ?? 0), forgotten: this.#forgotten };
  }

  protected override chunk(text: string, start: number, end: number, hash: number): void {
    if (end - start > MAX_REMEMBERED) {
      this.whole(text.slice(start, end));
      return;
    }
    const k = this.#chunks.intern(text, start, end, hash);
    if (k >= this.#chunkCounts.length) {
      const bigger = new Float64Array(2 * this.#chunkCounts.length);
      bigger.set(this.#chunkCounts);
      this.#chunkCounts = bigger;
    }
    this.#chunkCounts[k]++;
  }

  protected override single(unit: number): void {
    this.#units[unit]++;
  }

  protected override whole(text: string): void {
    this.#count(text, 1);
    if (this.#words.size > MAX_WORDS) this.#forget();
  }

  #flush(): void {
    for (let k = 0; k < this.#chunks.size; k++) this.#count(this.#chunks.text(k), this.#chunkCounts[k]);
    this.#chunks.clear();
    this.#chunkCounts.fill(0);
    if (this.#words.size > MAX_WORDS) this.#forget();
  }

  /** Counts each word of a text `times` times. */
  #count(text: string, times: number): void {
    const { text: normal, ends } = this.#basic.words(text);
    let start = 0;
    for (const end of ends) {
      const word = normal.slice(start, end);
      this.#words.set(word, (this.#words.get(word) ?? 0) + times);
      start = end;
    }
  }

  #forget(): void {
    const kept = new Map<string, number>();
    for (const [word, count] of this.#words) if (count > 1) kept.set(word, count);
    this.#forgotten += this.#words.size - kept.size;
    this.#words = kept;
  }
}

/** Order by code point, as Python and Rust have it. `<` compares UTF-16 units, which puts U+10000 before U+FFFD. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000;

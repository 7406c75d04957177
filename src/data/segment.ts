import { IdBuffer } from './id-buffer.js';
import type { Tokenizer } from './tokenizer.js';

/** Ideographs that the tokenizer sets apart, within the basic plane: a text may be cut between any two of them. */
const IDEOGRAPHS = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+/g;

/** Cuts a run of ideographs into words. */
export type WordCutter = (run: string) => Iterable<string>;

/** V8 takes time in proportion to the whole string for each word of it, so long runs are cut: 64 is ten clauses. */
const LONGEST_RUN = 64;

/** The words of the ICU dictionary that Node brings along. */
export function icuWords(): WordCutter {
  const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });
  return function* (run) {
    for (let at = 0; at < run.length; at += LONGEST_RUN) {
      for (const { segment } of segmenter.segment(run.slice(at, at + LONGEST_RUN))) yield segment;
    }
  };
}

/**
 * Turns sentences into ids, and marks where words begin: at every piece that is no `##` piece, but in Chinese, where each
 * character is a piece, only at the first character of a word. Done when a corpus is prepared, so that the masks of a
 * training do not depend on the dictionary of the machine it runs on.
 */
export class SentenceEncoder {
  #ids = new IdBuffer(256);
  #starts = new Uint8Array(256);

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly words: WordCutter,
  ) {}

  /**
   * @returns ids, and 1 for each that begins a word; valid until the next call
   */
  encode(sentence: string): { readonly ids: Int32Array; readonly starts: Uint8Array } {
    this.#ids.clear();
    let done = 0;
    if (this.tokenizer.tokenizeChineseChars) {
      for (const { 0: run, index } of sentence.matchAll(IDEOGRAPHS)) {
        this.#other(sentence.slice(done, index));
        for (const word of this.words(run)) this.#word(word);
        done = index + run.length;
      }
    }
    this.#other(done === 0 ? sentence : sentence.slice(done));
    const ids = this.#ids.view();
    return { ids, starts: this.#starts.subarray(0, ids.length) };
  }

  #other(text: string): void {
    const { vocab } = this.tokenizer;
    let i = this.#ids.length;
    this.tokenizer.append(text, this.#ids);
    this.#room();
    for (; i < this.#ids.length; i++) this.#starts[i] = vocab.isContinuation(this.#ids.data[i]) ? 0 : 1;
  }

  #word(word: string): void {
    const first = this.#ids.length;
    this.tokenizer.append(word, this.#ids);
    this.#room();
    this.#starts.fill(0, first, this.#ids.length);
    if (this.#ids.length > first) this.#starts[first] = 1;
  }

  #room(): void {
    if (this.#ids.length <= this.#starts.length) return;
    const larger = new Uint8Array(2 * this.#ids.length);
    larger.set(this.#starts);
    this.#starts = larger;
  }
}

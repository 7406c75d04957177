import { type BasicOptions, BasicTokenizer } from './basic-tokenizer.js';
import { ChunkTable } from './chunk-table.js';
import { IdBuffer } from './id-buffer.js';
import { MAX_REMEMBERED, Scanner } from './scanner.js';
import type { Dialect } from './unicode.js';
import { CONTINUATION, SPECIAL_TOKENS, type Vocab } from './vocab.js';
import { WORD_LIMIT, WordPiece } from './wordpiece.js';

export type TokenizerOptions = BasicOptions;

/** A text, or a pair, as a model takes it: `[CLS] text [SEP]` or `[CLS] text [SEP] pair [SEP]`. */
export interface Encoding {
  readonly ids: number[];
  /** 0 up to and with the first [SEP], 1 after it. */
  readonly tokenTypeIds: number[];
  readonly tokens: string[];
}

/** The pieces of a text without [CLS] and [SEP]. */
export interface Pieces {
  readonly ids: number[];
  /** Whether a piece continues the word of the piece before it; whole words are masked by this, not by `##`. */
  readonly continues: boolean[];
  /** UTF-16 range in the text that each piece stems from: `text.slice(from[i], to[i])`. */
  readonly from: number[];
  readonly to: number[];
}

/** The memory of chunks is emptied at this many: about 60 MB. Real corpora hold fewer. */
const MAX_CHUNKS = 1 << 20;
/** The special tokens as they stand in a text; none is the beginning of another. */
const SPECIALS = new RegExp(`(${SPECIAL_TOKENS.map((token) => token.replace(/[[\]]/g, '\\$&')).join('|')})`);

/**
 * BERT's tokenizer: basic tokenizer, then WordPiece. Gives the ids of Hugging Face's fast tokenizer (dialect `hf`) or of
 * google-research/bert (dialect `google`) for any string; lone surrogates are dropped. Takes time linear in the text.
 */
export class Tokenizer extends Scanner {
  readonly vocab: Vocab;
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
  readonly tokenizeChineseChars: boolean;
  readonly dialect: Dialect;
  readonly #basic: BasicTokenizer;
  readonly #wordPiece: WordPiece;
  /** Chunks seen before, and their ids: chunk k has #ids.data[#ends.data[k], #ends.data[k + 1]). */
  readonly #chunks = new ChunkTable();
  readonly #ids = new IdBuffer(1 << 13);
  readonly #ends = new IdBuffer(1 << 12);
  /** [0x10000]: id of a UTF-16 unit that is a word by itself; -1 if not known yet. */
  readonly #units = new Int32Array(0x10000).fill(-1);
  /** Where the text that is being scanned goes. */
  #out = new IdBuffer();

  constructor(vocab: Vocab, options: TokenizerOptions) {
    const basic = new BasicTokenizer(options);
    super(basic);
    this.vocab = vocab;
    this.lowercase = basic.lowercase;
    this.stripAccents = basic.stripAccents;
    this.tokenizeChineseChars = basic.tokenizeChineseChars;
    this.dialect = basic.dialect;
    this.#basic = basic;
    this.#wordPiece = new WordPiece(vocab, WORD_LIMIT[basic.dialect]);
    this.#ends.push(0);
  }

  /**
   * Encodes a text or a pair with [CLS] and [SEP]. Special tokens that stand in the text (`[MASK]`) are taken as such, in
   * both dialects; nothing is cut off.
   */
  encode(text: string, pair?: string): Encoding {
    const { cls, sep } = this.vocab;
    const out = new IdBuffer(text.length);
    out.push(cls);
    this.appendWithSpecials(text, out);
    out.push(sep);
    const first = out.length;
    if (pair !== undefined) {
      this.appendWithSpecials(pair, out);
      out.push(sep);
    }
    const ids = Array.from(out.view());
    return {
      ids,
      tokenTypeIds: ids.map((_, i) => (i < first ? 0 : 1)),
      tokens: ids.map((id) => this.vocab.token(id)),
    };
  }

  /**
   * Appends the ids of a text to `out`, without [CLS] and [SEP]. The fast way through a corpus. A corpus is text and
   * nothing else: "[SEP]" in it becomes three words, not a separator.
   * @returns the number of ids
   */
  append(text: string, out: IdBuffer): number {
    const before = out.length;
    if (this.#chunks.size > MAX_CHUNKS) this.#forget();
    this.#out = out;
    this.scan(text);
    return out.length - before;
  }

  /** As `append`, but special tokens in the text are taken as such. */
  appendWithSpecials(text: string, out: IdBuffer): number {
    const before = out.length;
    for (const part of text.includes('[') ? text.split(SPECIALS) : [text]) {
      const special = part.startsWith('[') && SPECIALS.test(part) ? this.vocab.id(part) : undefined;
      if (special === undefined) this.append(part, out);
      else out.push(special);
    }
    return out.length - before;
  }

  /** The pieces of a text, with where they stem from. Special tokens in the text are taken as such. */
  pieces(text: string): Pieces {
    const out: Pieces = { ids: [], continues: [], from: [], to: [] };
    let at = 0;
    for (const part of text.split(SPECIALS)) {
      const special = SPECIALS.test(part) ? this.vocab.id(part) : undefined;
      if (special === undefined) this.#appendPieces(part, at, out);
      else push(out, special, false, at, at + part.length);
      at += part.length;
    }
    return out;
  }

  /**
   * Ids as text: words with a blank between them, `##` pieces joined to theirs. What the basic tokenizer removed (case,
   * accents, spaces) does not come back. No clean-up of " do not" to " don't" (tokenizers/src/decoders/wordpiece.rs:40).
   * @throws {DataError} an id outside the vocabulary
   */
  decode(ids: Iterable<number>, options: { readonly skipSpecials?: boolean } = {}): string {
    const parts: string[] = [];
    for (const id of ids) {
      const token = this.vocab.token(id);
      if (options.skipSpecials === true && this.vocab.isSpecial(id)) continue;
      if (parts.length > 0 && this.vocab.isContinuation(id)) parts.push(token.slice(CONTINUATION.length));
      else parts.push(parts.length > 0 ? ` ${token}` : token);
    }
    return parts.join('');
  }

  protected override chunk(text: string, start: number, end: number, hash: number): void {
    if (end - start > MAX_REMEMBERED) {
      this.whole(text.slice(start, end));
      return;
    }
    const known = this.#chunks.size;
    const k = this.#chunks.intern(text, start, end, hash);
    if (k === known) {
      this.#split(text.slice(start, end), this.#ids);
      this.#ends.push(this.#ids.length);
    }
    const to = this.#ends.data[k + 1];
    const ids = this.#ids.data;
    const out = this.#out;
    for (let i = this.#ends.data[k]; i < to; i++) out.push(ids[i]);
  }

  protected override single(unit: number): void {
    const id = this.#units[unit];
    if (id >= 0) {
      this.#out.push(id);
      return;
    }
    const before = this.#out.length;
    this.whole(String.fromCharCode(unit));
    if (this.#out.length === before + 1) this.#units[unit] = this.#out.data[before];
  }

  protected override whole(text: string): void {
    this.#split(text, this.#out);
  }

  /** The slow way: normalises, and looks each word up. */
  #split(text: string, out: IdBuffer): void {
    const words = this.#basic.words(text);
    let start = 0;
    for (const end of words.ends) {
      const count = this.#wordPiece.split(words.text, start, end);
      out.reserve(count);
      for (let i = 0; i < count; i++) out.push(this.#wordPiece.ids[i]);
      start = end;
    }
  }

  #appendPieces(text: string, at: number, out: Pieces): void {
    const words = this.#basic.words(text);
    let start = 0;
    for (const end of words.ends) {
      const count = this.#wordPiece.split(words.text, start, end);
      for (let i = 0; i < count; i++) {
        const stop = this.#wordPiece.ends[i];
        push(out, this.#wordPiece.ids[i], i > 0, at + words.from[start], at + words.to[stop - 1]);
        start = stop;
      }
    }
  }

  #forget(): void {
    this.#chunks.clear();
    this.#ids.clear();
    this.#ends.clear();
    this.#ends.push(0);
  }
}

function push(out: Pieces, id: number, continues: boolean, from: number, to: number): void {
  out.ids.push(id);
  out.continues.push(continues);
  out.from.push(from);
  out.to.push(to);
}

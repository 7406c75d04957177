import { DataError } from '../core/errors.js';
import { sha256 } from './sha256.js';

/** BERT's special tokens, in the order in which a trained vocabulary begins. */
export const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;
export type SpecialToken = (typeof SPECIAL_TOKENS)[number];

/** Marks a piece that continues a word. */
export const CONTINUATION = '##';

/** Limits of a vocabulary file: a million lines of 1,000 characters each. */
const MAX_TOKENS = 1_000_000;
const MAX_TOKEN_LENGTH = 1000;
/** White_Space of Unicode at the end of a line. Not `\s`, which has U+FEFF and lacks U+0085. */
const TRAILING_SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/u;

/** The tokens of a BERT vocabulary; a token's id is its place. Immutable. */
export class Vocab {
  readonly tokens: readonly string[];
  readonly pad: number;
  readonly unk: number;
  readonly cls: number;
  readonly sep: number;
  readonly mask: number;
  readonly #ids = new Map<string, number>();
  readonly #continues: Uint8Array;
  #hash: string | undefined;

  /**
   * @param tokens at most a million, distinct, with all five special tokens
   * @param where what to call the vocabulary in an error: a path
   * @throws DataError naming the line (id + 1) of a duplicate, an empty or an overlong token, or the missing specials
   */
  constructor(tokens: readonly string[], where = 'vocabulary') {
    if (tokens.length === 0) throw new DataError('the vocabulary is empty', { code: 'DATA-VOCAB', where });
    if (tokens.length > MAX_TOKENS) {
      const what = `the vocabulary has ${tokens.length} lines, more than ${MAX_TOKENS}`;
      throw new DataError(what, { code: 'DATA-VOCAB', where, fix: 'is this a corpus?' });
    }
    this.tokens = tokens;
    this.#continues = new Uint8Array(tokens.length);
    for (let id = 0; id < tokens.length; id++) this.#add(tokens[id], id, where);
    const missing = SPECIAL_TOKENS.filter((token) => !this.#ids.has(token));
    if (missing.length > 0) {
      throw new DataError(`the vocabulary lacks ${missing.join(', ')}`, {
        code: 'DATA-VOCAB-SPECIAL',
        where: `${where}, ${tokens.length} lines`,
        fix: 'a BERT vocabulary has [PAD], [UNK], [CLS], [SEP] and [MASK], spelt so; give the vocab.txt of the model',
      });
    }
    [this.pad, this.unk, this.cls, this.sep, this.mask] = SPECIAL_TOKENS.map((token) => this.#ids.get(token) ?? -1);
  }

  /**
   * Reads the text of a vocab.txt: the line number is the id. As Hugging Face reads it (tokenizers/src/models/wordpiece/
   * mod.rs:166): lines end with LF or CRLF, white space is cut from the right end only. A line of white space alone keeps
   * it (such tokens exist and are never matched); an empty line is an error, since it would shift every id after it.
   */
  static parse(text: string, where = 'vocab.txt'): Vocab {
    const lines = (text.startsWith('\ufeff') ? text.slice(1) : text).split('\n');
    if (lines.at(-1) === '') lines.pop();
    const tokens = lines.map((line) => {
      const content = line.endsWith('\r') ? line.slice(0, -1) : line;
      return content.replace(TRAILING_SPACE, '') || content;
    });
    return new Vocab(tokens, where);
  }

  /** `parse` of UTF-8 bytes. @throws DataError with line and byte if they are not UTF-8 */
  static fromBytes(bytes: Uint8Array, where = 'vocab.txt'): Vocab {
    const bad = firstInvalidByte(bytes);
    if (bad >= 0) {
      const line = bytes.subarray(0, bad).reduce((n, byte) => n + (byte === 10 ? 1 : 0), 1);
      throw new DataError('the vocabulary is not UTF-8', {
        code: 'DATA-ENCODING',
        where: `${where}, line ${line}, byte ${bad}`,
        fix: encodingHint(bytes),
      });
    }
    return Vocab.parse(new TextDecoder().decode(bytes), where);
  }

  get size(): number {
    return this.tokens.length;
  }

  /** The id of a token, or undefined. */
  id(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** The token of an id. @throws DataError if there is none */
  token(id: number): string {
    const token = this.tokens[id];
    if (token === undefined) throw new DataError(`id ${id} is outside the vocabulary of ${this.size} tokens`);
    return token;
  }

  /** True for `##` pieces. A word is better found by `continues` of `Tokenizer.pieces`: a cut text may begin with one. */
  isContinuation(id: number): boolean {
    return this.#continues[id] === 1;
  }

  /** True for the five special tokens. */
  isSpecial(id: number): boolean {
    return id === this.pad || id === this.unk || id === this.cls || id === this.sep || id === this.mask;
  }

  /** The text of vocab.txt: a token a line, LF, also after the last. */
  toText(): string {
    return `${this.tokens.join('\n')}\n`;
  }

  /** SHA-256 of `toText()`, so that `sha256sum vocab.txt` shows the same digits if the file has plain LF lines. */
  get hash(): string {
    this.#hash ??= sha256(new TextEncoder().encode(this.toText()));
    return this.#hash;
  }

  #add(token: string, id: number, where: string): void {
    const at = `${where}, line ${id + 1}`;
    if (token === '') {
      throw new DataError('a line of the vocabulary is empty', {
        code: 'DATA-VOCAB',
        where: at,
        fix: 'the line number is the id, so the line cannot be skipped; restore the file',
      });
    }
    if (token.length > MAX_TOKEN_LENGTH || token.includes('\n')) {
      const what = `a token has ${token.length} characters or a line break, beyond the limit of ${MAX_TOKEN_LENGTH}`;
      throw new DataError(what, {
        code: 'DATA-VOCAB',
        where: at,
        fix: 'a vocabulary has one token a line, LF or CRLF',
      });
    }
    const first = this.#ids.get(token);
    if (first !== undefined) {
      throw new DataError(`the token ${quote(token)} occurs twice`, {
        code: 'DATA-VOCAB-DUPLICATE',
        where: `${at}, first on line ${first + 1}`,
        fix: 'an id must have one token: restore the file, or rename the second, e.g. to [unused]',
      });
    }
    this.#ids.set(token, id);
    if (token.startsWith(CONTINUATION) && token.length > CONTINUATION.length) this.#continues[id] = 1;
  }
}

/** A token in quotes, with control characters shown as escapes and cut to 40 characters. */
export function quote(token: string): string {
  const shown = token.length > 40 ? `${token.slice(0, 40)}…` : token;
  return JSON.stringify(shown).replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff]/gu, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Where bytes stop being UTF-8, or -1: the longest valid prefix, found by halving. */
function firstInvalidByte(bytes: Uint8Array): number {
  const valid = (end: number): boolean => {
    try {
      // stream: a character cut off at `end` is not a mistake.
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end), { stream: end < bytes.length });
      return true;
    } catch {
      return false;
    }
  };
  if (valid(bytes.length)) return -1;
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (valid(middle)) good = middle;
    else bad = middle;
  }
  return characterStart(bytes, good);
}

/** Where the character begins that is cut off at `end`; `end` if none is. */
function characterStart(bytes: Uint8Array, end: number): number {
  let start = end - 1;
  while (start > end - 3 && start > 0 && (bytes[start] & 0xc0) === 0x80) start--;
  const lead = bytes[start];
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return start + length > end ? start : end;
}

function encodingHint(bytes: Uint8Array): string {
  const [a, b] = bytes;
  const utf16 = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
  const from = utf16 ? 'UTF-16' : 'GB18030';
  return `save it as UTF-8: iconv -f ${from} -t UTF-8${utf16 ? '' : ' (if it is Chinese text in GBK or GB18030)'}`;
}

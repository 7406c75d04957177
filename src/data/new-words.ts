import { Tokenizer } from './tokenizer.js';
import { CONTINUATION, Vocab } from './vocab.js';

/** A word that a vocabulary lacks. */
export interface NewWord {
  /** As the tokenizer sees it: lower-cased where it does so. */
  readonly word: string;
  /** How often it stands in the corpus. */
  readonly count: number;
  /** Ids of the pieces it is cut into so far, or of [UNK]. */
  readonly pieces: readonly number[];
}

/** A word occurs at least so often, or it is not worth a row of the table. */
const LEAST = 5;
const LETTER = /[\p{L}\p{N}]/u;

/** Counts the words of texts that are cut into pieces, or are unknown. */
export class WordCounter {
  readonly #found = new Map<string, { count: number; pieces: readonly number[] }>();

  constructor(private readonly tokenizer: Tokenizer) {}

  add(text: string): void {
    const { ids, continues, from, to } = this.tokenizer.pieces(text);
    for (let start = 0; start < ids.length; ) {
      let end = start + 1;
      while (end < ids.length && continues[end]) end++;
      this.#count(ids.slice(start, end), text.slice(from[start], to[end - 1]));
      start = end;
    }
  }

  #count(pieces: readonly number[], text: string): void {
    const { vocab } = this.tokenizer;
    const unknown = pieces.includes(vocab.unk);
    if (pieces.length === 1 && !unknown) return;
    const joined = pieces
      .map((id, i) => (i === 0 ? vocab.token(id) : vocab.token(id).slice(CONTINUATION.length)))
      .join('');
    const word = unknown ? (this.tokenizer.lowercase ? text.toLowerCase() : text) : joined;
    if (!LETTER.test(word) || vocab.id(word) !== undefined || word.length > 100) return;
    const known = this.#found.get(word);
    if (known !== undefined) known.count++;
    else this.#found.set(word, { count: 1, pieces });
  }

  /** Those that save most pieces first: count times the pieces saved; an unknown one counts as if it were cut in three. */
  best(most: number): NewWord[] {
    const { unk } = this.tokenizer.vocab;
    const saved = ({ count, pieces }: NewWord): number => count * (pieces.includes(unk) ? 2 : pieces.length - 1);
    const words = Array.from(this.#found, ([word, about]): NewWord => ({ word, ...about }));
    const worth = words.filter(({ count }) => count >= LEAST);
    return worth.sort((a, b) => saved(b) - saved(a) || (a.word < b.word ? -1 : 1)).slice(0, most);
  }
}

/** A tokenizer that knows more words; the ids of the old ones stay. */
export function withWords(tokenizer: Tokenizer, words: readonly NewWord[]): Tokenizer {
  const { vocab, lowercase, stripAccents, tokenizeChineseChars, dialect } = tokenizer;
  const tokens = [...vocab.tokens, ...words.map(({ word }) => word)];
  return new Tokenizer(new Vocab(tokens), { lowercase, stripAccents, tokenizeChineseChars, dialect });
}

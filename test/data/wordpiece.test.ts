import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import { WordPiece } from '../../src/data/wordpiece.js';
import { describeWithData, sharedData } from '../skip.js';

/** Longest match first, as google-research/bert's tokenization.py describes it, by trying every substring. */
function greedy(word: string, tokens: ReadonlySet<string>): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < word.length; ) {
    let end = word.length;
    const prefix = start > 0 ? '##' : '';
    while (end > start && !tokens.has(prefix + word.slice(start, end))) end--;
    if (end === start) return ['[UNK]'];
    pieces.push(prefix + word.slice(start, end));
    start = end;
  }
  return pieces;
}

test('finds the longest match, whatever the vocabulary', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '中', '😀'), minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.uniqueArray(text), fc.uniqueArray(text), fc.array(text), (first, later, words) => {
      const vocab = new Vocab([...SPECIAL_TOKENS, ...first, ...later.map((piece) => `##${piece}`)]);
      const wordPiece = new WordPiece(vocab, 100);
      const known = new Set(vocab.tokens);
      for (const word of words) {
        const before = 'ab'; // a word may stand anywhere in a text
        const count = wordPiece.split(before + word + word, 2, 2 + word.length);
        const pieces = Array.from(wordPiece.ids.subarray(0, count), (id) => vocab.token(id));
        expect(pieces).toEqual(greedy(word, known));
        expect(wordPiece.ends[count - 1]).toBe(2 + word.length);
      }
    }),
    { numRuns: 300 },
  );
});

test('counts code points, not UTF-16 units, against the limit', () => {
  const wordPiece = new WordPiece(new Vocab([...SPECIAL_TOKENS, '😀', '##😀']), 3);
  expect(wordPiece.split('😀😀😀', 0, 6)).toBe(3);
  expect(wordPiece.split('😀😀😀😀', 0, 8)).toBe(1);
  expect(wordPiece.ids[0]).toBe(1);
});

describeWithData('vectors/tokenizer/google_bert_cases.json')("google's own test values", () => {
  interface Case {
    readonly vocab: readonly string[];
    readonly text: string;
    readonly tokens: readonly string[];
  }
  const { wordpiece_tokenizer: cases }: { wordpiece_tokenizer: Case[] } = JSON.parse(
    readFileSync(sharedData('vectors/tokenizer/google_bert_cases.json'), 'utf8'),
  );
  test.each(cases)('$text', ({ vocab, text, tokens }) => {
    const own = new Vocab([...new Set([...SPECIAL_TOKENS, ...vocab])]);
    const wordPiece = new WordPiece(own, 200);
    const pieces = text
      .split(' ')
      .filter((word) => word !== '')
      .flatMap((word) => Array.from(wordPiece.ids.slice(0, wordPiece.split(word, 0, word.length))));
    expect(pieces.map((id) => own.token(id))).toEqual(tokens);
  });
});

import { expect, test } from '@jest/globals';
import { WordCounter, withWords } from '../../src/data/new-words.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { Vocab } from '../../src/data/vocab.js';

const vocab = new Vocab(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'trans', '##former', '##s', 'a', '法']);
const tokenizer = new Tokenizer(vocab, { lowercase: true });

test('words in pieces and unknown ones, those first that save most', () => {
  const counter = new WordCounter(tokenizer);
  for (let i = 0; i < 6; i++) counter.add('A Transformer, Transformers 律法');
  for (let i = 0; i < 4; i++) counter.add('trans律 rare');
  const words = counter.best(10);
  expect(words.map(({ word, count }) => [word, count])).toEqual([
    ['律', 10],
    ['transformers', 6],
    ['transformer', 6],
  ]);
  expect(counter.best(1)).toHaveLength(1);
  const larger = withWords(tokenizer, words);
  expect(larger.encode('transformers 律').tokens).toEqual(['[CLS]', 'transformers', '律', '[SEP]']);
  expect(larger.vocab.tokens.slice(0, vocab.size)).toEqual(vocab.tokens);
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DataError } from '../../src/core/errors.js';
import { PretrainDataset } from '../../src/data/dataset.js';
import { documentCount, sentenceCount, startsWord } from '../../src/data/document.js';
import { corpusFromText } from '../../src/data/text-corpus.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { trainWordPiece } from '../../src/data/wordpiece-train.js';
import { prepareCorpus } from '../../src/train/prepare.js';
import { testFolder } from '../io/folder.js';

const folder = testFolder();

const tokenizerOf = (text: string, size = 300): Tokenizer =>
  new Tokenizer(trainWordPiece([text], { size, lowercase: true }).vocab, { lowercase: true });

describe.each(['en', 'zh'])('examples/%s', (name) => {
  test('as `prepare` makes shards of the file', async () => {
    const path = join('examples', name, 'corpus.txt');
    const text = readFileSync(path, 'utf8');
    const tokenizer = tokenizerOf(text, 4000);
    const request = {
      corpus: [path],
      tokenizer,
      folder: join(folder, name),
      sentences: 'lines',
      language: 'auto',
    } as const;
    const { shards } = await prepareCorpus(request);
    const corpus = corpusFromText(text, tokenizer, { sentences: 'lines' });
    for (const part of ['ids', 'sentenceStarts', 'documentStarts', 'wordStarts'] as const) {
      const [got, want] = [corpus[part], shards.corpus[part]];
      expect([part, got.constructor, got.length]).toEqual([part, want.constructor, want.length]);
      expect([part, got.findIndex((value, i) => value !== want[i])]).toEqual([part, -1]);
    }
  });
});

test('blank lines and new texts begin documents; line ends of any kind, marks and NULs do not count', () => {
  const texts = ['\ufeffone two\r\n\r\n \t\r\nthree\0 four\rfive', '', 'six\n'];
  const tokenizer = tokenizerOf('one two three four five six one two three four five six');
  const corpus = corpusFromText(texts, tokenizer);
  expect(documentCount(corpus)).toBe(3);
  expect(sentenceCount(corpus)).toBe(4);
  expect(Array.from(corpus.documentStarts)).toEqual([0, 1, 3, 4]);
  const words = Array.from(corpus.ids, (id) => tokenizer.vocab.token(id));
  expect(words).toEqual(['one', 'two', 'three', 'four', 'five', 'six']);
  expect(words.every((_, i) => startsWord(corpus, i))).toBe(true);
});

test('paragraphs are cut into sentences, in both languages', () => {
  const text = 'It rains. She is at home.\n\n下雨了。她在家！他不在。';
  const tokenizer = tokenizerOf(text);
  expect(sentenceCount(corpusFromText(text, tokenizer))).toBe(5);
  expect(sentenceCount(corpusFromText(text, tokenizer, { sentences: 'lines' }))).toBe(2);
});

test('what has no text is refused', () => {
  const tokenizer = tokenizerOf('one one');
  expect(() => corpusFromText([' \n', '\0'], tokenizer)).toThrow(DataError);
  expect(() => corpusFromText('', tokenizer)).toThrow(/the corpus is empty/);
});

test('feeds a dataset', () => {
  const text = readFileSync('examples/en/corpus.txt', 'utf8').slice(0, 40_000);
  const tokenizer = tokenizerOf(text, 600);
  const { vocab } = tokenizer;
  const corpus = corpusFromText(text, tokenizer);
  const data = new PretrainDataset(corpus, { vocab, seed: 1, batch: 4, maxSeq: 32, sentenceTask: 'nsp' });
  expect(data.batchAt(0).maskedLabels.length).toBeGreaterThan(0);
});

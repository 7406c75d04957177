import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Rng } from '../../src/core/random.js';
import { Vocab } from '../../src/data/vocab.js';
import { openShards } from '../../src/io/shards.js';
import { describeWithData, sharedData } from '../skip.js';
import { cli } from './capture.js';

let folder: string;
const at = (name: string): string => join(folder, name);
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const WORDS = [
  'the',
  'hat',
  'cat',
  'sat',
  'on',
  'mat',
  'a',
  'dog',
  'ran',
  '##s',
  '.',
  ',',
  '我',
  '们',
  '在',
  '学',
  '习',
];
const VOCAB = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...WORDS].join('\n');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bertgrad-prepare-'));
  write('vocab.txt', `${VOCAB}\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Documents of random sentences of known words, none of them the same. */
function corpus(count: number, sentences = 12): string {
  const rng = new Rng(1, 1);
  const sentence = (): string =>
    range(4 + rng.int(8))
      .map(() => WORDS[rng.int(9)])
      .join(' ');
  return range(count)
    .map(() => range(sentences).map(sentence).join('\n'))
    .join('\n\n');
}
const prepare = (...argv: string[]) => cli(['prepare', '--vocab', at('vocab.txt'), '-o', at('shards'), ...argv]);

describe('prepare', () => {
  test('writes shards with their vocabulary, and describes the corpus', async () => {
    const { code, out, err } = await prepare(write('corpus.txt', corpus(40)));
    expect([code, err]).toEqual([0, '']);
    const { corpus: ids, info, vocab, tokenizerConfig } = await openShards(at('shards'));
    expect([info.documents, info.sentences, vocab]).toEqual([40, 480, `${VOCAB}\n`]);
    expect(tokenizerConfig.do_lower_case).toBe(true);
    const shown = out.replaceAll(folder, '.').replace(/in [\d.]+ s \(.*\)/, 'in 1 s');
    expect(shown.split('\n')).toEqual([
      'documents   40, 2 of them held back for evaluation',
      expect.stringMatching(/^sentences {3}480, one a line; (0|\d\.\d) % stood there before$/),
      expect.stringMatching(new RegExp(`^tokens {6}${ids.ids.length}, \\d\\.\\d a sentence; 0 % \\[UNK\\]$`)),
      `vocabulary  22 tokens, uncased, SHA-256 ${Vocab.parse(VOCAB).hash.slice(0, 12)}`,
      expect.stringMatching(/^length 128 {2}pairs: \d\d % follow, \d\d % do not; \d+(\.\d)? % padding$/),
      expect.stringMatching(/^to beat {5}2\.\d\d nats by word frequency, 2\.\d\d by the word before$/),
      expect.stringMatching(/^ {12}\(3\.09 knowing nothing; accuracy 0\.\d{3} by one guess\)$/),
      expect.stringMatching(/^written {5}\.\/shards: 1 shard from \d+\.\d kB in 1 s$/),
      '',
    ]);
  });

  test('as JSON, for programs', async () => {
    const { code, out } = await prepare(write('corpus.txt', corpus(40)), '--json');
    const card = JSON.parse(out);
    expect(code).toBe(0);
    expect(card).toMatchObject({
      documents: 40,
      heldOutDocuments: 2,
      sentences: 480,
      unkShare: 0,
      sentenceTask: 'nsp',
    });
    expect(card.hash).toBe((await openShards(at('shards'))).hash);
    expect(card.floors.unigram).toBeLessThan(card.floors.uniform);
    expect(card).not.toHaveProperty('unigramCounts');
  });

  test('marks Chinese words, so that a training can hide them whole', async () => {
    await prepare(write('zh.txt', '我们在学习。\n我们在学。\n\n学习在我们。\n'));
    const { ids, wordStarts } = (await openShards(at('shards'))).corpus;
    const bits = range(6).map((i) => (wordStarts[0] >> i) & 1);
    expect([Array.from(ids.subarray(0, 6)), bits]).toEqual([
      [17, 18, 19, 20, 21, 1],
      [1, 0, 1, 1, 0, 1],
    ]);
  });

  test('cuts paragraphs when told or when it sees them, and takes lists of sentences as they are', async () => {
    const paragraphs = range(8)
      .map((i) => `The cat sat. A dog ran on ${'the mat '.repeat(i)}.`)
      .join('\n\n');
    const count = async (...more: string[]): Promise<number> => {
      await prepare(...more, '--overwrite');
      return (await openShards(at('shards'))).info.sentences;
    };
    const text = write('p.txt', paragraphs);
    expect(await count(text)).toBe(16);
    expect(await count(text, '--sentences', 'lines')).toBe(8);
    const list = write('p.jsonl', '{"s": ["a cat. a dog.", "the mat."]}\n{"s": ["a hat."]}\n');
    expect(await count(list, '--column', 's')).toBe(3);
    expect(await count(write('zh.txt', '我们。在学。\n'), '--lang', 'zh', '--sentences', 'split')).toBe(2);
  });

  test('reads folders, packed files and the standard input together', async () => {
    mkdirSync(at('books'));
    write('books/a.txt.gz', gzipSync('the cat\nsat\n\nthe dog\n'));
    write('books/b.jsonl', '{"text": "a hat"}\n');
    const argv = ['prepare', at('books'), '-', '--vocab', at('vocab.txt'), '-o', at('new/shards')];
    expect((await cli(argv, ['the', ' mat\n'])).code).toBe(0);
    expect((await openShards(at('new/shards'))).info).toMatchObject({ documents: 4, sentences: 5, tokens: 9 });
  });

  test('keeps case when asked, or when the file beside the vocabulary says so', async () => {
    const text = write('corpus.txt', corpus(3).toUpperCase());
    const share = async (...more: string[]): Promise<number> => {
      const { out } = await prepare(text, '--json', '--overwrite', ...more);
      return JSON.parse(out).unkShare;
    };
    expect(await share()).toBe(0);
    expect(await share('--cased')).toBe(1);
    write('tokenizer_config.json', '{"do_lower_case": false}');
    expect(await share()).toBe(1);
  });
});

describe('warnings', () => {
  const warned = async (...argv: string[]): Promise<string[]> =>
    [...(await prepare(...argv)).err.matchAll(/^warning\[([A-Z-]+)\]/gm)].map(([, code]) => code);

  test('[UNK]s, repeated sentences, one document', async () => {
    expect(await warned(write('corpus.txt', 'zebra cat\ncat sat\ncat sat\n'))).toEqual([
      'DATA-UNK',
      'DATA-REPEATED',
      'DATA-ONE-DOCUMENT',
      'DATA-HELD-OUT',
    ]);
  });

  test('documents of a sentence, sentences without end', async () => {
    const text = range(40)
      .map((i) => 'the cat sat on a mat '.repeat(40 + i))
      .join('\n\n');
    expect(await warned(write('corpus.txt', text))).toEqual(['DATA-LONG', 'DATA-BALANCE']);
  });

  test('a cased vocabulary that is used uncased', async () => {
    write('vocab.txt', `${VOCAB}\nThe\nCat\nDog\n`);
    expect(await warned(write('corpus.txt', corpus(40)))).toEqual(['DATA-CASE']);
    expect(await warned(at('corpus.txt'), '--cased', '--overwrite')).toEqual([]);
  });
});

describe('mistakes', () => {
  test.each([
    ['a missing corpus', () => [at('nothing.txt')], 66, 'nothing.txt'],
    ['a missing vocabulary', () => [write('c.txt', 'a'), '--vocab', at('no.txt')], 66, 'no.txt'],
    ['no vocabulary', () => [write('c.txt', 'a'), '--vocab', write('v.txt', 'a\nb\n')], 65, '[PAD]'],
    ['an empty corpus', () => [write('c.txt', '\n \n')], 65, 'c.txt'],
    ['not UTF-8', () => [write('c.txt', Buffer.from('ok\n\xe9\n', 'latin1'))], 65, 'line 2, byte 3'],
    ['words that vanish', () => [write('c.txt', '\u200b\n\u200b\n')], 65, 'no line of it holds a word'],
    ['output taken', () => [write('c.txt', 'a'), '-o', folder], 73, 'not empty'],
    ['shards there', () => [write('c.txt', 'a'), '-o', at('taken')], 73, '--overwrite'],
    ['an unknown way', () => [write('c.txt', 'a'), '--sentences', 'words'], 2, 'lines'],
  ] as const)('%s', async (_what, argv, code, words) => {
    mkdirSync(at('taken'));
    write('taken/shards.json', '{}');
    const given = argv();
    const before = readdirSync(folder);
    const ended = await prepare(...given);
    expect([ended.code, ended.out]).toEqual([code, '']);
    expect(ended.err).toContain(words);
    expect(ended.err).toMatch(/^error\[/);
    expect(ended.err.trimEnd().split('\n').length).toBeLessThanOrEqual(5);
    expect(readdirSync(folder)).toEqual(before);
  });

  test('a folder that may not be written', async () => {
    mkdirSync(at('locked'));
    chmodSync(at('locked'), 0o500);
    const { code, err } = await prepare(write('c.txt', corpus(3)), '-o', at('locked/shards'));
    const root = process.getuid?.() === 0; // root may write everywhere
    expect([code, existsSync(at('locked/shards'))]).toEqual(root ? [0, true] : [73, false]);
    if (!root) expect(err).toContain('no permission');
    chmodSync(at('locked'), 0o700);
  });
});

describeWithData('corpora/google_bert_sample_text.txt', 'vocab/bert-base-uncased/vocab.txt')("google's sample", () => {
  test('has the documents and sentences that google counts', async () => {
    const vocab = sharedData('vocab/bert-base-uncased/vocab.txt');
    await prepare(sharedData('corpora/google_bert_sample_text.txt'), '--vocab', vocab);
    const { info, hash } = await openShards(at('shards'));
    expect(info).toMatchObject({ documents: 3, sentences: 31, tokens: 1019 });
    const lines = readFileSync(sharedData('corpora/google_bert_sample_text.txt'), 'utf8').split('\n');
    expect(lines.filter((line) => line.trim() !== '')).toHaveLength(31);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });
});

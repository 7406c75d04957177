import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cli } from './capture.js';

let folder: string;
const at = (name: string): string => join(folder, name);
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const tokensOf = (name: string): string[] => readFileSync(at(name), 'utf8').trimEnd().split('\n');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bertgrad-vocab-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a vocabulary', () => {
  const TEXT = 'The hat, the Hat.\nthe hat!\n\nA hat é\n';

  test('is written, with the file that tells its case, and described', async () => {
    const { code, out, err } = await cli(['vocab', write('corpus.txt', TEXT), '-o', at('vocab.txt'), '--size', '20']);
    expect([code, err]).toEqual([0, '']);
    const single = ['!', ',', '.', 'a', 'e', 'h', 't', '##a', '##e', '##h', '##t'];
    const joined = ['ha', 'hat', 'th', 'the'];
    expect(tokensOf('vocab.txt')).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...single, ...joined]);
    expect(JSON.parse(readFileSync(at('tokenizer_config.json'), 'utf8'))).toMatchObject({ do_lower_case: true });
    expect(
      out
        .replace(/[0-9a-f]{12}/, 'HASH')
        .replace(/took.*s for/, 'took 0 s for')
        .replaceAll(folder, '.'),
    ).toBe(
      [
        'corpus        2 documents, 3 lines, 12 words, 7 of them distinct',
        'characters    7',
        'vocabulary    20 entries, uncased, SHA-256 HASH',
        'on this text  1.00 pieces a word, none of them [UNK]',
        'written       ./vocab.txt, and tokenizer_config.json beside it',
        'took 0 s for 37 B of files',
        '',
      ].join('\n'),
    );
  });

  test('of several files, packed ones, lines of JSON and the standard input', async () => {
    mkdirSync(at('books'));
    write('books/a.txt.gz', gzipSync('ab ab\n'));
    write('books/b.jsonl', '{"text": "cd cd"}\n{"text": ["ef", "ef"]}\n');
    const { code, err } = await cli(['vocab', at('books'), '-', '-o', at('new/vocab.txt'), '--json'], ['gh ', 'gh']);
    expect([code, err.split('\n')[0]]).toEqual([0, 'warning[VOCAB-SHORT]: the corpus gives 17 entries, not 8000']);
    expect(tokensOf('new/vocab.txt').slice(-4)).toEqual(['ab', 'cd', 'ef', 'gh']);
  });

  test('cased, limited, with spare entries, by the other rule, as JSON', async () => {
    const argv = ['vocab', write('corpus.txt', TEXT), '-o', at('vocab.txt'), '--cased', '--limit-alphabet', '8'];
    const { out } = await cli([...argv, '--rule', 'likelihood', '--unused', '2', '--size', '18', '--json']);
    expect(JSON.parse(out)).toMatchObject({
      ...{
        size: 18,
        lowercase: false,
        rule: 'likelihood',
        documents: 2,
        lines: 3,
        bytes: 37,
        words: 12,
        wordTypes: 9,
      },
      ...{ characters: 11, droppedCharacters: 3, unknown: 3, complete: true },
      unknownShare: expect.any(Number),
    });
    expect(tokensOf('vocab.txt').slice(5, 7)).toEqual(['[unused0]', '[unused1]']);
    expect(JSON.parse(readFileSync(at('tokenizer_config.json'), 'utf8'))).toMatchObject({ do_lower_case: false });
  });

  test('is the same whenever it is made', async () => {
    const argv = ['vocab', 'examples/en/corpus.txt', '--size', '500', '--json', '-o'];
    const [a, b] = [await cli([...argv, at('a/vocab.txt')]), await cli([...argv, at('b/vocab.txt')])];
    expect(JSON.parse(a.out).sha256).toBe(JSON.parse(b.out).sha256);
    expect(readFileSync(at('a/vocab.txt'))).toEqual(readFileSync(at('b/vocab.txt')));
  });
});

describe('what is there already', () => {
  test('is kept, unless --overwrite is given', async () => {
    const corpus = write('corpus.txt', 'ab\n');
    write('vocab.txt', 'old\n');
    const refused = await cli(['vocab', corpus, '-o', at('vocab.txt')]);
    expect([refused.code, refused.out]).toEqual([73, '']);
    expect(refused.err).toContain('error[OUTPUT-EXISTS]');
    expect(refused.err).toContain('--overwrite');
    expect(readFileSync(at('vocab.txt'), 'utf8')).toBe('old\n');
    expect((await cli(['vocab', corpus, '-o', at('vocab.txt'), '--overwrite'])).code).toBe(0);
    expect(tokensOf('vocab.txt')).toContain('##b');
  });

  test('another vocabulary keeps its case', async () => {
    const corpus = write('corpus.txt', 'ab\n');
    expect((await cli(['vocab', corpus, '-o', at('one.txt')])).code).toBe(0);
    expect((await cli(['vocab', corpus, '-o', at('two.txt')])).code).toBe(0); // the same case
    const { code, err } = await cli(['vocab', corpus, '-o', at('three.txt'), '--cased']);
    expect([code, existsSync(at('three.txt'))]).toEqual([73, false]);
    expect(err).toContain('says otherwise about case');
  });
});

describe('refusals: one message, nothing written', () => {
  const latin1 = Buffer.from('caf\xe9 au lait\n', 'latin1');
  const gbk = Buffer.concat([Buffer.from('line one\n'), Buffer.from([0xce, 0xd2, 0xb0, 0xae, 0x0a])]);
  const cases: readonly [name: string, content: string | Uint8Array, argv: string[], code: number, said: string[]][] = [
    ['empty file', '', [], 65, ['DATA-EMPTY', 'corpus.txt']],
    ['blank file', ' \n\n\t\n', [], 65, ['DATA-EMPTY']],
    ['control characters alone', '\u0001\u200b\n', [], 65, ['DATA-EMPTY', 'holds no word']],
    ['Latin-1', latin1, [], 65, ['DATA-ENCODING', 'corpus.txt, line 1, byte', 'iconv']],
    ['GBK', gbk, [], 65, ['DATA-ENCODING', 'corpus.txt, line 2, byte', 'GB18030']],
    ['too small a size', 'abcdefgh\n', ['--size', '10'], 78, ['CONFIG-VOCAB-SIZE', 'at least 13', '--limit-alphabet']],
    ['a size that is none', 'ab\n', ['--size', '1e9'], 2, ['USAGE', '--size', '1e9', 'from 6 to 1000000']],
    ['an unknown rule', 'ab\n', ['--rule', 'magic'], 2, ['--rule', 'magic', 'frequency, likelihood']],
    ['a misspelt option', 'ab\n', ['--sise', '10'], 2, ['did you mean --size']],
  ];
  test.each(cases)('%s', async (_, content, argv, code, said) => {
    const corpus = write('corpus.txt', content);
    const ended = await cli(['vocab', corpus, '-o', at('vocab.txt'), ...argv]);
    expect([ended.code, ended.out]).toEqual([code, '']);
    for (const part of said) expect(ended.err).toContain(part);
    expect(ended.err.trimEnd().split('\n').length).toBeLessThanOrEqual(5);
    expect(readdirSync(folder)).toEqual(['corpus.txt']);
  });

  test('a corpus that is not there, an output that cannot be', async () => {
    expect(await cli(['vocab', at('nix.txt'), '-o', at('vocab.txt')])).toMatchObject({
      code: 66,
      err: expect.stringContaining('nix.txt: cannot be read: no such file or folder'),
    });
    write('file', '');
    expect((await cli(['vocab', at('file'), '-o', join(at('file'), 'vocab.txt')])).code).toBe(73);
    expect(await cli(['vocab', at('file'), '-o', folder, '--overwrite'])).toMatchObject({
      code: 73,
      err: expect.stringContaining('error[OUTPUT-FOLDER]'),
    });
    expect((await cli(['vocab', at('file')])).code).toBe(2); // -o is missing
    expect(readdirSync(folder)).toEqual(['file']);
  });
});

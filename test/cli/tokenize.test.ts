import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cli } from './capture.js';

const TOKENS = '[PAD] [UNK] [CLS] [SEP] [MASK] un ##aff ##able , 我 爱 the Hat'.split(' ');
let folder: string;
const at = (name: string): string => join(folder, name);
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};
/** `bertgrad tokenize` with the vocabulary above. */
const tokenize = (argv: readonly string[], input?: readonly (string | Uint8Array)[]): ReturnType<typeof cli> =>
  cli(['tokenize', '--vocab', at('vocab.txt'), ...argv], input);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bertgrad-tokenize-'));
  write('vocab.txt', `${TOKENS.join('\n')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('texts', () => {
  test('are shown as pieces over ids', async () => {
    expect(await tokenize(['Unaffable, 我爱', 'x [MASK]'])).toEqual({
      code: 0,
      err: '',
      out: [
        '[CLS]  un  ##aff  ##able  ,  我  爱  [SEP]',
        '2      5   6      7       8  9   10  3',
        '4 words, 8 ids',
        '',
        '[CLS]  [UNK]  [MASK]  [SEP]',
        '2      1      4       3',
        '2 words, 4 ids, 1 [UNK]',
        '',
      ].join('\n'),
    });
  });

  test('too wide for the terminal go on below', async () => {
    const { out } = await tokenize(['unaffable '.repeat(30)]);
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(process.stdout.columns || 100);
    expect(
      lines
        .filter((_, i) => i % 2 === 0)
        .slice(0, -1)
        .join(' ')
        .trim()
        .split(/\s+/),
    ).toHaveLength(92);
  });

  test('as ids, as JSON, without the special tokens at the ends', async () => {
    expect((await tokenize(['unaffable', '', '--ids'])).out).toBe('2 5 6 7 3\n2 3\n');
    expect((await tokenize(['unaffable', '', '--ids', '--no-specials'])).out).toBe('5 6 7\n\n');
    const { out } = await tokenize(['[MASK]我', '--json']);
    expect(JSON.parse(out)).toEqual({
      text: '[MASK]我',
      tokens: ['[CLS]', '[MASK]', '我', '[SEP]'],
      ids: [2, 4, 9, 3],
    });
  });

  test('keep their case where that is asked for', async () => {
    expect((await tokenize(['Hat the', '--ids'])).out).toBe('2 1 11 3\n');
    expect((await tokenize(['Hat the', '--ids', '--cased'])).out).toBe('2 12 11 3\n');
    const config = write('tokenizer_config.json', '{"do_lower_case": false}');
    expect((await tokenize(['Hat the', '--ids'])).out).toBe('2 12 11 3\n');
    rmSync(config);
  });
});

describe('lines', () => {
  test('of the standard input, one for one', async () => {
    const input = ['unaffable\r', '\n\nthe ', 'the'];
    expect(await tokenize([], input)).toEqual({
      code: 0,
      err: '',
      out: '[CLS] un ##aff ##able [SEP]\n[CLS] [SEP]\n[CLS] the the [SEP]\n',
    });
    expect((await tokenize(['--ids', '--no-specials'], input)).out).toBe('5 6 7\n\n11 11\n');
    expect((await tokenize([])).out).toBe('');
  });

  test('of a file', async () => {
    const file = write('corpus.txt', '\ufeffthe\n我\u0000爱\n');
    expect((await tokenize(['--file', file, '--ids'])).out).toBe('2 11 3\n2 9 10 3\n');
    const { out } = await tokenize(['--file', file, '--json']);
    expect(
      out
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line).ids),
    ).toEqual([
      [2, 11, 3],
      [2, 9, 10, 3],
    ]);
  });

  test('that are not UTF-8 are refused with line and byte', async () => {
    const bad = Buffer.concat([Buffer.from('the\nthe '), Buffer.from([0xff, 0x0a])]);
    for (const argv of [[], ['--file', write('bad.txt', bad)]]) {
      const { code, err } = await tokenize(argv, [bad]);
      expect([code, err]).toEqual([65, expect.stringContaining('error[DATA-ENCODING]')]);
      expect(err).toContain('line 2, byte 8');
    }
  });
});

describe('refusals', () => {
  const specials = TOKENS.slice(0, 4).join('\n');
  const vocabularies: readonly [name: string, content: string | Uint8Array, said: string[]][] = [
    ['no [MASK]', `${specials}\nthe\n`, ['DATA-VOCAB-SPECIAL', 'lacks [MASK]', 'bad-vocab.txt, 5 lines']],
    ['a token twice', `${specials}\n[MASK]\nthe\nthe\n`, ['DATA-VOCAB-DUPLICATE', '"the"', 'line 7, first on line 6']],
    ['an empty line', `${specials}\n\n[MASK]\n`, ['DATA-VOCAB', 'bad-vocab.txt, line 5']],
    ['nothing in it', '', ['DATA-VOCAB', 'is empty']],
    ['not UTF-8', Buffer.from([0x41, 0x0a, 0xb0, 0xae]), ['DATA-ENCODING', 'bad-vocab.txt, line 2, byte 2']],
  ];
  test.each(vocabularies)('a vocabulary with %s', async (_, content, said) => {
    const { code, out, err } = await cli(['tokenize', '--vocab', write('bad-vocab.txt', content), 'x']);
    expect([code, out]).toEqual([65, '']);
    for (const part of said) expect(err).toContain(part);
    expect(err.trimEnd().split('\n').length).toBeLessThanOrEqual(5);
  });

  const lines: readonly [name: string, argv: string[], code: number, said: string][] = [
    ['a vocabulary that is not there', ['--vocab', 'nix.txt', 'x'], 66, 'nix.txt: cannot be read: no such file'],
    ['a folder', ['--vocab', '.', 'x'], 66, 'this is a folder'],
    ['no vocabulary', ['x'], 2, '--vocab'],
    ['a text and a file', ['--vocab', 'VOCAB', 'x', '--file', 'y'], 2, 'exclude each other'],
    ['ids and JSON', ['--vocab', 'VOCAB', 'x', '--ids', '--json'], 2, 'exclude each other'],
    ['a file that is not there', ['--vocab', 'VOCAB', '--file', 'nix.txt'], 66, 'nix.txt'],
  ];
  test.each(lines)('%s', async (_, argv, code, said) => {
    const ended = await cli(['tokenize', ...argv.map((arg) => (arg === 'VOCAB' ? at('vocab.txt') : arg))]);
    expect([ended.code, ended.out]).toEqual([code, '']);
    expect(ended.err).toContain(said);
  });

  test('tokens from a file cannot steer the terminal', async () => {
    write('odd-vocab.txt', `${TOKENS.slice(0, 5).join('\n')}\n\u0001\n\ue000\n`);
    const { out } = await cli(['tokenize', '--vocab', at('odd-vocab.txt'), '\u001b[31m \u202e']);
    for (const steers of ['\u001b', '\u202e', '\u0001']) expect(out).not.toContain(steers);
  });
});

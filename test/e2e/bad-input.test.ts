// What a user can do wrong: one clear message with its exit code, nothing on stdout, nothing changed on disk.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bertgrad, prepareSmall, remove, SMALL, start, succeed, temporary, treeHash } from './program.js';

const folder = temporary();
const at = (name: string): string => join(folder, name);
let small: ReturnType<typeof prepareSmall>;

beforeAll(() => {
  small = prepareSmall(folder);
  mkdirSync(at('empty-folder'));
  writeFileSync(at('empty.txt'), '');
  writeFileSync(at('blank.txt'), ' \n\n \n');
  writeFileSync(at('one.txt'), 'A first sentence of it.\nA second sentence of it.\nAnd a third one comes.\n');
  writeFileSync(
    at('latin1.txt'),
    Buffer.concat([Buffer.from('good line\nna'), Buffer.from([0xef]), Buffer.from('ve\n')]),
  );
  writeFileSync(at('no-mask.txt'), '[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n');
  writeFileSync(at('twice.txt'), '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\na\n');
  writeFileSync(at('heads.json'), JSON.stringify({ ...SMALL, num_attention_heads: 3 }));
  writeFileSync(at('unknown.json'), JSON.stringify({ ...SMALL, hiden_size: 3, hidden_act: 'swish' }));
  writeFileSync(at('broken.json'), '{"hidden_size": 32,');
  writeFileSync(at('narrow.json'), JSON.stringify({ ...SMALL, vocab_size: 100 }));
  writeFileSync(at('full.txt'), 'something is here already');
  mkdirSync(at('taken'));
  writeFileSync(at('taken/notes.txt'), 'mine');
}, 60_000);
afterAll(() => remove(folder));

type Case = readonly [what: string, args: () => readonly string[], code: number, ...words: string[]];
const pretrain = (...more: string[]): string[] => ['pretrain', small.shards, '-o', at('new'), ...more];

const CASES: readonly Case[] = [
  ['an unknown command', () => ['pretrian'], 2, 'pretrain'],
  ['an unknown option', () => pretrain('--stepz', '5'), 2, '--steps'],
  ['a number that is none', () => pretrain('--lr', 'abc'), 2, '--lr', 'abc'],
  ['a number out of range', () => pretrain('--lr', '-1'), 2, '--lr', '-1'],
  ['a number beyond all numbers', () => pretrain('--lr', '1e400'), 2, '1e400'],
  ['options that exclude each other', () => pretrain('--sop', '--no-nsp'), 2, '--sop', '--no-nsp'],
  ['a backend that is not there', () => pretrain('--backend', 'tpu'), 2, 'tpu', 'native'],
  ['vocab: a missing file', () => ['vocab', at('nothing.txt'), '-o', at('v.txt')], 66, 'nothing.txt'],
  ['vocab: an empty corpus', () => ['vocab', at('empty.txt'), '-o', at('v.txt')], 65, 'empty.txt'],
  ['vocab: a blank corpus', () => ['vocab', at('blank.txt'), '-o', at('v.txt')], 65],
  ['vocab: an empty folder', () => ['vocab', at('empty-folder'), '-o', at('v.txt')], 66, 'empty-folder'],
  ['vocab: invalid UTF-8', () => ['vocab', at('latin1.txt'), '-o', at('v.txt')], 65, 'latin1.txt', 'line 2', 'byte 12'],
  ['vocab: a size below the alphabet', () => ['vocab', small.corpus, '-o', at('v.txt'), '--size', '20'], 78, '20'],
  [
    'prepare: a missing vocabulary',
    () => ['prepare', small.corpus, '--vocab', at('no.txt'), '-o', at('s')],
    66,
    'no.txt',
  ],
  ['prepare: no [MASK]', () => ['prepare', small.corpus, '--vocab', at('no-mask.txt'), '-o', at('s')], 65, '[MASK]'],
  [
    'prepare: a token twice',
    () => ['prepare', small.corpus, '--vocab', at('twice.txt'), '-o', at('s')],
    65,
    'line 8',
    'line 6',
  ],
  ['prepare: output taken', () => ['prepare', small.corpus, '--vocab', small.vocab, '-o', at('taken')], 73, 'taken'],
  ['pretrain: no shards', () => ['pretrain', at('nothing'), '-o', at('new')], 66, 'nothing'],
  ['pretrain: heads that do not divide', () => pretrain('--config', at('heads.json')), 78, '32', '3', 'heads.json'],
  [
    'pretrain: unknown keys, all named',
    () => pretrain('--config', at('unknown.json')),
    78,
    'hiden_size',
    'hidden_size',
    'swish',
  ],
  ['pretrain: no JSON', () => pretrain('--config', at('broken.json')), 78, 'broken.json'],
  [
    'pretrain: more tokens than rows',
    () => pretrain('--config', at('narrow.json'), '--max-seq', '32'),
    78,
    '100',
    '400',
  ],
  ['pretrain: longer than the positions', () => pretrain('--config', small.config, '--max-seq', '64'), 78, '64', '32'],
  ['pretrain: an unknown model', () => pretrain('--model', 'tinny'), 78, 'tinny', 'tiny'],
  [
    'pretrain: more memory than there is',
    () => pretrain('--model', 'large', '--batch', '4096', '--max-seq', '512'),
    78,
    'memory',
    '--accumulate',
  ],
  ['pretrain: output taken', () => ['pretrain', small.shards, '-o', at('taken')], 73, 'taken'],
  ['pretrain: output is a file', () => ['pretrain', small.shards, '-o', at('full.txt')], 73, 'full.txt'],
  ['pretrain: --resume of nothing', () => ['pretrain', '--resume', at('nothing')], 66, 'nothing'],
  [
    'pretrain: --resume with another rate',
    () => ['pretrain', '--resume', at('nothing'), '--lr', '1e-3'],
    2,
    '--lr',
    '--resume',
  ],
  ['fill-mask: no model', () => ['fill-mask', at('nothing'), 'a [MASK]'], 66, 'nothing'],
];

test.each(CASES)('%s', (_what, args, code, ...words) => {
  const before = treeHash(folder);
  const ended = bertgrad(args());
  expect([ended.code, ended.code === code ? '' : ended.err]).toEqual([code, '']);
  for (const word of words) expect(ended.err).toContain(word);
  expect(ended.err).toMatch(/^error\[[A-Z0-9-]+\]: /m);
  expect(ended.err).not.toMatch(/\n\s+at .*:\d+:\d+/); // a stack
  expect(ended.err.trimEnd().split('\n').length).toBeLessThanOrEqual(5);
  expect(ended.out).toBe('');
  expect(treeHash(folder)).toBe(before);
});

test('a corpus of one document: next sentences need two', () => {
  const shards = at('one-shards');
  const { code, err } = bertgrad(['prepare', at('one.txt'), '--vocab', small.vocab, '-o', shards]);
  const ended =
    code === 0
      ? bertgrad(['pretrain', shards, '--config', small.config, '--max-seq', '16', '-o', at('new')])
      : { code, err };
  expect(ended.code).toBe(65);
  expect(ended.err).toContain('--no-nsp');
});

test('a run folder in use', async () => {
  const run = at('used');
  const { child, ended } = start([
    'pretrain',
    small.shards,
    '--config',
    small.config,
    '--max-seq',
    '32',
    '-o',
    run,
    '--steps',
    '1000000',
  ]);
  while (!existsSync(join(run, 'checkpoints', 'last'))) await new Promise((resolve) => setTimeout(resolve, 50));
  const second = bertgrad(['pretrain', '--resume', run]);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(143);
  expect(second.code).toBe(73);
  expect(second.err).toContain(`${child.pid}`);
});

test('shards of another corpus under a run that goes on', () => {
  const run = at('moved');
  const args = ['--config', small.config, '--max-seq', '32', '--steps', '4', '--batch', '4'];
  succeed(['pretrain', small.shards, ...args, '-o', run]);
  const other = at('other-shards');
  writeFileSync(at('other.txt'), 'One sentence.\nAnd two.\n\nThree of them.\nFour of them.\n');
  succeed(['prepare', at('other.txt'), '--vocab', small.vocab, '-o', other]);
  const { code, err } = bertgrad(['pretrain', other, '--resume', run]);
  expect([code, err.includes('other-shards')]).toEqual([78, true]);
});

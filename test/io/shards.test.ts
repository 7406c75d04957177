import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DataError, InputError, IoError, OutputError } from '../../src/core/errors.js';
import { Rng } from '../../src/core/random.js';
import { sha256 } from '../../src/data/sha256.js';
import { openShards } from '../../src/io/shards.js';
import { type ShardsOptions, ShardsWriter } from '../../src/io/shards-writer.js';
import { failAt, killAt, watched } from './disks.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const text = '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n';
const source = (size = 7) => ({
  vocab: { text, sha256: sha256(Buffer.from(text)), size },
  tokenizerConfig: { do_lower_case: true },
});

type Sentence = readonly (readonly [id: number, starts: boolean])[];

function documentsOf(count: number, size: number): Sentence[][] {
  const rng = new Rng(count, 7);
  const sentence = (): Sentence => range(1 + rng.int(12)).map(() => [rng.int(size), rng.int(3) > 0]);
  return range(count).map(() => range(1 + rng.int(5)).map(sentence));
}

async function write(name: string, documents: Sentence[][], options: ShardsOptions = {}, size = 7): Promise<string> {
  const writer = await ShardsWriter.create(at(name), source(size), options);
  try {
    for (const sentences of documents) {
      for (const pieces of sentences) {
        const ids = Int32Array.from(pieces, ([id]) => id);
        writer.sentence(
          ids,
          Uint8Array.from(pieces, ([, starts]) => Number(starts)),
        );
      }
      await writer.endDocument();
    }
    await writer.finish({ by: 'a test' });
  } catch (error) {
    await writer.abort().catch(() => undefined); // a broken disk need not let itself be cleaned
    throw error;
  }
  return at(name);
}

/** Documents back from the arrays. */
async function read(path: string): Promise<Sentence[][]> {
  const { ids, sentenceStarts, documentStarts, wordStarts } = (await openShards(path)).corpus;
  const slices = (starts: Uint32Array): [number, number][] =>
    range(starts.length - 1).map((i) => [starts[i], starts[i + 1]]);
  const sentences = slices(sentenceStarts).map(
    ([from, end]): Sentence =>
      range(end - from).map((i) => [ids[from + i], ((wordStarts[(from + i) >> 3] >> ((from + i) & 7)) & 1) === 1]),
  );
  return slices(documentStarts).map(([from, end]) => sentences.slice(from, end));
}

const documents = documentsOf(300, 7);

describe('a round trip', () => {
  test.each([
    ['one shard', 300, 1e6, 7],
    ['many shards', 300, 37, 7],
    ['a shard a document', 60, 1, 7],
    ['ids of four bytes', 60, 100, 70_000],
    ['one token', 1, 1e6, 7],
  ])('%s', async (name, count, shardTokens, size) => {
    const given = count === 1 ? [[[[6, true] as const]]] : documentsOf(count, size);
    const path = await write(`trip/${name}`, given, { shardTokens }, size);
    expect(await read(path)).toEqual(given);
    const { info, corpus, vocab, tokenizerConfig } = await openShards(path);
    expect([info.documents, info.sentences, info.tokens]).toEqual([
      given.length,
      given.flat().length,
      given.flat(2).length,
    ]);
    expect(info.shards.length > 1).toBe(count > 1 && shardTokens < 1e6);
    expect(corpus.ids).toBeInstanceOf(size > 65_536 ? Uint32Array : Uint16Array);
    expect([vocab, tokenizerConfig.do_lower_case, info.made.by]).toEqual([text, true, 'a test']);
  });

  test('empty sentences and documents are left out; the same corpus has the same bytes and hash', async () => {
    const [a, b] = [await write('a', [...documents, [[]], []]), await write('b', documents)];
    for (const name of readdirSync(a)) expect(readFileSync(join(a, name))).toEqual(readFileSync(join(b, name)));
    expect((await openShards(a)).hash).toBe((await openShards(b)).hash);
    const other = await write('c', documents.slice(1));
    expect((await openShards(other)).hash).not.toBe((await openShards(a)).hash);
  });

  test('a shard is half a header of numbers and hashes, then the arrays', async () => {
    const bytes = readFileSync(
      join(
        await write('format', [
          [
            [
              [5, true],
              [6, false],
            ],
          ],
          [[[6, true]]],
        ]),
        'shard-00000.bin',
      ),
    );
    expect(bytes.toString('latin1', 0, 8)).toBe('BGSHARD\0');
    expect(range(6).map((i) => bytes.readUInt32LE(8 + 4 * i))).toEqual([1, 2, 2, 2, 3, 0]);
    expect(bytes.toString('hex', 32, 64)).toBe(sha256(Buffer.from(text)));
    expect(bytes.toString('hex', 64, 96)).toBe(sha256(Buffer.concat([bytes.subarray(0, 64), bytes.subarray(96)])));
    const arrays = [
      1, 0, 0, 0, 1, 0, 0, 0, /* tokens */ 2, 0, 0, 0, 1, 0, 0, 0, /* ids */ 5, 0, 6, 0, 6, 0, /* words */ 5,
    ];
    expect([...bytes.subarray(96)]).toEqual(arrays);
  });
});

describe('refuses', () => {
  const good = write('good', documents, { shardTokens: 500 });
  /** A copy of good shards, to be spoilt. */
  async function copy(name: string): Promise<string> {
    const from = await good;
    rmSync(at(name), { recursive: true, force: true });
    mkdirSync(at(name));
    for (const file of readdirSync(from)) copyFileSync(join(from, file), join(at(name), file));
    return at(name);
  }
  const edit = (path: string, change: (text: string) => string): void =>
    writeFileSync(path, change(readFileSync(path, 'utf8')));

  test('every flipped bit of a shard, and every length', async () => {
    const path = await copy('flipped');
    const file = join(path, 'shard-00001.bin');
    const bytes = readFileSync(file);
    const rng = new Rng(1, 1);
    const places = [...range(96), ...range(150).map(() => 96 + rng.int(bytes.length - 96))];
    for (const place of places) {
      const spoilt = Uint8Array.from(bytes);
      spoilt[place] ^= 1 << rng.int(8);
      writeFileSync(file, spoilt);
      const error = await failure(openShards(path));
      expect(error).toBeInstanceOf(DataError);
      expect(error.where).toBe(file);
      expect(error.code).toMatch(/^DATA-SHARD-(DAMAGED|VERSION)$/);
    }
    for (const length of [0, 1, 8, 12, 95, 96, 97, bytes.length - 1]) {
      writeFileSync(file, bytes.subarray(0, length));
      const error = await failure(openShards(path));
      expect([error.code, error.message]).toEqual(['DATA-SHARD-SHORT', expect.stringContaining(`has ${length} bytes`)]);
    }
    writeFileSync(file, Buffer.concat([bytes, Buffer.of(0)]));
    expect((await failure(openShards(path))).code).toBe('DATA-SHARD-SHORT');
  });

  test('another version, of the folder and of a shard', async () => {
    const path = await copy('version');
    const bytes = readFileSync(join(path, 'shard-00000.bin'));
    bytes.writeUInt32LE(2, 8);
    writeFileSync(join(path, 'shard-00000.bin'), bytes);
    const error = await failure(openShards(path));
    expect([error.code, error.message]).toEqual(['DATA-SHARD-VERSION', expect.stringContaining('version 2')]);
    edit(join(path, 'shards.json'), (json) => json.replace('"format": 1', '"format": 9'));
    expect((await failure(openShards(path))).code).toBe('DATA-SHARD-VERSION');
  });

  test('another vocabulary, in the folder, asked for, or in one shard', async () => {
    const wanted = await failure(openShards(await good, 'ab'.repeat(32)));
    expect([wanted.code, wanted.exitCode]).toEqual(['DATA-SHARD-VOCAB', 65]);
    expect(wanted.where).toMatch(/shards: [0-9a-f]{12}; here: abababababab/);
    expect(wanted.fix).toContain('bertgrad prepare');
    await openShards(await good, source().vocab.sha256);
    const path = await copy('vocab');
    edit(join(path, 'vocab.txt'), (vocab) => vocab.replace('a\n', 'c\n'));
    expect((await failure(openShards(path))).code).toBe('DATA-SHARD-VOCAB');
    const mixed = await copy('mixed');
    edit(join(mixed, 'shards.json'), (json) => json.replace(/[0-9a-f]{64}/, 'cd'.repeat(32)));
    expect((await failure(openShards(mixed))).code).toBe('DATA-SHARD-VOCAB');
  });

  test('shards that changed places, or are missing', async () => {
    const path = await copy('swapped');
    renameSync(join(path, 'shard-00000.bin'), join(path, 'x'));
    expect((await failure(openShards(path))).code).toBe('SYSTEM-ENOENT');
    renameSync(join(path, 'shard-00001.bin'), join(path, 'shard-00000.bin'));
    renameSync(join(path, 'x'), join(path, 'shard-00001.bin'));
    expect((await failure(openShards(path))).code).toMatch(/^DATA-SHARD-(SHORT|DAMAGED)$/);
  });

  test.each([
    ['no JSON', () => '{', 'JSON-SYNTAX'],
    ['a file outside', (json: string) => json.replace('shard-00000.bin', '../x.bin'), 'DATA-SHARDS'],
    ['a wrong sum', (json: string) => json.replace(/"tokens": \d+/, '"tokens": 1'), 'DATA-SHARDS'],
    ['no vocabulary', (json: string) => json.replace('"vocab"', '"vocabulary"'), 'DATA-SHARDS'],
    ['no shards', (json: string) => json.replace(/"shards": \[[\s\S]*\]/, '"shards": []'), 'DATA-SHARDS'],
    ['a negative count', (json: string) => json.replace(/"documents": 300/, '"documents": -1'), 'DATA-SHARDS'],
  ])('a manifest with %s', async (_what, change, code) => {
    const path = await copy('manifest');
    edit(join(path, 'shards.json'), change);
    expect((await failure(openShards(path))).code).toBe(code);
  });

  test('what is no folder of shards', async () => {
    mkdirSync(at('other'));
    writeFileSync(at('other/notes.txt'), 'x');
    for (const name of ['other', 'nothing']) {
      const error = await failure(openShards(at(name)));
      expect([error.constructor, error.code]).toEqual([InputError, 'DATA-SHARDS-MISSING']);
    }
    expect((await failure(openShards(at('other/notes.txt')))).exitCode).toBe(66);
  });
});

describe('the output', () => {
  test('is not replaced unless asked, and never when it is something else', async () => {
    const path = await write('taken', documents.slice(0, 3));
    const taken = await failure(write('taken', documents));
    expect([taken.constructor, taken.code, taken.exitCode]).toEqual([OutputError, 'OUTPUT-EXISTS', 73]);
    expect(taken.fix).toContain('--overwrite');
    expect(await read(path)).toEqual(documents.slice(0, 3));
    await write('taken', documents, { overwrite: true });
    expect(await read(path)).toEqual(documents);
    mkdirSync(at('mine'));
    writeFileSync(at('mine/thesis.txt'), 'x');
    expect((await failure(write('mine', documents, { overwrite: true }))).code).toBe('OUTPUT-EXISTS');
    mkdirSync(at('free'));
    expect(await read(await write('free', documents))).toEqual(documents);
    writeFileSync(at('file'), 'x');
    expect((await failure(write('file', documents))).exitCode).toBe(73);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('that another process writes is left to it; what a dead one left is removed', async () => {
    mkdirSync(at(`.busy.${process.ppid}.tmp`));
    const busy = await failure(write('busy', documents));
    expect([busy.constructor, busy.code]).toEqual([OutputError, 'OUTPUT-IN-USE']);
    expect(busy.message).toContain(String(process.ppid));
    mkdirSync(at('.dead.4194303.tmp')); // above the highest number of a process
    await write('dead', documents);
    expect(existsSync(at('.dead.4194303.tmp'))).toBe(false);
  });

  test('an empty corpus leaves nothing behind', async () => {
    const error = await failure(write('empty', [[]]));
    expect([error.code, existsSync(at('empty'))]).toEqual(['DATA-EMPTY', false]);
    expect(readdirSync(folder).filter((name) => name.includes('empty'))).toEqual([]);
  });

  /** Calls to the disk of one overwriting. */
  async function countCalls(old: Sentence[][], next: Sentence[][]): Promise<number> {
    await write('counted', old, { overwrite: true });
    const { disk: on, calls } = watched(() => 'go');
    await write('counted', next, { overwrite: true, shardTokens: 100, on });
    return calls.length;
  }

  test('whatever call fails: the old shards or the new, whole', async () => {
    const [old, next] = [documents.slice(0, 3), documents.slice(3, 40)];
    const calls = await countCalls(old, next);
    expect(calls).toBeGreaterThan(20);
    for (let n = 0; n < calls; n++) {
      await write('faulty', old, { overwrite: true });
      const { disk: on } = watched(failAt(n, 'ENOSPC', false));
      const work = write('faulty', next, { overwrite: true, shardTokens: 100, on });
      const last = n === calls - 1; // the old shards are in the way only; the next start removes them
      if (last) await work;
      else expect([n, (await failure(work)).constructor]).toEqual([n, IoError]);
      expect([n, old, next]).toContainEqual(await read(at('faulty')));
    }
    await write('faulty', old, { overwrite: true });
    expect(readdirSync(folder).filter((name) => name.startsWith('.faulty'))).toEqual([]);
  });

  test('killed at any call: the next start finds the old shards or the new, and writes again', async () => {
    const [old, next] = [documents.slice(0, 3), documents.slice(3, 40)];
    const total = await countCalls(old, next);
    for (let n = 0; n < total; n++) {
      rmSync(at('killed'), { recursive: true, force: true });
      await write('killed', old);
      const work = write('killed', next, { overwrite: true, shardTokens: 100, on: watched(killAt(n)).disk });
      expect([
        n,
        await work.then(
          () => n === total - 1,
          () => true,
        ),
      ]).toEqual([n, true]);
      const whole = existsSync(at('killed')) ? await read(at('killed')) : null;
      if (whole !== null) expect([old, next]).toContainEqual(whole);
      const writer = await ShardsWriter.create(at('killed'), source(), { overwrite: true });
      await writer.abort();
      expect([old, next]).toContainEqual(await read(at('killed')));
    }
  });
});

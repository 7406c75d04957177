import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { CheckpointError, IoError, OutputError } from '../../src/core/errors.js';
import { type LoadedCheckpoint, loadNewestCheckpoint, pointedAt, writeCheckpoint } from '../../src/io/checkpoint.js';
import { disk, isLeftover } from '../../src/io/files.js';
import { content, isWhole, saveAll } from './checkpoints.js';
import { type Call, errno, failAt, Killed, killAt, watched } from './disks.js';
import { failure, testFolder } from './folder.js';

const FILES = [
  'config.json',
  'manifest.json',
  'model.safetensors',
  'optimizer.safetensors',
  'state.json',
  'tokenizer_config.json',
  'vocab.txt',
];
const folder = testFolder();
const template = join(folder, 'template');
const run = join(folder, 'run');
const checkpoints = join(run, 'checkpoints');
const at = (step: number): string => join(checkpoints, `step-${step}`);
let warnings: string[] = [];

async function newest(): Promise<LoadedCheckpoint> {
  const loaded = await loadNewestCheckpoint(run, (text) => warnings.push(text));
  if (loaded === null) throw new Error('no checkpoint');
  expect(isWhole(loaded)).toBe(true);
  return loaded;
}

/** Names in the checkpoints folder, hidden ones too. */
const names = (): string[] => readdirSync(checkpoints).sort();

beforeEach(async () => {
  if (!existsSync(template)) await saveAll(template, [10, 20]);
  rmSync(run, { recursive: true, force: true });
  cpSync(template, run, { recursive: true });
  warnings = [];
});

describe('writing', () => {
  test('a checkpoint is a model folder and more, and comes back whole', async () => {
    expect(await writeCheckpoint(run, content(30))).toBe(at(30));
    expect(readdirSync(at(30)).sort()).toEqual(FILES);
    expect((await newest()).step).toBe(30);
    expect(warnings).toEqual([]);
  });

  test('a run without checkpoints has none', async () => {
    expect(await loadNewestCheckpoint(join(folder, 'nothing'), () => undefined)).toBeNull();
  });

  test('the three newest stay, and the best; last and best name them', async () => {
    await writeCheckpoint(run, content(30), { best: true });
    for (const step of [40, 50, 60, 70]) await writeCheckpoint(run, content(step));
    expect(names()).toEqual(['best', 'last', 'step-30', 'step-50', 'step-60', 'step-70']);
    expect(await pointedAt(run, 'best')).toBe(at(30));
    expect(await pointedAt(run, 'last')).toBe(at(70));
  });

  test('steps are compared as numbers', async () => {
    await writeCheckpoint(run, content(100), { keep: 2 });
    expect(names()).toEqual(['last', 'step-100', 'step-20']);
  });

  test('the same step again replaces the first', async () => {
    await writeCheckpoint(run, { ...content(20), state: { step: 20, seconds: 99 } });
    expect((await loadNewestCheckpoint(run, () => undefined))?.state).toEqual({ step: 20, seconds: 99 });
    expect(names()).toEqual(['last', 'step-10', 'step-20']);
  });

  test('what a stopped process left is removed; a replaced checkpoint without successor comes back', async () => {
    cpSync(at(20), join(checkpoints, '.step-30.tmp'), { recursive: true });
    cpSync(at(20), join(checkpoints, '.step-20.old.tmp'), { recursive: true });
    rmSync(at(20), { recursive: true });
    writeFileSync(join(checkpoints, '.last.77.tmp'), 'step-');
    expect((await newest()).step).toBe(20);
    expect(names()).toEqual(['last', 'step-10', 'step-20']);
  });
});

describe('damage', () => {
  const damages: [string, (path: string) => void][] = [
    ['is missing', (path) => rmSync(path)],
    ['is empty', (path) => truncateSync(path, 0)],
    ['lacks its last byte', (path) => truncateSync(path, readFileSync(path).length - 1)],
    ['is cut in the middle', (path) => truncateSync(path, readFileSync(path).length >> 1)],
    ['has bytes after its end', (path) => writeFileSync(path, '\0', { flag: 'a' })],
    ['has become zeros', (path) => writeFileSync(path, new Uint8Array(readFileSync(path).length))],
  ];
  const cases = FILES.flatMap((file) => damages.map(([what, damage]) => ({ file, what, damage })));

  test.each(cases)('$file $what: the older one is used, and the warning names the file', async ({ file, damage }) => {
    damage(join(at(20), file));
    expect((await newest()).step).toBe(10);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(join(at(20), file));
    expect(names()).toEqual(['last', 'step-10', 'step-20.corrupt']);
  });

  test.each(FILES)('any flipped bit of %s is found', async (file) => {
    const path = join(at(20), file);
    const original = readFileSync(path);
    const total = original.length * 8;
    for (let n = 0; n < 60; n++) {
      const bit = Math.floor((n / 60) * total) + (n % 8);
      const bytes = Uint8Array.from(original);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(path, bytes);
      expect((await newest()).step).toBe(10);
      cpSync(join(checkpoints, 'step-20.corrupt'), at(20), { recursive: true });
      rmSync(join(checkpoints, 'step-20.corrupt'), { recursive: true });
      writeFileSync(path, original);
    }
  });

  test('a second damaged one of the same step does not take the name of the first', async () => {
    cpSync(at(20), join(checkpoints, 'step-20.corrupt'), { recursive: true });
    rmSync(join(at(20), 'state.json'));
    await newest();
    expect(names()).toEqual(['last', 'step-10', 'step-20.corrupt', 'step-20.corrupt.2']);
  });

  test('a checkpoint under the name of another step is not believed', async () => {
    cpSync(at(20), at(40), { recursive: true });
    expect((await newest()).step).toBe(20);
    expect(warnings[0]).toContain('is that of step 20');
  });

  test('all damaged: an error that names each, and nothing is renamed', async () => {
    rmSync(join(at(10), 'config.json'));
    truncateSync(join(at(20), 'vocab.txt'), 3);
    const error = await failure(loadNewestCheckpoint(run, () => undefined));
    expect([error.code, error.exitCode]).toEqual(['CHECKPOINT-NONE-WHOLE', 65]);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain('step-10/config.json: is missing');
    expect(error.message).toContain('step-20/vocab.txt: has 3 bytes, 31 were written');
    expect(names()).toEqual(['last', 'step-10', 'step-20']);
  });

  test('a manifest that names a file elsewhere is refused', async () => {
    const path = join(at(20), 'manifest.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"state.json"', '"../step-10/state.json"'));
    expect((await newest()).step).toBe(10);
  });
});

describe('faults', () => {
  /** Calls of one save that replaces nothing and removes one old checkpoint. */
  async function callsOfSave(): Promise<readonly Call[]> {
    const { disk: double, calls } = watched(() => 'go');
    await writeCheckpoint(run, content(30), { keep: 2, best: true, disk: double });
    return calls;
  }

  test('stopped at each call in turn: the newest whole checkpoint loads, and what was left is gone', async () => {
    const count = (await callsOfSave()).length;
    expect(count).toBeGreaterThan(30);
    const found: number[] = [];
    for (let n = 0; n < count; n++) {
      rmSync(run, { recursive: true });
      cpSync(template, run, { recursive: true });
      const { disk: double } = watched(killAt(n));
      const save = writeCheckpoint(run, content(30), { keep: 2, best: true, disk: double });
      await expect(save).rejects.toBeInstanceOf(Killed);
      found.push((await newest()).step);
      expect(names().filter(isLeftover)).toEqual([]);
    }
    expect(warnings).toEqual([]);
    expect([...new Set(found)]).toEqual([20, 30]); // first all without, then all with the new one
    expect(found).toEqual([...found].sort((a, b) => a - b));
  });

  test.each([
    ['ENOSPC', false, IoError],
    ['ENOSPC', true, IoError],
    ['EIO', false, IoError],
    ['EROFS', true, OutputError],
    ['EACCES', false, OutputError],
  ] as const)('%s at each call (for good: %s): our error, no half-written thing', async (code, onward, Kind) => {
    const calls = await callsOfSave();
    // When the disk is full, files can still be removed.
    const count = onward ? calls.findLastIndex(({ what }) => what !== 'remove') + 1 : calls.length;
    for (let n = 0; n < count; n++) {
      rmSync(run, { recursive: true });
      cpSync(template, run, { recursive: true });
      const { disk: double } = watched(failAt(n, code, onward));
      const error = await failure(writeCheckpoint(run, content(30), { keep: 2, best: true, disk: double }));
      expect(error).toBeInstanceOf(Kind);
      expect(error.code).toBe(`SYSTEM-${code}`);
      expect(names().filter(isLeftover)).toEqual([]);
      expect([20, 30]).toContain((await newest()).step);
      if (n % 4 > 0) continue;
      await writeCheckpoint(run, content(30), { keep: 2 });
      expect((await newest()).step).toBe(30);
    }
  });

  test('what reads back otherwise is no checkpoint, and nothing older is removed for it', async () => {
    const lying = watched(() => 'go').disk;
    const create: typeof lying.create = async (path) => {
      const file = await disk.create(path);
      return path.endsWith('vocab.txt') ? { ...file, write: async () => undefined } : file;
    };
    const error = await failure(writeCheckpoint(run, content(30), { keep: 1, disk: { ...lying, create } }));
    expect([error.code, error.exitCode]).toEqual(['CHECKPOINT-VERIFY', 74]);
    expect((await newest()).step).toBe(20);
  });

  test('an error that is no file system error passes as it is', async () => {
    const bug = new TypeError('bug');
    const { disk: double } = watched(() => bug);
    await expect(writeCheckpoint(run, content(30), { disk: double })).rejects.toBe(bug);
    expect(errno('EIO')).toBeInstanceOf(Error);
  });
});

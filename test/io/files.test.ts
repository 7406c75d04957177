import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, DataError, InputError, IoError, OutputError } from '../../src/core/errors.js';
import { readJsonFile, readTextFile, writeFileAtomic } from '../../src/io/files.js';
import { failAt, killAt, watched } from './disks.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();
const path = join(folder, 'out.txt');

describe('an atomic write', () => {
  test('replaces the file and leaves nothing else', async () => {
    await writeFileAtomic(path, 'old');
    await writeFileAtomic(path, Uint8Array.of(0xe9, 0xa5, 0xad));
    expect(readFileSync(path, 'utf8')).toBe('饭');
    expect(readdirSync(folder)).toEqual(['out.txt']);
  });

  test('flushes the file before the rename and the folder after it', async () => {
    const { disk, calls } = watched(() => 'go');
    await writeFileAtomic(path, 'new', disk);
    expect(calls.map(({ what }) => what)).toEqual(['create', 'write', 'sync', 'rename', 'syncFolder']);
  });

  test('stopped anywhere, the file is the old or the new', async () => {
    for (let n = 0; n < 5; n++) {
      await writeFileAtomic(path, 'old');
      await expect(writeFileAtomic(path, 'new', watched(killAt(n)).disk)).rejects.toThrow();
      expect(readFileSync(path, 'utf8')).toBe(n < 4 ? 'old' : 'new');
    }
  });

  test.each([
    ['ENOSPC', IoError, 'the disk is full'],
    ['EDQUOT', IoError, 'quota'],
    ['EROFS', OutputError, 'read-only'],
    ['EACCES', OutputError, 'no permission'],
  ] as const)('%s: our error, the old file, nothing half-written', async (code, Kind, words) => {
    const target = join(folder, code);
    for (let n = 0; n < 4; n++) {
      await writeFileAtomic(target, 'old');
      const error = await failure(writeFileAtomic(target, 'new', watched(failAt(n, code, true)).disk));
      expect(error).toBeInstanceOf(Kind);
      expect([error.code, error.fix === undefined]).toEqual([`SYSTEM-${code}`, false]);
      expect(error.message).toContain(`${target}: cannot be written: `);
      expect(error.message).toContain(words);
      expect(readFileSync(target, 'utf8')).toBe('old');
      expect(readdirSync(folder).filter((name) => name.startsWith('.') && name.includes(code))).toEqual([]);
    }
  });

  test('into a folder that is not there', async () => {
    const error = await failure(writeFileAtomic(join(folder, 'no', 'x'), ''));
    expect([error.code, error.exitCode]).toEqual(['SYSTEM-ENOENT', 73]);
  });
});

describe('reading', () => {
  test('text without its byte order mark', async () => {
    writeFileSync(path, '\ufeff我爱吃饭');
    expect(await readTextFile(path)).toBe('我爱吃饭');
  });

  test('errors', async () => {
    mkdirSync(join(folder, 'inside'));
    expect(await failure(readTextFile(join(folder, 'nothing')))).toMatchObject({ code: 'SYSTEM-ENOENT', exitCode: 66 });
    expect(await failure(readTextFile(join(folder, 'inside')))).toBeInstanceOf(InputError);
    writeFileSync(path, Uint8Array.of(0xce, 0xd2));
    expect(await failure(readTextFile(path))).toMatchObject({ code: 'DATA-ENCODING', exitCode: 65 });
    writeFileSync(path, '12345');
    expect(await failure(readTextFile(path, 4))).toMatchObject({ code: 'FILE-TOO-LARGE', exitCode: 65 });
  });

  test('JSON: line and column of a mistake, by the class of error asked for', async () => {
    writeFileSync(path, '{\n  "a": 1,\n  "a": 2\n}');
    const error = await failure(readJsonFile(path, ConfigError));
    expect(error).toBeInstanceOf(ConfigError);
    expect([error.code, error.where]).toEqual(['JSON-SYNTAX', `${path}:3:6`]);
    writeFileSync(path, '[]');
    expect(await failure(readJsonFile(path))).toBeInstanceOf(DataError);
    writeFileSync(path, '{"a":[1,null]}');
    expect(await readJsonFile(path)).toEqual({ a: [1, null] });
  });
});

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { OutputError } from '../../src/core/errors.js';
import { lockFolder } from '../../src/io/lock.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();
const path = join(folder, 'lock');
let remarks: string[] = [];
const take = (): Promise<() => Promise<void>> => lockFolder(folder, (text) => remarks.push(text));
/** Empty where the system has no such file. */
const proc = (name: string): string => (existsSync(`/proc/${name}`) ? readFileSync(`/proc/${name}`, 'latin1') : '');
const held = (changes: object): void => {
  const boot = proc('sys/kernel/random/boot_id').trim();
  const holder = { pid: 1, host: hostname(), since: '2026-01-01T00:00:00.000Z', boot, began: '', id: 'x', ...changes };
  writeFileSync(path, JSON.stringify(holder));
};

beforeEach(() => {
  remarks = [];
});

test('a lock keeps others out until it is given back', async () => {
  const release = await take();
  const error = await failure(take());
  expect(error).toBeInstanceOf(OutputError);
  expect([error.code, error.exitCode]).toEqual(['RUN-LOCKED', 73]);
  expect(error.message).toContain(`in use by process ${process.pid} since 20`);
  await release();
  expect(existsSync(path)).toBe(false);
  await (await take())();
  expect(remarks).toEqual([]);
});

test('the lock of a process that is gone is taken over, aloud', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', '0']);
  held({ pid });
  const release = await take();
  expect(remarks).toEqual([
    `${folder}: the lock of process ${pid}, gone since it took it at 2026-01-01T00:00:00.000Z, is taken over`,
  ]);
  await release();
  expect(readdirSync(folder)).toEqual([]);
});

test('the lock of a living process is not', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)']);
  try {
    const begin = proc(`${child.pid}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ')[19];
    held({ pid: child.pid, began: begin ?? '' });
    expect((await failure(take())).code).toBe('RUN-LOCKED');
    held({ pid: child.pid, began: '1' }); // the number is in use again by another process
    await (await take())();
    expect(remarks).toHaveLength(1);
  } finally {
    child.kill();
  }
});

test('a lock from before the last start of the machine is stale', async () => {
  held({ pid: process.pid, boot: 'another' });
  await (await take())();
  expect(remarks).toHaveLength(1);
});

test('a lock of another machine is believed', async () => {
  held({ host: 'elsewhere' });
  const error = await failure(take());
  expect(error.message).toContain('process 1 on elsewhere since 2026-01-01');
  expect(error.fix).toContain(`delete ${path}`);
});

test('a lock without content is being written, or was torn', async () => {
  writeFileSync(path, '');
  expect((await failure(take())).message).toContain('just starting');
  utimesSync(path, 0, 0);
  await (await take())();
  expect(remarks[0]).toContain('unreadable');
});

test('ten at once: one has it', async () => {
  held({ pid: 2 ** 22 + 1 });
  const results = await Promise.allSettled(Array.from({ length: 10 }, take));
  const winners = results.filter((r) => r.status === 'fulfilled');
  expect(winners).toHaveLength(1);
  await winners[0].value();
});

test('giving back removes no lock of somebody else', async () => {
  const release = await take();
  held({ host: 'elsewhere' });
  await release();
  expect(existsSync(path)).toBe(true);
});

test('a folder that is not there', async () => {
  const error = await failure(lockFolder(join(folder, 'nothing'), () => undefined));
  expect([error.code, error.exitCode]).toEqual(['SYSTEM-ENOENT', 73]);
});

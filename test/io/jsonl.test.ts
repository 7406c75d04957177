import { readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { IoError } from '../../src/core/errors.js';
import type { JsonObject } from '../../src/io/json.js';
import { JsonLog, readJsonl } from '../../src/io/jsonl.js';
import { errno } from './disks.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();
const path = join(folder, 'metrics.jsonl');
let warnings: string[] = [];
const log = (resumed = 0, write = writeSync): JsonLog =>
  new JsonLog(path, resumed, (text) => warnings.push(text), write);

async function records(): Promise<JsonObject[]> {
  const all: JsonObject[] = [];
  for await (const record of readJsonl(path)) all.push(record);
  return all;
}
const steps = async (): Promise<unknown[]> => (await records()).map(({ step }) => step);

beforeEach(() => {
  rmSync(path, { force: true });
  warnings = [];
});

function writeSteps(from: number, to: number, resumed = 0): void {
  const file = log(resumed);
  for (let step = from; step <= to; step++) file.append({ step, loss: step / 3 } as { step: number });
  file.close();
}

describe('a log', () => {
  test('is a line of JSON a record, the step first, what is not finite as null', () => {
    const file = log();
    file.append({ loss: Number.NaN, step: 1, text: '我\n' } as { step: number });
    file.close();
    expect(readFileSync(path, 'utf8')).toBe('{"step":1,"loss":null,"text":"我\\n"}\n');
  });

  test('resumed at a step, it forgets all later lines', async () => {
    writeSteps(1, 30);
    writeSteps(11, 20, 10);
    expect(await steps()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test('a new run in its place begins empty', async () => {
    writeSteps(1, 5);
    writeSteps(1, 3);
    expect(await steps()).toEqual([1, 2, 3]);
  });

  test('cut at any byte, it loses the torn line and no other', async () => {
    writeSteps(1, 12);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      log(12).close();
      const kept = readFileSync(path, 'latin1');
      expect(whole.toString('latin1').startsWith(kept)).toBe(true);
      expect(kept === '' || kept.endsWith('}\n')).toBe(true);
      expect(length - kept.length).toBeLessThan(40);
    }
  });

  test('zeros after a loss of power are cut off', async () => {
    writeSteps(1, 3);
    writeFileSync(path, `${'\0'.repeat(100)}\n`, { flag: 'a' });
    writeSteps(4, 5, 3);
    expect(await steps()).toEqual([1, 2, 3, 4, 5]);
  });

  test('lines longer than the buffer of the reader are kept', async () => {
    const file = log();
    file.append({ step: 1, text: 'x'.repeat(3e6) } as { step: number });
    file.append({ step: 2 });
    file.close();
    log(2).close();
    expect(await steps()).toEqual([1, 2]);
    log(1).close();
    expect(await steps()).toEqual([1]);
  });

  test('a log that is not there has no records', async () => {
    expect(await records()).toEqual([]);
  });

  test('a folder that is not there', async () => {
    const error = await failure(Promise.resolve().then(() => new JsonLog('/nowhere/x.jsonl', 0, () => undefined)));
    expect([error.code, error.exitCode]).toEqual(['SYSTEM-ENOENT', 73]);
  });
});

describe('a full disk', () => {
  /** Writes half of each record and fails while `full`. */
  const state = { full: false };
  const write = (fd: number, bytes: Uint8Array): number => {
    if (!state.full) return writeSync(fd, bytes);
    writeSync(fd, bytes.subarray(0, bytes.length >> 1));
    throw errno('ENOSPC');
  };

  test('stops nothing: records wait and are written when there is room', async () => {
    const file = log(0, write as typeof writeSync);
    file.append({ step: 1 });
    state.full = true;
    for (let step = 2; step <= 5; step++) file.append({ step });
    expect(await steps()).toEqual([1]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${path}: cannot be written: the disk is full`);
    expect(() => file.flush()).toThrow(IoError);
    state.full = false;
    file.append({ step: 6 });
    expect(await steps()).toEqual([1, 2, 3, 4, 5, 6]);
    file.close();
  });

  test('is an error at the end', () => {
    const file = log(0, write as typeof writeSync);
    state.full = true;
    file.append({ step: 1 });
    expect(() => file.close()).toThrow(IoError);
    state.full = false;
  });

  test('memory stays bounded: the oldest of 16 MB go', async () => {
    const file = log(0, write as typeof writeSync);
    state.full = true;
    for (let step = 1; step <= 40; step++) file.append({ step, text: 'x'.repeat(1e6) } as { step: number });
    state.full = false;
    file.close();
    const kept = await steps();
    expect(kept.length).toBe(15);
    expect(kept.at(-1)).toBe(40);
    expect(statSync(path).size).toBeLessThan(16e6);
    truncateSync(path);
  });
});

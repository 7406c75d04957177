import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { BertgradError } from '../../src/core/errors.js';

/** Memory, where there is such a folder: these tests flush files thousands of times. */
const BASE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** An empty folder that goes when the tests of this file are over. */
export function testFolder(): string {
  const folder = mkdtempSync(join(BASE, 'bertgrad-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The error of ours that a promise ends with. */
export async function failure(work: Promise<unknown>): Promise<BertgradError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof BertgradError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
}

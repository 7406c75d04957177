import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createRun, openRun } from '../../src/io/run-folder.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();

test('a run folder is made, and its run.json comes back', async () => {
  const run = join(folder, 'runs', 'first');
  await createRun(run, { seed: 1, options: { steps: 10 } });
  expect(await openRun(run)).toEqual({ seed: 1, options: { steps: 10 } });
  expect(readFileSync(join(run, 'run.json'), 'utf8')).toMatch(/^\{\n {2}"format": 1,/);
});

test('a lock taken before does not count as something in the folder', async () => {
  const run = join(folder, 'locked');
  mkdirSync(run);
  writeFileSync(join(run, 'lock'), '');
  await createRun(run, {});
});

test('a folder in use is not touched', async () => {
  const run = join(folder, 'twice');
  await createRun(run, { seed: 1 });
  const again = await failure(createRun(run, { seed: 2 }));
  expect(again).toMatchObject({ code: 'RUN-EXISTS', exitCode: 73 });
  expect(again.fix).toContain('--resume');
  expect(await openRun(run)).toEqual({ seed: 1 });
  const other = join(folder, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'thesis.tex'), '');
  expect((await failure(createRun(other, {}))).where).toBe('it holds thesis.tex');
});

test('what is no run, damaged, or of a later version', async () => {
  expect(await failure(openRun(join(folder, 'nothing')))).toMatchObject({ code: 'RUN-MISSING', exitCode: 66 });
  expect(await failure(openRun(folder))).toMatchObject({ code: 'RUN-MISSING' });
  writeFileSync(join(folder, 'run.json'), '{"format": 2}');
  expect(await failure(openRun(folder))).toMatchObject({ code: 'RUN-FORMAT', exitCode: 65 });
  writeFileSync(join(folder, 'run.json'), '{"format": 1,');
  expect(await failure(openRun(folder))).toMatchObject({ code: 'JSON-SYNTAX', exitCode: 65 });
  writeFileSync(join(folder, 'file'), '');
  expect(await failure(createRun(join(folder, 'file'), {}))).toMatchObject({ code: 'SYSTEM-EEXIST', exitCode: 73 });
});

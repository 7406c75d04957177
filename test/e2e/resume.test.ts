// A run that is stopped, in whatever way and however often, ends where an undisturbed one ends, bit for bit.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Rng } from '../../src/core/random.js';
import { curve, prepareSmall, remove, sha256, start, succeed, temporary } from './program.js';

const STEPS = 60;
const folder = temporary();
let small: ReturnType<typeof prepareSmall>;
let undisturbed: string;

const settings = (): string[] => [
  ...[small.shards, '--config', small.config, '--steps', `${STEPS}`, '--batch', '8', '--max-seq', '32'],
  ...['--save-every', '5', '--eval-every', '10', '--seed', '7', '--accumulate', '2'],
];
const weights = (run: string): string => sha256(join(run, 'checkpoints', `step-${STEPS}`, 'model.safetensors'));
const moments = (run: string): string => sha256(join(run, 'checkpoints', `step-${STEPS}`, 'optimizer.safetensors'));

function expectSame(run: string): void {
  expect(curve(run)).toEqual(curve(undisturbed));
  expect([weights(run), moments(run)]).toEqual([weights(undisturbed), moments(undisturbed)]);
}

beforeAll(() => {
  small = prepareSmall(folder);
  undisturbed = join(folder, 'undisturbed');
  succeed(['pretrain', ...settings(), '-o', undisturbed]);
}, 120_000);
afterAll(() => remove(folder));

describe('determinism', () => {
  test('the same run again gives the same bits (D0)', () => {
    const run = join(folder, 'again');
    succeed(['pretrain', ...settings(), '-o', run]);
    expectSame(run);
  });

  test('one thread and two give the same bits (D1)', () => {
    for (const threads of ['1', '2']) {
      const run = join(folder, `threads-${threads}`);
      succeed(['pretrain', ...settings(), '-o', run, '--threads', threads]);
      expectSame(run);
    }
  });
});

test('killed at ten random moments, each time resumed: the same bits in the end', async () => {
  const run = join(folder, 'killed');
  const seed = Number(process.env.BG_TEST_SEED ?? Date.now() % 1e6);
  const rng = new Rng(seed, 99);
  let kills = 0;
  let begun = false;
  for (let attempt = 0; attempt < 60; attempt++) {
    const args = begun ? ['--resume', run] : [...settings(), '-o', run];
    const { child, ended } = start(['pretrain', ...args]);
    // Never before there is something to go on from: a run without a checkpoint has to be begun again.
    const life = kills < 10 ? 150 + rng.int(700) : 1e6;
    const timer = new AbortController();
    const killed = sleep(life, true, { signal: timer.signal }).catch(() => false);
    if (await Promise.race([killed, ended.then(() => false)])) {
      child.kill('SIGKILL');
      kills++;
    }
    timer.abort();
    const { code, err } = await ended;
    begun = existsSync(join(run, 'run.json'));
    if (code === 0) break;
    if (code !== null && !(code === 66 && /no checkpoint/.test(err)))
      throw new Error(`seed ${seed}: exit code ${code}\n${err}`);
    if (code === 66) {
      remove(run);
      begun = false;
    }
  }
  expect([`seed ${seed}`, kills]).toEqual([`seed ${seed}`, 10]);
  expectSame(run);
  expect(readdirSync(join(run, 'checkpoints')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
}, 240_000);

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s saves, ends with %i, and the run goes on from there',
  async (signal, wanted) => {
    const run = join(folder, signal);
    const { child, ended } = start(['pretrain', ...settings(), '-o', run]);
    while (!existsSync(join(run, 'checkpoints', 'last'))) await sleep(20);
    child.kill(signal);
    const { code, out, err } = await ended;
    expect([code, code === wanted ? '' : err]).toEqual([wanted, '']);
    expect(out).toContain('--resume');
    succeed(['pretrain', '--resume', run]);
    expectSame(run);
  },
  60_000,
);

test('a damaged checkpoint is named and the one before it is used', () => {
  const run = join(folder, 'damaged');
  succeed(['pretrain', ...settings(), '-o', run]);
  const last = join(run, 'checkpoints', `step-${STEPS}`, 'model.safetensors');
  flipBit(last);
  const { err } = succeed(['pretrain', '--resume', run]);
  expect(err).toMatch(/warning.*model\.safetensors/s);
  expect(existsSync(join(run, 'checkpoints', `step-${STEPS}.corrupt`))).toBe(true);
  expectSame(run);
});

function flipBit(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 8;
  writeFileSync(path, bytes);
}

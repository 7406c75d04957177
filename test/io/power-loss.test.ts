import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadNewestCheckpoint, writeCheckpoint } from '../../src/io/checkpoint.js';
import { content, isWhole, saveAll } from './checkpoints.js';
import { type Call, watched } from './disks.js';
import { testFolder } from './folder.js';
import { copyFolder, type Luck, PoweredDisk } from './power-loss.js';

const folder = testFolder();
const [template, run, after] = ['template', 'run', 'after'].map((name) => join(folder, name));

/** The calls of one save that also removes an old checkpoint, in a run that has checkpoints 10 and 20. */
async function callsOfSave(step: number): Promise<Call[]> {
  await saveAll(template, [10, 20]);
  copyFolder(template, run);
  const { disk, calls } = watched(() => 'go');
  await writeCheckpoint(run, content(step), { keep: 2, best: true, disk });
  return calls;
}

/** Nothing that was not flushed is there; all is there; then mixtures. */
function lucks(count: number): Luck[] {
  let state = 12345;
  const random: Luck = (choices) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * choices);
  };
  return [() => 0, () => 1, ...Array.from({ length: count }, () => random)];
}

/** @param spoil changes the calls as a faulty writer would make them. @returns states that do not load a whole checkpoint */
async function losses(
  calls: readonly Call[],
  wanted: readonly number[],
  mixtures = 4,
): Promise<{ states: number; lost: number }> {
  let [states, lost] = [0, 0];
  for (let done = 0; done <= calls.length; done++) {
    for (const luck of lucks(mixtures)) {
      const disk = new PoweredDisk(template);
      for (const call of calls.slice(0, done))
        disk.apply({ ...call, path: call.path.replace(run, template), ...to(call) });
      disk.fail(after, luck);
      const found = await loadNewestCheckpoint(after, () => undefined).catch(() => null);
      states++;
      if (found === null || !isWhole(found) || !wanted.includes(found.step)) lost++;
      else if (done === calls.length && found.step !== wanted.at(-1)) lost++;
    }
  }
  return { states, lost };
}

const to = (call: Call): { to?: string } => (call.to === undefined ? {} : { to: call.to.replace(run, template) });

test('power lost at any moment of a save and a removal: this checkpoint or the one before, whole', async () => {
  const { states, lost } = await losses(await callsOfSave(30), [20, 30], 10);
  expect(states).toBeGreaterThan(500);
  expect(lost).toBe(0);
});

test('the same when a checkpoint of the same step is replaced', async () => {
  const { lost } = await losses(await callsOfSave(20), [10, 20]);
  expect(lost).toBe(0);
});

test('the model sees a writer that forgets a flush', async () => {
  const calls = await callsOfSave(30);
  // Without any flush of the folder, the old checkpoint may be gone before the new one is there.
  const careless = calls.filter(({ what }) => what !== 'syncFolder');
  expect((await losses(careless, [20, 30])).lost).toBeGreaterThan(0);
});

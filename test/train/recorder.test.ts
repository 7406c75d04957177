import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createRun } from '../../src/io/run-folder.js';
import type { RunEnd } from '../../src/train/events.js';
import { fanOut, Recorder } from '../../src/train/recorder.js';
import { readReportInput } from '../../src/train/report.js';
import { failure, testFolder } from '../io/folder.js';
import { fills, healthy, heldOut, START } from './run.js';

const folder = testFolder();
const END: RunEnd = { step: 20, reason: 'signal', seconds: 7, report: null, checkpoint: 'x', lastEval: null };
const WARNING = { step: 0, kind: 'little-data', severity: 'warning', text: 'little data' } as const;

/** A session of a run, from one step to another. */
function record(run: string, from: number | null, to: number): Recorder {
  const recorder = new Recorder(run, from, () => undefined);
  recorder.start({ ...START, folder: run, resumedFrom: from });
  recorder.remark({ ...WARNING, step: from ?? 0 });
  for (let step = (from ?? 0) + 1; step <= to; step++) {
    recorder.step(healthy(step));
    if (step % 5 === 0) recorder.evaluated(heldOut(step, 5), START.floors);
    if (step % 10 === 0) {
      recorder.samples(fills(step, '饭', '天'));
      recorder.saved('checkpoint');
    }
  }
  return recorder;
}

async function newRun(name: string): Promise<string> {
  const run = join(folder, name);
  await createRun(run, { seed: 1 });
  return run;
}

test('a run is written down, and comes back number for number', async () => {
  const run = await newRun('whole');
  record(run, null, 20).end(END);
  const found = await readReportInput(run);
  expect(found.metrics).toEqual(Array.from({ length: 20 }, (_, i) => healthy(i + 1)));
  expect(found.evals).toEqual([5, 10, 15, 20].map((step) => heldOut(step, 5)));
  expect(found.samples).toEqual([...fills(10, '饭', '天'), ...fills(20, '饭', '天')]);
  expect(found.remarks).toEqual([WARNING]);
  expect(found.sessions.map(({ step, start, end }) => [step, start?.backend, end])).toEqual([
    [0, START.backend, undefined],
    [20, undefined, END],
  ]);
  expect(found.run).toEqual({ seed: 1 });
});

test('killed at 17 and resumed from the checkpoint of 10: each step once, one remark, a second event file', async () => {
  const run = await newRun('resumed');
  record(run, null, 17).close();
  writeFileSync(join(run, 'metrics.jsonl'), '{"step":18,"tok', { flag: 'a' });
  record(run, 10, 20).end(END);
  const found = await readReportInput(run);
  expect(found.metrics.map((m) => m.step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(found.evals.map((m) => m.step)).toEqual([5, 10, 15, 20]);
  expect(found.sessions.map((s) => s.step)).toEqual([0, 10, 20]);
  expect(found.remarks).toEqual([WARNING]);
  expect(readdirSync(join(run, 'tb')).length).toBeGreaterThan(0);
});

test('what was not finite comes back as NaN, a missing peak as null', async () => {
  const run = await newRun('broken');
  const recorder = record(run, null, 1);
  recorder.step(healthy(2, { masked_lm_loss: Number.NaN, grad_norm: Number.POSITIVE_INFINITY, mfu: null }));
  recorder.close();
  recorder.close();
  expect((await readReportInput(run)).metrics[1]).toEqual(
    healthy(2, { masked_lm_loss: Number.NaN, grad_norm: Number.NaN, mfu: null }),
  );
});

test('the order of events in metrics.jsonl, and google-research/bert names in it', async () => {
  const run = await newRun('names');
  record(run, null, 5).end(END);
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(6);
  expect(lines[4]).toMatch(/^\{"step":5,"tokens":19500,"loss":[\d.]+,"masked_lm_loss":/);
  expect(lines[5]).toMatch(/^\{"step":5,"eval":true,"eval_masked_lm_loss":5,/);
});

test('a folder that cannot be written is found before the first step', async () => {
  const run = join(folder, 'nowhere');
  expect(await failure(Promise.resolve().then(() => new Recorder(run, null, () => undefined)))).toMatchObject({
    code: 'SYSTEM-ENOENT',
    exitCode: 73,
  });
  mkdirSync(run);
  writeFileSync(join(run, 'tb'), '');
  expect(await failure(Promise.resolve().then(() => new Recorder(run, null, () => undefined)))).toMatchObject({
    code: 'SYSTEM-EEXIST',
    exitCode: 73,
  });
});

test('fan-out tells everybody everything, in order', () => {
  const heard: string[] = [];
  const ear = (name: string) => ({
    start: () => heard.push(`${name} start`),
    step: (_: unknown, total: number) => heard.push(`${name} step of ${total}`),
    evaluated: () => heard.push(`${name} evaluated`),
    samples: () => heard.push(`${name} samples`),
    remark: () => heard.push(`${name} remark`),
    saved: (path: string) => heard.push(`${name} saved ${path}`),
    end: () => heard.push(`${name} end`),
  });
  const both = fanOut([ear('a'), ear('b')]);
  both.start(START);
  both.step(healthy(1), 7);
  both.evaluated(heldOut(1, 5), START.floors);
  both.samples([]);
  both.remark(WARNING);
  both.saved('x');
  both.end(END);
  const events = ['start', 'step of 7', 'evaluated', 'samples', 'remark', 'saved x', 'end'];
  expect(heard).toEqual(events.flatMap((event) => [`a ${event}`, `b ${event}`]));
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createRun } from '../../src/io/run-folder.js';
import type { RunStart, StepMetrics } from '../../src/train/events.js';
import { Recorder } from '../../src/train/recorder.js';
import { smoothed, thinned } from '../../src/train/report/curve.js';
import { clock, esc, figure, scaled } from '../../src/train/report/html.js';
import { rangeOf, scale } from '../../src/train/report/scale.js';
import { type ReportInput, renderReport, writeReport } from '../../src/train/report.js';
import { failure, testFolder } from '../io/folder.js';
import { fills, healthy, heldOut, START } from './run.js';

const folder = testFolder();

function input(steps: number, changes: Partial<ReportInput> = {}, start: Partial<RunStart> = {}): ReportInput {
  const metrics = Array.from({ length: steps }, (_, i) => healthy(i + 1));
  const evals = metrics.filter((m) => m.step % 50 === 0).map((m) => heldOut(m.step, m.masked_lm_loss + 0.1));
  return {
    run: { seed: 1, options: { clip: 1, data: { maskUnit: 'word' } } },
    sessions: [{ step: 0, at: '2026-11-24T20:11:05.000Z', start: { ...START, ...start } }],
    metrics,
    evals,
    samples: [...fills(0, '的', '。'), ...fills(steps, '饭', '天')],
    remarks: [{ step: 10, kind: 'x', severity: 'warning', text: 'look here' }],
    ...changes,
  };
}

/** What a person reads, without the marks of the page. */
const visible = (html: string): string =>
  html
    .replace(/<(style|script)>[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

/** Every coordinate of every curve. */
const coordinates = (html: string): number[] =>
  [...html.matchAll(/ d="M([^"]*)"/g)].flatMap(([, d]) =>
    (d as string)
      .split(/[^\d.-]+/)
      .filter(Boolean)
      .map(Number),
  );

/** Elements that are opened must be closed, in order. */
function checkNesting(html: string): void {
  const open: string[] = [];
  const body = html.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '').replace(/<!doctype[^>]*>/, '');
  for (const [, end, name, self] of body.matchAll(/<(\/?)([a-zA-Z][\w]*)[^>]*?(\/?)>/g)) {
    if (self === '/' || ['meta', 'col'].includes(name as string)) continue;
    if (end === '') open.push(name as string);
    else expect(open.pop()).toBe(name);
  }
  expect(open).toEqual([]);
}

describe('a report', () => {
  const html = renderReport(input(1000));

  test('shows the measures against their floors, in both languages', () => {
    const text = visible(html);
    for (const words of ['unigram 6.75', '一元 6.75', 'bigram 5.31', 'ln V 8.47', 'look here', 'held out', '留出'])
      expect(text).toContain(words);
    for (const words of ['the model uses context', '利用', 'guessing 50.3 %', 'clipped 1', '612,345', '我爱吃'])
      expect(text).toContain(words);
  });

  test('needs nothing from outside and is well formed', () => {
    expect(html).not.toMatch(/<(link|img|iframe|object|embed)|@import|url\((?!#)|src=|href=/);
    expect(html).toContain("default-src 'none'");
    expect(html.match(/https?:\/\/[^"')\s]+/g)).toEqual(['http://www.w3.org/2000/svg']); // the name of SVG
    checkNesting(html);
  });

  test('ids occur once', () => {
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, id] of html.matchAll(/url\(#([^)]*)\)/g)) expect(ids).toContain(id);
  });
});

const NOTHING: Partial<StepMetrics> = {
  masked_lm_loss: Number.NaN,
  grad_norm: Number.NaN,
  tokens_per_second: Number.NaN,
  mfu: null,
  rss_mb: Number.NaN,
};

describe('odd runs', () => {
  const cases: [string, ReportInput][] = [
    ['no step at all', input(0, { samples: [], remarks: [], evals: [] })],
    ['an evaluation before the first step', input(0, { evals: [heldOut(0, 8.4)] })],
    ['one step', input(1)],
    ['two steps', input(2, { evals: [heldOut(2, 8)] })],
    ['a session resumed at a late step', input(3, { metrics: [900, 901, 902].map((s) => healthy(s)) })],
    [
      'nothing finite',
      input(5, { metrics: [1, 2, 3].map((s) => healthy(s, NOTHING)), evals: [heldOut(3, Number.NaN)] }),
    ],
    ['all the same', input(9, { metrics: [1, 2, 3].map((s) => healthy(s, { masked_lm_loss: 2, grad_norm: 0 })) })],
    ['no sentence task, no peak', input(100, {}, { sentenceTask: 'none', peakGflops: null })],
    [
      'floors that are unknown',
      input(
        100,
        {},
        { floors: { uniform: 8, unigram: Number.NaN, bigram: Number.NaN, mostFrequentShare: Number.NaN } },
      ),
    ],
  ];
  test.each(cases)('%s', (_, run) => {
    const html = renderReport(run);
    checkNesting(html);
    expect(visible(html)).not.toMatch(/NaN|undefined|Infinity|null|\[object/);
    expect(html).not.toMatch(/(d|x|y|cx|cy|width|transform)="[^"]*NaN/);
    expect(coordinates(html).every(Number.isFinite)).toBe(true);
  });

  test('a run that never began', () => {
    expect(() => renderReport(input(3, { sessions: [] }))).toThrow('has not begun');
  });

  test('steps that were not finite are marked, and the curve goes on', () => {
    const metrics = input(1000).metrics.map((m) => (m.step % 400 === 0 ? { ...m, masked_lm_loss: Number.NaN } : m));
    const html = renderReport(input(1000, { metrics }));
    expect(html.match(/class="broken"/g)).toHaveLength(2 * 2); // for wide screens and for phones
  });

  test('100,000 steps: below 1 MB, within seconds, no value outside the range of the run', () => {
    const metrics = Array.from({ length: 100_000 }, (_, i) => ({ ...healthy((i % 1000) + 1), step: i + 1 }));
    const samples = Array.from({ length: 500 }, (_, i) => fills(i * 200, `饭${i}`, '天')).flat();
    const remarks = Array.from({ length: 3000 }, (_, i) => ({
      step: i,
      kind: 'x',
      severity: 'info' as const,
      text: 'y',
    }));
    const from = performance.now();
    const html = renderReport(input(0, { metrics, samples, remarks }));
    expect(performance.now() - from).toBeLessThan(15_000);
    expect(html.length).toBeLessThan(1e6);
    expect(Math.min(...coordinates(html))).toBeGreaterThanOrEqual(-1);
    expect(visible(html)).toContain('+ 2800');
  });
});

test('text from files cannot become part of the page', () => {
  const evil = '</script><img src=x onerror="alert(1)">\u202e\u0000\u001b[31m';
  const html = renderReport(
    input(
      5,
      {
        samples: [{ step: 1, text: `${evil}[MASK]`, predictions: [{ token: evil, probability: 0.5 }] }],
        remarks: [{ step: 1, kind: evil, severity: 'error', text: evil }],
        run: { [evil]: evil },
      },
      { folder: `runs/${evil}`, backend: evil, rows: [evil], parts: [{ part: evil, parameters: 1, share: 1 }] },
    ),
  );
  expect(html).not.toContain('<img');
  expect(html.match(/<\/script>/g)).toHaveLength(1);
  for (const control of ['\u0000', '\u001b', '\u202e']) expect(html).not.toContain(control);
  checkNesting(html);
});

test('a first part without pairs leaves the curves of pairs empty there, and marks no step', async () => {
  const run = join(folder, 'runs', 'two-parts');
  await createRun(run, {});
  const recorder = new Recorder(run, null, () => undefined);
  recorder.start({ ...START, folder: run });
  const none = { next_sentence_loss: null, next_sentence_accuracy: null };
  for (let step = 1; step <= 60; step++) recorder.step(healthy(step, step <= 30 ? none : {}));
  recorder.close();
  expect(readFileSync(await writeReport(run), 'utf8')).not.toContain('class="broken"');
});

test('written into a run folder, finished or not', async () => {
  const run = join(folder, 'runs', 'first');
  await createRun(run, { seed: 3 });
  expect(await failure(writeReport(run))).toMatchObject({ code: 'RUN-NOT-BEGUN', exitCode: 65 });
  const recorder = new Recorder(run, null, () => undefined);
  recorder.start({ ...START, folder: run });
  for (let step = 1; step <= 30; step++) recorder.step(healthy(step));
  recorder.saved('');
  const path = await writeReport(run);
  expect(path).toBe(join(run, 'report.html'));
  expect(visible(readFileSync(path, 'utf8'))).toContain('running, or cut off: step 30 of 1,000');
  recorder.end({ step: 30, reason: 'done', seconds: 3661, report: null, checkpoint: null, lastEval: null });
  await writeReport(run);
  expect(visible(readFileSync(path, 'utf8'))).toContain('done: step 30 of 1,000');
  expect(await failure(writeReport('/nowhere'))).toMatchObject({ code: 'RUN-MISSING', exitCode: 66 });
  expect(existsSync('/nowhere')).toBe(false);
});

describe('parts', () => {
  test('thinning keeps the extremes of each column, in order', () => {
    const points = Array.from({ length: 10_000 }, (_, x) => ({ x, y: x === 5432 ? 99 : Math.sin(x) }));
    const thin = thinned(points, (x) => x / 100);
    expect(thin.length).toBeLessThanOrEqual(202);
    expect(thin.map((p) => p.y)).toContain(99);
    expect(thin.every((p, i) => i === 0 || p.x > thin[i - 1].x)).toBe(true);
  });

  test('smoothing keeps a straight line straight and a constant constant', () => {
    const line = Array.from({ length: 1000 }, (_, x) => ({ x, y: 3 * x }));
    for (const { x, y } of smoothed(line, (x) => x, { reach: 5, log: false }).slice(0, 990))
      expect(y).toBeCloseTo(3 * x, 9);
    const flat = line.map(({ x }) => ({ x, y: 7 }));
    for (const { y } of smoothed(flat, (x) => x / 10, { reach: 5, log: true })) expect(y).toBeCloseTo(7, 9);
  });

  test('ticks are round numbers inside the range', () => {
    const linear = scale([0.13, 8.9], [0, 100], { count: 5 });
    expect(linear.ticks).toEqual([2, 4, 6, 8]);
    expect([linear.pixel(0.13), linear.pixel(8.9)]).toEqual([0, 100]);
    expect(scale([0, 0.002], [0, 1], { count: 4 }).ticks).toEqual([0, 0.0005, 0.001, 0.0015, 0.002]);
    expect(scale([0.04, 30], [0, 1], { count: 5, log: true }).ticks).toEqual([0.1, 1, 10]);
    expect(scale([0.4, 3], [0, 1], { count: 5, log: true }).ticks).toEqual([0.5, 1, 2]);
  });

  test('a single outlier does not press the curve flat', () => {
    const values = Array.from({ length: 2000 }, (_, i) => (i === 77 ? 1000 : 1 + (i % 10) / 10));
    expect(rangeOf([], values, {})[1]).toBeLessThan(3);
  });

  test('numbers', () => {
    expect([0, 3.2104, 0.00123, 1.5e-5, 12.34, 999.6, 1234.5, 2.5e7, Number.NaN].map(figure)).toEqual([
      '0',
      '3.210',
      '0.0012',
      '1.5e-5',
      '12.3',
      '1,000',
      '1,235',
      '2.5e7',
      '–',
    ]);
    expect([950, 11_200, 4.4e6, 26.3e9].map((x) => scaled(x, 'B'))).toEqual(['950 B', '11.2 kB', '4.4 MB', '26.3 GB']);
    expect([0, 61, 3725, Number.NaN].map(clock)).toEqual(['0:00 min', '1:01 min', '1:02:05 h', '–']);
    expect(esc(`<a href="x">&'`)).toBe('&lt;a href=&quot;x&quot;&gt;&amp;&#39;');
  });
});

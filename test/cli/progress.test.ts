import { describe, expect, test } from '@jest/globals';
import { createReporter, type ReporterOptions } from '../../src/cli/progress.js';
import { width } from '../../src/cli/ui.js';
import type { Reporter, RunEnd, RunStart } from '../../src/train/events.js';
import { fills, healthy, heldOut, START } from '../train/run.js';
import { Pipe, Screen } from './screen.js';

const END: RunEnd = {
  step: 1000,
  reason: 'done',
  seconds: 360,
  report: 'runs/first/report.html',
  checkpoint: 'runs/first/checkpoints/step-1000',
  lastEval: heldOut(1000, 5.02),
};

/** A run of `steps` steps, its clock at 100 ms a step. */
function run(reporter: Reporter, steps: number, { start = START, clock = { now: 0 } } = {}): void {
  reporter.start(start);
  reporter.evaluated(heldOut(0, 8.5), start.floors);
  reporter.samples(fills(0, '的', '的'));
  for (let step = 1; step <= steps; step++) {
    clock.now += 100;
    reporter.step(healthy(step), start.totalSteps);
    if (step % 100 === 0) {
      reporter.evaluated(heldOut(step, healthy(step).masked_lm_loss), start.floors);
      reporter.samples(fills(step, '饭', '天'));
      reporter.remark({ step, kind: 'slower', severity: 'warning', text: `look here ${'and there '.repeat(12)}` });
      reporter.saved(`runs/first/checkpoints/step-${step}`);
    }
  }
}

describe('where nobody looks', () => {
  const plainRun = (options: Partial<ReporterOptions> = {}, start: RunStart = START): { err: Pipe; out: Pipe } => {
    const [err, out] = [new Pipe(), new Pipe()];
    const reporter = createReporter({ err, out, ...options });
    run(reporter, 1000, { start });
    reporter.end(END);
    return { err, out };
  };

  test('a run is lines, whole and without escape codes', () => {
    const { err, out } = plainRun();
    expect(err.text + out.text).not.toContain('\u001b');
    const steps = err.lines.filter((line) => line.startsWith('step '));
    expect(steps).toHaveLength(40);
    expect(steps[0]).toMatch(
      /^step {3}25\/1000 {2}2\.5 % eta 05:51 {2}mlm \d\.\d{3} acc \.050 {2}nsp \.?\d*0\.6\d\d acc \.\d{3} {2}11\.\dk tok\/s {2}MFU 31 % of peak {2}\|g\| \S+ {2}lr 8\.1e-4 {2}rss 412 MB$/,
    );
    expect(new Set(steps.map((line) => line.indexOf(' eta '))).size).toBe(1);
    expect(err.text).toContain('held-out 100  mlm ');
    expect(err.text).toContain('(unigram 6.750 bigram 5.310)  nsp 0.600 acc .700\n');
    expect(err.text).toContain('sample 100  我爱吃[MASK]。 → 饭 .50\n');
    expect(err.text).toContain('warning at step 100 [slower]: look here');
    expect(err.text).toContain('saved runs/first/checkpoints/step-100\n');
  });

  test('how often is up to the caller', () => {
    const { err } = plainRun({ logEvery: 250 });
    expect(err.lines.filter((line) => line.startsWith('step '))).toHaveLength(4);
  });

  test('without a sentence task there is no word of it', () => {
    const { err, out } = plainRun({}, { ...START, sentenceTask: 'none' });
    expect(err.text + out.text).not.toMatch(/nsp|NSP|pairs/);
  });

  test('only the result goes to stdout', () => {
    const { out } = plainRun();
    expect(out.text).toContain('loss of masked words while training');
    expect(out.text).toContain('│ 我爱吃[MASK]。   │ 的 .50 │ 饭 .50    │');
    expect(out.text).toContain('done: step 1000 of 1000, 3.9M tokens, 06:00\n');
    expect(out.text).toContain('loss 5.02, 1.73 below the unigram line 6.75 (bigram 5.31)');
    expect(out.text).toContain("bertgrad fill-mask runs/first '我爱吃[MASK]。'\n");
  });

  test('a run that ended early says how to go on', () => {
    const [err, out] = [new Pipe(), new Pipe()];
    const reporter = createReporter({ err, out });
    run(reporter, 30, { start: { ...START, folder: 'my runs/a' } });
    reporter.end({ ...END, step: 30, reason: 'signal', report: null, lastEval: null });
    expect(out.text).toContain('stopped by a signal: step 30 of 1000');
    expect(out.text).toContain("bertgrad pretrain --resume 'my runs/a'\n");
  });
});

describe.each([80, 120])('a terminal of %i columns', (columns) => {
  const live = (steps: number, rows = 40, start = START): Screen => {
    const screen = new Screen(columns, rows);
    const clock = { now: 0 };
    run(createReporter({ err: screen, out: new Pipe(), live: true, now: () => clock.now }), steps, { start, clock });
    return screen;
  };

  test('shows one block, below all that was said, and no line is broken', () => {
    const screen = live(500);
    expect(screen.broken).toBe(0);
    const bars = screen.lines.filter((line) => line.startsWith('step 500/1000 '));
    expect(bars).toHaveLength(1);
    expect(bars[0]).toMatch(/━+╌+ 50 % {2}03:00 gone {2}ETA 03:00$/);
    const text = screen.lines.join('\n');
    expect(text.match(/\[slower\]/g)).toHaveLength(5);
    expect(text.lastIndexOf('[slower]')).toBeLessThan(text.indexOf('step 500/1000'));
    expect(text).not.toMatch(/saved|held-out 100/);
    expect(text).toContain('  我爱吃[MASK]。 → 饭 .50\n');
    expect(text).toContain('bigram 5.31');
  });

  test('a low one gets no picture, one of five rows no more than fits', () => {
    const below = (rows: number): string[] => {
      const { lines } = live(150, rows);
      return lines.slice(lines.findIndex((line) => line.startsWith('step 150/')));
    };
    expect(below(20).join('\n')).not.toMatch(/[\u2801-\u28ff]/);
    expect(below(5).filter((line) => line !== '')).toHaveLength(4);
  });

  test('a long sample shows its mask and its guesses', () => {
    const screen = new Screen(columns);
    const reporter = createReporter({ err: screen, out: new Pipe(), live: true });
    reporter.start(START);
    const text = '鲁迅是一位伟大的[MASK]学家，他写了很多短篇小说和杂文，影响了一代又一代的读者，直到今天。'.repeat(2);
    const predictions = ['文', '科', '数'].map((token) => ({ token, probability: 0.25 }));
    reporter.samples([{ step: 1, text, predictions }]);
    reporter.step(healthy(1), 1000);
    const line = screen.lines.find((l) => l.endsWith('文 .25  科 .25  数 .25')) ?? '';
    expect(line).toContain('[MASK]');
    expect(width(line)).toBeGreaterThan(columns - 5);
  });
});

describe('drawing', () => {
  test('is throttled, overwrites and does not clear first', () => {
    const writes: string[] = [];
    const err = { write: (text: string) => writes.push(text), isTTY: true, columns: 100, rows: 40 };
    const clock = { now: 0 };
    const reporter = createReporter({ err, live: true, now: () => clock.now });
    reporter.start(START);
    const before = writes.length;
    for (let step = 1; step <= 20; step++) {
      clock.now += 50;
      reporter.step(healthy(step), 1000);
    }
    const drawn = writes.slice(before);
    expect(drawn).toHaveLength(5); // the first of 20 steps, and one each 200 ms
    for (const text of drawn.slice(1)) {
      expect(text.replaceAll('\u001b', 'ESC')).toMatch(/^ESC\[\d+A\rstep/);
      expect(text.indexOf('\u001b[J')).toBe(text.length - 3);
    }
  });

  test('survives a terminal that is made narrower', () => {
    const screen = new Screen(120);
    const clock = { now: 0 };
    const reporter = createReporter({ err: screen, out: new Pipe(), live: true, now: () => clock.now });
    run(reporter, 150, { clock });
    screen.columns = 70;
    for (let step = 151; step <= 160; step++) {
      clock.now += 300;
      reporter.step(healthy(step), 1000);
    }
    expect(screen.lines.filter((line) => line.startsWith('step 160/'))).toHaveLength(1);
  });

  test('a line from elsewhere stays above the block', () => {
    const screen = new Screen(100);
    const reporter = createReporter({ err: screen, out: new Pipe(), live: true });
    run(reporter, 20);
    reporter.note('SIGINT: saving after this step\n');
    const { lines } = screen;
    const place = lines.indexOf('SIGINT: saving after this step');
    expect(lines.filter((line) => line.startsWith('step 20/'))).toHaveLength(1);
    expect(lines.findIndex((line) => line.startsWith('step 20/'))).toBe(place + 1);
  });

  test('ends with the block gone', () => {
    const screen = new Screen(100);
    const reporter = createReporter({ err: screen, out: new Pipe(), live: true });
    run(reporter, 150);
    reporter.end(END);
    expect(screen.lines.join('\n')).not.toContain('step 150/1000');
  });

  test('the closing table fits the terminal', () => {
    for (const columns of [70, 80, 100]) {
      const out = new Screen(columns);
      const reporter = createReporter({ err: new Pipe(), out });
      run(reporter, 200);
      reporter.end(END);
      expect(out.broken).toBe(0);
    }
  });

  test('a broken step does not spoil what is shown', () => {
    const err = new Pipe();
    const reporter = createReporter({ err, out: new Pipe(), logEvery: 1 });
    reporter.start(START);
    reporter.step(healthy(1), 1000);
    reporter.step(healthy(2, { loss: Number.NaN, masked_lm_loss: Number.NaN }), 1000);
    expect(err.lines.at(-2)).toMatch(/mlm \d\.\d{3} /);
  });
});

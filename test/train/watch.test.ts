import { describe, expect, test } from '@jest/globals';
import type { Remark, RunStart, StepMetrics } from '../../src/train/events.js';
import { TrainingDoctor, type WatchSettings } from '../../src/train/watch.js';
import { fills, healthy, heldOut, noise, START } from './run.js';

const SETTINGS: WatchSettings = { hiddenSize: 128, peakLr: 2e-3, warmupSteps: 60 };

/** The remarks of a run whose steps are those of `metrics`. */
function watch(
  metrics: (step: number) => Partial<StepMetrics>,
  { start = START, settings = SETTINGS, steps = start.totalSteps, from = 1 }: Partial<Watched> = {},
): Remark[] {
  const doctor = new TrainingDoctor(start, settings);
  const remarks = doctor.begin();
  for (let step = from; step <= steps; step++) remarks.push(...doctor.step(healthy(step, metrics(step))));
  return remarks;
}
interface Watched {
  start: RunStart;
  settings: WatchSettings;
  steps: number;
  from: number;
}

const kinds = (remarks: readonly Remark[]): string[] => remarks.map((r) => r.kind);
const only = (remarks: readonly Remark[], kind: string): Remark => {
  const found = remarks.filter((r) => r.kind === kind);
  expect(found).toHaveLength(1);
  return found[0] as Remark;
};
const onData = (data: Partial<RunStart['data']>, rest: Partial<RunStart> = {}): Remark[] =>
  new TrainingDoctor({ ...START, ...rest, data: { ...START.data, ...data } }, SETTINGS).begin();

describe('a run that goes well', () => {
  test('gets good news and no warning', () => {
    const doctor = new TrainingDoctor(START, SETTINGS);
    const remarks = doctor.begin();
    for (let step = 1; step <= 1000; step++) {
      remarks.push(...doctor.step(healthy(step)));
      if (step % 100 === 0) {
        remarks.push(...doctor.evaluated(heldOut(step, healthy(step).masked_lm_loss + 0.05)));
        remarks.push(...doctor.samples(fills(step, '饭', step < 400 ? '饭' : '天')));
      }
    }
    expect(remarks.filter((r) => r.severity !== 'info')).toEqual([]);
    expect(kinds(remarks)).toEqual(['same-predictions', 'left-plateau', 'uses-context', 'below-bigram']);
  });

  test('is described by its own numbers, the same each time', () => {
    const first = watch(() => ({}));
    expect(watch(() => ({}))).toEqual(first);
    expect(only(first, 'left-plateau').text).toMatch(
      /^training masked_lm_loss 6\.\d\d is below the unigram line 6\.75/,
    );
  });
});

describe('the loss among its floors', () => {
  const pinned = (step: number) => ({ masked_lm_loss: 6.75 + 1.7 * Math.exp(-step / 20) + 0.1 * noise(step) });

  test('pinned at the unigram line: says lr, width and a rate to try', () => {
    const { text, severity, step } = only(
      watch(pinned, { settings: { ...SETTINGS, peakLr: 1e-4 } }),
      'pinned-at-unigram',
    );
    expect(severity).toBe('warning');
    expect(step).toBeGreaterThan(60 + 250);
    expect(text).toContain('unigram line 6.75');
    expect(text).toContain('--lr 1e-4 is low for width 128: try --lr 2e-3');
  });

  test('other rates get other advice', () => {
    const advice = (settings: Partial<WatchSettings>): string =>
      only(watch(pinned, { settings: { ...SETTINGS, ...settings } }), 'pinned-at-unigram').text;
    expect(advice({ peakLr: 2e-3 })).toContain('suits width 128');
    expect(advice({ peakLr: 2e-3, hiddenSize: 768 })).toContain('--lr 2e-3 is high for width 768: try --lr 3e-4');
  });

  test('held-out losses count where there are any', () => {
    const doctor = new TrainingDoctor(START, { ...SETTINGS, peakLr: 1e-4 });
    const remarks: Remark[] = [];
    for (let step = 50; step <= 600; step += 50) remarks.push(...doctor.evaluated(heldOut(step, 6.77)));
    expect(only(remarks, 'pinned-at-unigram').text).toMatch(/^held-out masked_lm_loss 6\.77 .* for 290 steps/);
  });

  test('between the unigram line and what copying kept words gives is not called context', () => {
    const remarks = watch((step) => ({ masked_lm_loss: 6.2 + 2 * Math.exp(-step / 20) }));
    expect(only(remarks, 'pinned-at-unigram').text).toContain('copying of kept words lead (6.08 to 6.75)');
    expect(kinds(remarks)).not.toContain('uses-context');
  });

  test('never off ln V', () => {
    const { text } = only(
      watch(() => ({ masked_lm_loss: 8.46 })),
      'stuck-at-uniform',
    );
    expect(text).toContain('ln V = 8.47');
  });

  test('is named again after progress and another halt', () => {
    const doctor = new TrainingDoctor({ ...START, totalSteps: 4000 }, SETTINGS);
    const remarks: Remark[] = [];
    for (let step = 100; step <= 4000; step += 100) {
      remarks.push(...doctor.evaluated(heldOut(step, step < 2000 ? 6.75 : 6.4)));
    }
    expect(kinds(remarks).filter((k) => k === 'pinned-at-unigram')).toHaveLength(2);
  });
});

describe('sentence pairs', () => {
  const long = { ...START, totalSteps: 3000 };
  const guessing = (step: number) => ({ next_sentence_accuracy: 0.5 + 0.1 * noise(step) });

  test('at chance: normal first, a warning later', () => {
    const remarks = watch(guessing, { start: long });
    expect(only(remarks, 'nsp-at-chance')).toMatchObject({ step: 500, severity: 'info' });
    expect(only(remarks, 'nsp-at-chance-late')).toMatchObject({ step: 2001, severity: 'warning' });
  });

  test('around the threshold it is one warning; another when it had clearly recovered', () => {
    const hovers = (step: number) => ({ next_sentence_accuracy: 0.54 + 0.03 * Math.sin(step / 60) });
    const twice = { ...START, totalSteps: 4000 };
    const remarks = watch((step) => (step > 3000 && step < 3300 ? { next_sentence_accuracy: 0.7 } : hovers(step)), {
      start: twice,
    });
    const late = remarks.filter((r) => r.kind === 'nsp-at-chance-late');
    expect(late.map((r) => r.step > 3300)).toEqual([false, true]);
  });

  test('chance is the share of the commoner label', () => {
    const uneven = { ...long, data: { ...START.data, label1Share: 0.7 } };
    const remarks = watch((step) => ({ next_sentence_accuracy: 0.7 + 0.02 * noise(step) }), { start: uneven });
    expect(only(remarks, 'nsp-at-chance').text).toContain('0.70 by guessing');
  });

  test('SOP is given more time, no task none', () => {
    expect(kinds(watch(guessing, { start: { ...long, sentenceTask: 'sop' } }))).not.toContain('nsp-at-chance-late');
    const without = watch(() => ({ next_sentence_accuracy: 0 }), { start: { ...long, sentenceTask: 'none' } });
    expect(kinds(without).filter((k) => k.startsWith('nsp'))).toEqual([]);
  });

  test('solved at once is a topic test', () => {
    expect(
      only(
        watch(() => ({ next_sentence_accuracy: 1 })),
        'nsp-too-easy',
      ).text,
    ).toContain('--sop');
  });
});

describe('things that are broken', () => {
  test('masks that never hit', () => {
    const remarks = watch(() => ({ masked_lm_accuracy: 0 }));
    expect(only(remarks, 'masks-never-hit').text).toContain('would hit 3009 times');
    const few = { ...START, lossPositions: 2 };
    expect(kinds(watch(() => ({ masked_lm_accuracy: 0 }), { start: few }))).not.toContain('masks-never-hit');
  });

  test('a loss on words that can be copied', () => {
    expect(kinds(watch(() => ({ masked_lm_accuracy: 0.98 })))).toContain('masks-copied');
  });

  test('NaN, once a time', () => {
    const remarks = watch((step) => (step === 50 || step === 51 || step === 90 ? { loss: Number.NaN } : {}));
    const found = remarks.filter((r) => r.kind === 'non-finite');
    expect(found.map((r) => [r.step, r.severity])).toEqual([
      [50, 'error'],
      [90, 'error'],
    ]);
    expect(kinds(watch((step) => (step === 9 ? { grad_norm: Number.POSITIVE_INFINITY } : {})))).toContain('non-finite');
  });

  test.each([
    ['the learning rate is 0', { lr: 0 }],
    ['the gradient norm is 0', { grad_norm: 0 }],
    ['unchanged to 1e-6', { loss: 7.1 }],
  ])('an optimizer that does nothing: %s', (text, metrics) => {
    const { text: said, severity } = only(
      watch(() => metrics),
      'dead-optimizer',
    );
    expect(said).toContain(text);
    expect(severity).toBe('error');
  });

  test('a spike of gradient and loss together', () => {
    const at = (metrics: Partial<StepMetrics>) => watch((step) => (step === 700 ? metrics : {}));
    expect(only(at({ grad_norm: 40, loss: 12 }), 'gradient-spike').step).toBe(700);
    expect(kinds(at({ grad_norm: 40 }))).not.toContain('gradient-spike');
    expect(kinds(at({ loss: 12 }))).not.toContain('gradient-spike');
  });

  test('learning by heart', () => {
    const doctor = new TrainingDoctor(START, SETTINGS);
    const remarks: Remark[] = [];
    for (let step = 1; step <= 1000; step++) {
      remarks.push(...doctor.step(healthy(step, { masked_lm_loss: 6 - step / 250 })));
      if (step % 100 === 0) remarks.push(...doctor.evaluated(heldOut(step, 5 + Math.abs(step - 400) / 1000)));
    }
    const { text, step } = only(remarks, 'overfitting');
    expect(step).toBe(700);
    expect(text).toContain('lowest 5.00 at step 400');
  });

  test('a speed that falls, named again after it came back', () => {
    const slow = (step: number) => (step > 300 && step < 500) || step > 800;
    const remarks = watch((step) => (slow(step) ? { tokens_per_second: 5000 } : {}));
    expect(kinds(remarks).filter((k) => k === 'slower')).toHaveLength(2);
  });

  test('one guess for everything', () => {
    const doctor = new TrainingDoctor(START, SETTINGS);
    expect(kinds(doctor.samples(fills(0, '的', '的')))).toEqual([]);
    expect(doctor.samples(fills(100, '的', '的'))).toMatchObject([{ kind: 'same-predictions', severity: 'info' }]);
    expect(kinds(doctor.samples(fills(200, '的', '的')))).toEqual([]);
    const [late] = doctor.samples(fills(900, '的', '的'));
    expect(late).toMatchObject({ kind: 'same-predictions-late', severity: 'warning' });
    expect(late?.text).toContain('"的" is the first guess in all 2');
  });
});

describe('the data', () => {
  test('good data gets no remark', () => expect(onData({})).toEqual([]));

  test.each([
    ['repeated-lines', '34.0 %', { duplicateLineShare: 0.34 }, {}],
    ['unk-share', '12.0 % of the tokens are [UNK]', { unkShare: 0.12 }, {}],
    ['label-balance', '71.0 % of the sentence pairs', { label1Share: 0.71 }, {}],
    ['little-data', '78 times', { tokens: 50_000 }, {}],
    ['masks-never-hit', 'none of 3973 places', {}, { lossPositions: 0 }],
    ['loss-everywhere', '3973 of 3973', {}, { lossPositions: 3973 }],
  ])('%s', (kind, text, data, rest) => {
    expect(only(onData(data, rest), kind).text).toContain(text);
  });

  test('labels do not count where there is no pair', () => {
    expect(onData({ label1Share: 0 }, { sentenceTask: 'none' })).toEqual([]);
  });
});

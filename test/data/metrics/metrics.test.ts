// Every metric against scikit-learn, scipy, seqeval and the scripts of SQuAD 2.0 and CMRC 2018 (test/golden/metrics.py).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { answerReport, compareAnswer } from '../../../src/data/metrics/answers.js';
import { classificationReport, multiLabelReport } from '../../../src/data/metrics/classification.js';
import { pearson, ranks, spearman } from '../../../src/data/metrics/correlation.js';
import {
  type EntityReport,
  entitiesOf,
  entityReport,
  strictBio,
  strictBioes,
} from '../../../src/data/metrics/entities.js';

const golden = JSON.parse(readFileSync(new URL('../../golden/metrics.json', import.meta.url), 'utf8'));

/** Every number of `want` is in `got`, to the last digits of a double. */
function expectClose(got: unknown, want: unknown, path = ''): void {
  if (typeof want === 'number') expect([path, Math.abs((got as number) - want) < 1e-12]).toEqual([path, true]);
  else if (typeof want === 'object' && want !== null) {
    for (const [key, value] of Object.entries(want)) {
      expectClose((got as Record<string, unknown>)[key], value, `${path}.${key}`);
    }
  } else expect([path, got]).toEqual([path, want]);
}

describe('classification equals scikit-learn', () => {
  test.each(golden.classes.map((_: unknown, i: number) => i) as number[])('case %i', (i) => {
    const { labels, truths, guesses, ...want } = golden.classes[i];
    expectClose(classificationReport(truths, guesses, labels), want);
  });

  test('several labels at once', () => {
    const { labels, truths, guesses, ...want } = golden.several[0];
    const flags = (rows: number[][]): boolean[][] => rows.map((row) => row.map((n) => n === 1));
    expectClose(multiLabelReport(flags(truths), flags(guesses), labels), want);
  });

  test('no items at all give zeros, not NaN', () => {
    expect(classificationReport([], [], ['a', 'b'])).toMatchObject({ accuracy: 0, mcc: 0, macro: { f1: 0 } });
  });
});

describe('correlation equals scipy', () => {
  test.each(golden.correlations.map((_: unknown, i: number) => i) as number[])('case %i', (i) => {
    const { x, y, pearson: p, spearman: s } = golden.correlations[i];
    expect(pearson(x, y)).toBeCloseTo(p, 12);
    expect(spearman(x, y)).toBeCloseTo(s, 12);
  });

  test('equal values share their ranks; what does not vary correlates with nothing', () => {
    expect(Array.from(ranks([10, 20, 20, 5]))).toEqual([2, 3.5, 3.5, 1]);
    expect(pearson([1, 1, 1], [1, 2, 3])).toBe(0);
  });
});

describe('entities equal seqeval', () => {
  const strict = { BI: strictBio, BIES: strictBioes } as const;
  const named = (report: EntityReport): object => ({
    ...Object.fromEntries(report.perType.map(({ type, ...row }) => [type, row])),
    'micro avg': { precision: report.precision, recall: report.recall, f1: report.f1, support: report.support },
    'macro avg': report.macro,
  });
  test.each(golden.entities.map((_: unknown, i: number) => i) as number[])('case %i', (i) => {
    const { truths, guesses, letters, lenient, strict: strictly } = golden.entities[i];
    for (const [want, read] of [
      [lenient, entitiesOf],
      [strictly, strict[letters as 'BI' | 'BIES']],
    ]) {
      const { 'weighted avg': _, 'macro avg': macro, ...rest } = want;
      const { support: __, ...average } = macro;
      expectClose(named(entityReport(truths, guesses, read)), { ...rest, 'macro avg': average });
    }
  });
});

describe.each(['squad', 'cmrc'] as const)('answers equal the script of %s', (rules) => {
  test('exact match and F1, one by one', () => {
    for (const { guess, truths, exact, f1 } of golden.answers[rules]) {
      const got = compareAnswer(guess, truths, rules);
      expect([guess, truths, got.exact, Number(got.f1.toFixed(9))]).toEqual([
        guess,
        truths,
        exact,
        Number(f1.toFixed(9)),
      ]);
    }
  });
});

test('questions without an answer are right when nothing is said', () => {
  expect(answerReport(['', 'x', 'y'], [[], [], ['y']], 'squad')).toEqual({
    exact: 2 / 3,
    f1: 2 / 3,
    total: 3,
    hasAnswer: { exact: 1, f1: 1, total: 1 },
    noAnswer: { exact: 0.5, f1: 0.5, total: 2 },
  });
});

import { describe, expect, test } from '@jest/globals';
import { learningRate, type Schedule, type ScheduleName } from '../../src/train/schedule.js';

/** Rounded to 12 digits, so that they can be compared with decimals. */
const rates = (name: ScheduleName, changes: Partial<Schedule> = {}): number[] => {
  const schedule = { name, peak: 12, warmupSteps: 4, totalSteps: 10, ...changes };
  return Array.from({ length: schedule.totalSteps + 1 }, (_, step) =>
    Number(learningRate(schedule, step).toPrecision(12)),
  );
};

// A peak of 12 over 10 steps, 4 of them warm-up, worked out by hand.
describe('rates of updates 0 .. 10', () => {
  test('linear rises to the peak and falls to 0 from there', () => {
    expect(rates('linear')).toEqual([0, 3, 6, 9, 12, 10, 8, 6, 4, 2, 0]);
  });

  test('google falls from step 0 all the while, so it drops where the warm-up ends', () => {
    expect(rates('google')).toEqual([0, 3, 6, 9, 7.2, 6, 4.8, 3.6, 2.4, 1.2, 0]);
  });

  test('constant stays', () => expect(rates('constant')).toEqual([0, 3, 6, 9, 12, 12, 12, 12, 12, 12, 12]));

  test.each(['linear', 'google'] as const)('%s without a warm-up begins at the peak', (name) => {
    expect(rates(name, { warmupSteps: 0 })).toEqual([12, 10.8, 9.6, 8.4, 7.2, 6, 4.8, 3.6, 2.4, 1.2, 0]);
  });

  test('a run that is all warm-up never passes the peak and ends at 0, not at NaN', () => {
    expect(rates('linear', { warmupSteps: 10 })).toEqual([0, 1.2, 2.4, 3.6, 4.8, 6, 7.2, 8.4, 9.6, 10.8, 0]);
  });

  test.each(['linear', 'google'] as const)('%s is never below 0 after the end', (name) => {
    expect(learningRate({ name, peak: 1, warmupSteps: 2, totalSteps: 5 }, 9)).toBe(0);
  });
});

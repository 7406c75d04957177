/**
 * Learning rates over a run. `linear` rises to the peak and falls to 0 from the end of the warm-up (transformers'
 * get_linear_schedule_with_warmup); `google` falls from step 0 and is replaced while warming up, so that it drops at
 * once at the warm-up's end (optimization.py:32-54); `constant` stays at the peak after the warm-up.
 */
export type ScheduleName = 'linear' | 'google' | 'constant';

export interface Schedule {
  readonly name: ScheduleName;
  readonly peak: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/** Rate of update `step`, counted from 0; the first update of a warm-up has rate 0 in all three. */
export function learningRate({ name, peak, warmupSteps, totalSteps }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  if (name === 'constant') return peak;
  const from = name === 'google' ? 0 : warmupSteps;
  return peak * Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - from));
}

import type { Interval } from './stats.js';

/** Three figures and a unit: `1.23 ms`. */
export function seconds(value: number): string {
  const [by, unit] = value < 1e-3 ? [1e6, 'us'] : value < 1 ? [1e3, 'ms'] : [1, 's'];
  return `${figures(value * by)} ${unit}`;
}

/** Three figures: `1.23`, `12.3`, `123`. */
export const figures = (value: number): string => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);

/** The same for a rate that may not be known. */
export const rate = (value: number | null): string => (value === null ? '–' : figures(value));

/** Times the first one takes, with its interval: `1.23 (1.20–1.25)`; that one itself is the measure. */
export const times = (ratio: Interval | null): string =>
  ratio === null ? '1' : `${figures(ratio.ratio)} (${figures(ratio.low)}–${figures(ratio.high)})`;

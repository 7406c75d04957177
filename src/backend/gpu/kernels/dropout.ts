import type { RandomKey } from '../../../core/random.js';
import type { Buf, RowDropout } from '../../backend.js';
import { type PlainKernel, type PlainRunner, table } from '../spec.js';
import { withScratch } from './scratch.js';

const DROPOUT: PlainKernel = {
  name: 'dropout',
  params: { x: 'f32', keep: 'f32' },
  rank: 2,
  text: `function (x, keep) {
  const factor = keep[this.thread.y][this.thread.x];
  return factor == 0 ? 0 : x[this.thread.y][this.thread.x] * factor;
}`,
};

export function dropout(
  runner: PlainRunner,
  x: Buf,
  y: Buf,
  rows: number,
  cols: number,
  rate: number,
  key: RandomKey,
): void {
  rowDropout(runner, x, y, rows, cols, { rate, key, rows: null });
}

/** The same where rows may have been taken out of a larger tensor. */
export function rowDropout(
  runner: PlainRunner,
  x: Buf,
  y: Buf,
  rows: number,
  cols: number,
  { rate, key, rows: places }: RowDropout,
): void {
  withScratch(runner, [rows * cols], ([keep]) => {
    runner.keepFactors(keep, rows, cols, rate, key, places);
    runner.run(DROPOUT, [table(x, rows, cols), table(keep, rows, cols)], [cols, rows, 1], y);
  });
}

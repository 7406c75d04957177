// How everything here is timed: medians over short rounds, and the machine's peak measured in the same round, so that
// neighbours and clock rates hit both alike.
import { turn } from '../dist/bench/measure.js';
import { median } from '../dist/bench/stats.js';
import { selectBackend } from '../dist/index.js';

export { median };

/** A native backend with so many threads, or with one of the instruction sets of this machine. */
export function nativeBackend(threads, isa) {
  process.env.BG_THREADS = `${threads}`;
  if (isa !== undefined) process.env.BG_ISA = isa;
  return selectBackend('native').backend;
}

/** Median seconds of `run`, which is called for about `seconds`. */
export const secondsOf = async (run, seconds) => median(await turn({ run }, 1, seconds));

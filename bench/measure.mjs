// How everything here is timed: medians over short rounds, and the machine's peak measured in the same round, so that
// neighbours and clock rates hit both alike.
import Benchmark from 'benchmark';
import { selectBackend } from '../dist/index.js';

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** A native backend with so many threads, or with one of the instruction sets of this machine. */
export function nativeBackend(threads, isa) {
  process.env.BG_THREADS = `${threads}`;
  if (isa !== undefined) process.env.BG_ISA = isa;
  return selectBackend('native').backend;
}

/**
 * Median seconds of `run`, which is called for about `seconds`.
 * No setup and teardown: `benchmark` 2.1.4 turns those into source text. Not `hz` either: one stall moves a mean.
 */
export function secondsOf(name, run, seconds) {
  return new Promise((resolve, reject) => {
    const fn = (deferred) =>
      run().then(
        () => deferred.resolve(),
        (error) => {
          reject(error);
          deferred.benchmark.abort();
          deferred.resolve();
        },
      );
    const onComplete = ({ target }) => resolve(median(target.stats.sample));
    new Benchmark(name, { defer: true, fn, minSamples: 3, maxTime: seconds, onComplete }).run();
  });
}

import Benchmark from 'benchmark';
import type { Prepared } from './contender.js';
import { type Summary, summarize } from './stats.js';

/** Seconds of one call, again and again. */
export interface Timing extends Summary {
  readonly samples: readonly number[];
  /** Seconds of the very first call: compiling, packing, cold caches. */
  readonly first: number;
  /** Calls that one sample is the mean of. */
  readonly calls: number;
}

export interface MeasureOptions {
  /** Turns that everyone gets, in changing order. */
  readonly rounds: number;
  /** Seconds of one turn. */
  readonly seconds: number;
}

/** A sample takes at least so long: timers and crossings then weigh nothing. */
const LEAST_SECONDS = 0.004;
const MOST_CALLS = 1 << 16;

async function secondsOf(prepared: Prepared, times: number): Promise<number> {
  const from = performance.now();
  const own = await prepared.run(times);
  return own ?? (performance.now() - from) / 1000;
}

/** How many calls make a sample: grown until one takes long enough. */
async function callsOf(prepared: Prepared): Promise<number> {
  const least = prepared.leastSeconds ?? LEAST_SECONDS;
  for (let calls = 1; ; ) {
    const seconds = await secondsOf(prepared, calls);
    if (seconds >= least || calls >= MOST_CALLS) return calls;
    calls = Math.min(MOST_CALLS, Math.ceil(calls * Math.min(10, (1.3 * least) / Math.max(seconds, 1e-7))));
  }
}

/** One turn of somebody in this process, driven by `benchmark`: its samples, in seconds a call. */
export function turn(prepared: Pick<Prepared, 'run'>, calls: number, seconds: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    new Benchmark('', {
      defer: true,
      // No setup and teardown: 2.1.4 turns those into source text. Not `hz` either: one stall moves a mean.
      fn: (deferred) => {
        prepared.run(calls).then(
          () => deferred.resolve(),
          (error) => {
            reject(error);
            deferred.benchmark.abort();
            deferred.resolve();
          },
        );
      },
      minSamples: 3,
      maxTime: seconds,
      minTime: LEAST_SECONDS / 4, // a sample is long enough by its calls: its own 50 ms would multiply the minutes
      delay: 0,
      onComplete: ({ target }) => resolve(target.stats.sample.map((sample) => sample / calls)),
    }).run();
  });
}

/** A call that takes so many seconds is made once a turn. */
const LONG = 1;

/** One turn of somebody with a clock of its own. */
async function ownTurn(prepared: Prepared, calls: number, seconds: number): Promise<number[]> {
  const samples: number[] = [];
  let used = 0;
  while (used < (samples.length < 3 ? LONG : seconds)) {
    const sample = await secondsOf(prepared, calls);
    samples.push(sample / calls);
    used += sample;
  }
  return samples;
}

interface Entry {
  readonly prepared: Prepared;
  readonly first: number;
  readonly calls: number;
  readonly ownClock: boolean;
  readonly samples: number[];
}

async function enter(prepared: Prepared): Promise<Entry> {
  const from = performance.now();
  const own = await prepared.run(1);
  const first = own ?? (performance.now() - from) / 1000;
  return { prepared, first, calls: await callsOf(prepared), ownClock: own !== undefined, samples: [] };
}

/**
 * Times several contenders in turns, the order reversed every round, so that whatever the machine does meanwhile hits
 * all alike.
 * @returns one timing each, in their order
 */
export async function measure(contenders: readonly Prepared[], options: MeasureOptions): Promise<Timing[]> {
  const entries: Entry[] = [];
  for (const prepared of contenders) entries.push(await enter(prepared));
  for (let round = 0; round < options.rounds; round++) {
    for (const entry of round % 2 === 0 ? entries : [...entries].reverse()) {
      const take = entry.ownClock ? ownTurn : turn;
      entry.samples.push(...(await take(entry.prepared, entry.calls, options.seconds)));
    }
  }
  return entries.map(({ samples, first, calls }) => ({ ...summarize(samples), samples, first, calls }));
}

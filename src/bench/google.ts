import { DataError } from '../core/errors.js';
import { isObject, type Json, type JsonObject } from '../io/json.js';
import type { Timing } from './measure.js';
import type { ModelResult } from './models.js';
import type { BenchResult, Outcome } from './run.js';
import { type Interval, quantile } from './stats.js';

/** What a file of results says of the machine and of the program. */
export type Context = JsonObject;

const SCHEMA = 1;
const NANO = 1e9;
/** More samples than this say nothing new, and make files large. */
const MOST_SAMPLES = 200;

/** At most so many values, spread evenly over the run. */
function thinned(values: readonly number[]): readonly number[] {
  const step = Math.max(1, values.length / MOST_SAMPLES);
  return Array.from(
    { length: Math.min(values.length, MOST_SAMPLES) },
    (_, i) => values[Math.floor(i * step)] as number,
  );
}

export const resultName = (r: Pick<BenchResult, 'contender' | 'name'>): string => `${r.contender}/${r.name}`;

/** What is measured of anything: time again and again, and rates that follow from it. */
interface Measured {
  readonly contender: string;
  readonly name: string;
  readonly threads: number;
  readonly timing: Timing;
  /** What counts per call, by the name of its rate. */
  readonly perCall: Readonly<Record<string, number>>;
  /** What is told beside the medians. */
  readonly facts: JsonObject;
  readonly ratio: Interval | null;
}

function rowsOf({ contender, name: called, threads, timing, perCall, facts, ratio }: Measured): JsonObject[] {
  const samples = thinned(timing.samples);
  const name = resultName({ contender, name: called });
  const shared = { run_name: name, repetitions: samples.length, threads };
  const counters = (seconds: number): JsonObject => ({
    time_unit: 'ns',
    real_time: seconds * NANO,
    cpu_time: seconds * NANO, // all threads work all the time; the clock on the wall is what is measured
    ...Object.fromEntries(Object.entries(perCall).map(([rate, amount]) => [rate, amount / seconds])),
  });
  const each = samples.map((seconds, i) => ({
    ...{ name, ...shared, run_type: 'iteration', repetition_index: i, iterations: timing.calls },
    ...counters(seconds),
  }));
  const aggregate = (what: string, seconds: number): JsonObject => ({
    ...{ name: `${name}_${what}`, ...shared, run_type: 'aggregate', aggregate_name: what, aggregate_unit: 'time' },
    iterations: samples.length,
    ...counters(seconds),
    ...facts,
    first_call: timing.first * NANO,
    spread: timing.spread,
    ...(ratio === null ? {} : { ratio: ratio.ratio, ratio_low: ratio.low, ratio_high: ratio.high }),
  });
  return [
    ...each,
    aggregate('median', timing.median),
    aggregate('min', timing.min),
    aggregate('p95', quantile(timing.samples, 0.95)),
  ];
}

const opRows = (r: BenchResult): JsonObject[] =>
  rowsOf({
    ...r,
    perCall: { bytes_per_second: r.work.bytes, ...(r.work.flops === null ? {} : { flops: r.work.flops }) },
    facts: {
      max_abs_err: r.check.maxAbsError,
      ...(r.memory === null ? {} : { max_bytes_used: r.memory }),
      ...(r.placed === null ? {} : { roof_fraction: r.placed.roofFraction, bound: r.placed.bound }),
      ...{ runs_on: r.runsOn, where: r.where, group: r.group },
    },
  });

const modelRows = (r: ModelResult): JsonObject[] =>
  rowsOf({
    ...r,
    perCall: { flops: r.flops, items_per_second: r.work.batch * r.work.seq },
    facts: {
      max_bytes_used: r.memory,
      ...(r.mfu === null ? {} : { roof_fraction: r.mfu, bound: 'compute' }),
      ...{ runs_on: r.runsOn, group: 'model' },
    },
  });

/** Results in Google Benchmark's form (schema 1): its compare.py and the dashboards made for it open them. */
export function toGoogle(
  { results, notRun, others, roofs, doubtful }: Outcome,
  context: Context,
  models: readonly ModelResult[] = [],
): JsonObject {
  return {
    context: {
      ...context,
      json_schema_version: SCHEMA,
      others_share: others,
      doubtful: [...doubtful],
      roofs: Object.fromEntries(
        [...roofs].map(([name, { gflops, bandwidth }]) => [
          name,
          { gflops, bandwidth: bandwidth.map(({ bytes, gbs }) => ({ bytes, gbs })) },
        ]),
      ),
      not_run: notRun.map(({ name, contender, reason }) => ({ name, contender, reason })),
    },
    benchmarks: [...results.flatMap(opRows), ...models.flatMap(modelRows)],
  };
}

/** Seconds of each sample by the name of what was measured. */
export type Samples = ReadonlyMap<string, readonly number[]>;

const UNITS: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1 };

function secondsIn(row: JsonObject): [string, number] | null {
  const { run_type: type, run_name: runName, name, real_time: time, time_unit: unit } = row;
  if (type === 'aggregate' || typeof time !== 'number' || !(time > 0)) return null;
  const called = typeof runName === 'string' ? runName : name;
  const scale = UNITS[typeof unit === 'string' ? unit : 'ns'];
  return typeof called === 'string' && scale !== undefined ? [called, time * scale] : null;
}

/**
 * Reads a file of results: ours, or one that Google Benchmark itself wrote.
 * @param where file name for messages
 * @throws {DataError} another form, or nothing measured
 */
export function fromGoogle(json: Json, where: string): { context: JsonObject; samples: Samples } {
  const rows = isObject(json) && Array.isArray(json.benchmarks) ? json.benchmarks : null;
  const samples = new Map<string, number[]>();
  for (const row of rows ?? []) {
    const found = isObject(row) ? secondsIn(row) : null;
    if (found !== null) samples.set(found[0], [...(samples.get(found[0]) ?? []), found[1]]);
  }
  if (samples.size > 0) return { context: isObject(json) && isObject(json.context) ? json.context : {}, samples };
  throw new DataError(`${where}: ${rows === null ? 'is no file of benchmark results' : 'holds no measurement'}`, {
    code: 'BENCH-FILE',
    where,
    fix: 'give a file that `bertgrad bench --json FILE` wrote',
  });
}

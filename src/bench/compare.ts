import { DataError } from '../core/errors.js';
import type { JsonObject } from '../io/json.js';
import type { Samples } from './google.js';
import { type Interval, median, ratioOfMedians, uTest } from './stats.js';

/** One thing measured in both files. */
export interface Comparison {
  readonly name: string;
  /** Median seconds of a call. */
  readonly before: number;
  readonly after: number;
  /** after / before: below 1 it became faster. */
  readonly ratio: Interval;
  /** Two-sided p of the U test. */
  readonly p: number;
  readonly verdict: 'faster' | 'slower' | 'same';
}

export interface ComparisonOutcome {
  readonly rows: readonly Comparison[];
  /** Names in one of the files only. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** What differs between the machines and programs of the files. */
  readonly differences: readonly string[];
}

export interface CompareOptions {
  /** Changes of the median below this share are none. */
  readonly threshold: number;
  /** p from which two samples may be of one distribution. */
  readonly alpha: number;
}

function verdictOf(ratio: Interval, p: number, { threshold, alpha }: CompareOptions): Comparison['verdict'] {
  if (p >= alpha || Math.abs(ratio.ratio - 1) <= threshold || (ratio.low <= 1 && ratio.high >= 1)) return 'same';
  return ratio.ratio < 1 ? 'faster' : 'slower';
}

/** Facts that two files must share for a comparison to mean the kernels and not the machines. */
const FACTS = ['cpu', 'num_cpus', 'node', 'platform'];

interface File {
  readonly context: JsonObject;
  readonly samples: Samples;
}

/** @throws {DataError} when the files have no measurement in common */
export function compareRuns(before: File, after: File, options: CompareOptions): ComparisonOutcome {
  const rows = [...before.samples].flatMap(([name, a]): Comparison[] => {
    const b = after.samples.get(name);
    if (b === undefined) return [];
    const ratio = ratioOfMedians(b, a);
    const p = uTest(a, b);
    const [first, second] = [median(a), median(b)];
    return [{ name, before: first, after: second, ratio, p, verdict: verdictOf(ratio, p, options) }];
  });
  if (rows.length === 0) {
    throw new DataError('bench compare: the two files measured nothing in common', {
      code: 'BENCH-FILE',
      fix: 'run both with the same ops, shapes and backends',
    });
  }
  const text = (context: JsonObject, fact: string): string => JSON.stringify(context[fact] ?? null);
  return {
    rows,
    onlyBefore: [...before.samples.keys()].filter((name) => !after.samples.has(name)),
    onlyAfter: [...after.samples.keys()].filter((name) => !before.samples.has(name)),
    differences: FACTS.filter((fact) => text(before.context, fact) !== text(after.context, fact)).map(
      (fact) => `${fact}: ${text(before.context, fact)} and ${text(after.context, fact)}`,
    ),
  };
}

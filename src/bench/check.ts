import { createJsBackend } from '../backend/js/index.js';
import type { TypedData } from '../core/dtype.js';
import { NumericError } from '../core/errors.js';
import { type BenchCase, caseName } from './case.js';
import { type Contender, ours } from './contender.js';
import { type CaseData, dataOf } from './run-op.js';

/** What a comparison with float64 found, before anything was timed. */
export interface Check {
  /** Largest difference from float64. */
  readonly maxAbsError: number;
  /** The same over the largest value there is: what is judged. */
  readonly relative: number;
  /** The sizes that were compared: those of the case, or smaller ones where float64 would take minutes. */
  readonly sizes: readonly number[];
  /** What a call of the case should take, in seconds, going by the one that was compared. */
  readonly expectedSeconds: number;
}

/** Operations that float64 loops in JavaScript do in some tenths of a second. */
const BUDGET = 4e7;
/**
 * Rounding of float32 over the longest sums here (30,522 terms: sqrt(n) u is 1e-5), with room for exp on the GPU. Half a
 * percent, as a wrong tile or a lost tail leaves, is far above it.
 */
const ALLOWED = 2e-4;

const workOf = ({ op, sample }: BenchCase): number => {
  const shapes = sample.inputs.map((input) => ('shape' in input ? input.shape : input));
  const { flops, bytes } = op.cost(shapes, sample.attrs);
  return flops + bytes;
};

/** The same case, its largest sizes halved until the oracle is done within the budget. */
function affordable(c: BenchCase): BenchCase {
  const workload = c.op.workload as NonNullable<typeof c.op.workload>;
  for (let small = c; ; ) {
    const largest = small.sizes.indexOf(Math.max(...small.sizes));
    if (workOf(small) <= BUDGET || (small.sizes[largest] as number) <= 64) return small;
    const sizes = small.sizes.map((size, i) => (i === largest ? Math.ceil(size / 2) : size));
    small = { ...c, sizes, sample: { name: c.where, ...workload.at(sizes) } };
  }
}

/** The largest difference of two results, and the largest value of the right one. */
export function difference(got: TypedData, want: TypedData): { error: number; scale: number } {
  let error = got.length === want.length ? 0 : Number.POSITIVE_INFINITY;
  let scale = 0;
  for (let i = 0; i < want.length; i++) {
    const d = Math.abs((got[i] as number) - (want[i] as number));
    error = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(error, d);
    scale = Math.max(scale, Math.abs(want[i] as number));
  }
  return { error, scale };
}

let oracle: Contender | null = null;

/** What a contender computes, and the seconds of one call; a sentence where it cannot do the case. */
async function resultsOf(
  contender: Contender,
  c: BenchCase,
  data: CaseData,
): Promise<{ values: readonly (TypedData | null)[]; seconds: number } | string> {
  const prepared = await contender.prepare(c, data);
  if (typeof prepared === 'string') return prepared;
  try {
    const values = await prepared.results();
    const from = performance.now();
    const own = await prepared.run(1);
    return { values, seconds: own ?? (performance.now() - from) / 1000 };
  } finally {
    await prepared.free();
  }
}

function compare(
  got: readonly (TypedData | null)[],
  want: readonly (TypedData | null)[],
): { maxAbsError: number; relative: number } {
  let [maxAbsError, relative] = [0, 0];
  want.forEach((exact, i) => {
    if (exact === null) return;
    const found = got[i];
    const { error, scale } =
      found === null || found === undefined ? { error: Infinity, scale: 0 } : difference(found, exact);
    maxAbsError = Math.max(maxAbsError, error);
    relative = Math.max(relative, scale === 0 ? error : error / scale);
  });
  return { maxAbsError, relative };
}

/**
 * Compares a contender with float64 loops.
 * @returns what was found, or why it cannot do the case
 * @throws {NumericError} when the difference is more than rounding: what computes wrong things is not timed
 */
export async function check(contender: Contender, c: BenchCase): Promise<Check | string> {
  const small = affordable(c);
  oracle ??= ours(createJsBackend('f64'), 'float64', 1);
  const data = dataOf(small);
  const got = await resultsOf(contender, small, data);
  if (typeof got === 'string') return got;
  const want = await resultsOf(oracle, small, data);
  if (typeof want === 'string') return want;
  const found = compare(got.values, want.values);
  const expectedSeconds = (got.seconds * workOf(c)) / workOf(small);
  if (found.relative <= ALLOWED) return { ...found, sizes: small.sizes, expectedSeconds };
  throw new NumericError(`bench: ${caseName(small)} is wrong on ${contender.name}: off by ${found.maxAbsError}`, {
    code: 'BENCH-WRONG',
    where: `${contender.runsOn}; ${found.relative.toExponential(1)} of the largest value, where rounding allows ${ALLOWED}`,
    fix: 'please report this; nothing that computes wrong results is timed',
  });
}

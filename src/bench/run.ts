import { NumericError } from '../core/errors.js';
import { type BenchCase, caseName } from './case.js';
import { type Check, check } from './check.js';
import type { Contender, Prepared } from './contender.js';
import { type MeasureOptions, measure, type Timing } from './measure.js';
import { betterOf, type Placed, place, type Roofs } from './roofs.js';
import { type CaseData, dataOf, type Work, workOf } from './run-op.js';
import { type Interval, ratioOfMedians } from './stats.js';

/** One contender on one case. */
export interface BenchResult {
  /** "linear/512x768x768/forward" */
  readonly name: string;
  readonly op: string;
  readonly group: string;
  readonly where: string;
  readonly sizes: readonly number[];
  readonly direction: BenchCase['direction'];
  readonly contender: string;
  readonly runsOn: string;
  readonly threads: number;
  readonly timing: Timing;
  readonly work: Work;
  /** Bytes of tensors at their most; null: it does not tell. */
  readonly memory: number | null;
  /** Under the roofs of the machine; null: there are none for so many threads. */
  readonly placed: Placed | null;
  readonly check: Check;
  /** Times this one takes for each of the first contender's; null for that one itself. */
  readonly ratio: Interval | null;
}

/** Who did not take part in a case, and why. */
export interface NotRun {
  readonly name: string;
  readonly contender: string;
  readonly reason: string;
}

/** Somebody with the roofs that hold for it; null: unknown. */
export interface Entrant {
  readonly contender: Contender;
  readonly roofs: Roofs | null;
  /** Measures them anew: the better of the looks before and after the cases counts. */
  readonly again?: () => Promise<Roofs>;
}

export interface RunOptions extends MeasureOptions {
  /** Seconds a call may take; slower ones are left out, with the reason. */
  readonly slowest: number;
  /** Watches how much of the processors others use from now on; absent: nobody knows (in a page). */
  readonly watch?: (pids: readonly number[]) => () => number | null;
  /** Told of each case as it is done. */
  readonly done?: (results: readonly BenchResult[], notRun: readonly NotRun[]) => void;
}

export interface Outcome {
  readonly results: readonly BenchResult[];
  readonly notRun: readonly NotRun[];
  /** What each of ours can do at most on this machine, by its name. */
  readonly roofs: ReadonlyMap<string, Roofs>;
  /** Share of the processors that others used meanwhile; null: the system does not tell. */
  readonly others: number | null;
  /** What no machine can do, or what is not to be trusted; a run with any of the first kind has failed. */
  readonly impossible: readonly string[];
  readonly doubtful: readonly string[];
}

/** A kernel may come out above a roof by its own spread, within these limits: both are measured, and clocks move. */
const LEAST_OVER = 0.03;
const MOST_OVER = 0.1;
const NOISY_SPREAD = 0.1;
const NOISY_OTHERS = 0.05;

/** The gradient of x + y is that of the result, handed on. */
const NOTHING = 'no kernel runs: the gradient is handed on as it is';

interface Ready extends Entrant {
  readonly prepared: Prepared;
  readonly check: Check;
}

/** Checks and prepares one contender for a case, or says why it does not take part. */
async function ready(entrant: Entrant, c: BenchCase, data: CaseData, slowest: number): Promise<Ready | string> {
  const { contender } = entrant;
  const found = await check(contender, c);
  if (typeof found === 'string') return found;
  if (found.expectedSeconds > slowest) return `a call would take about ${found.expectedSeconds.toFixed(0)} s`;
  const prepared = await contender.prepare(c, data);
  return typeof prepared === 'string' ? prepared : { ...entrant, prepared, check: found };
}

/** The work of a case is counted once, on a backend of ours. */
function countWork(entrants: readonly Entrant[], c: BenchCase, data: CaseData): Work {
  const backend = entrants.find(({ contender }) => contender.backend !== null)?.contender.backend;
  if (backend === null || backend === undefined) throw new Error('bench: no backend of ours takes part');
  return workOf(backend, c, data);
}

async function runCase(
  entrants: readonly Entrant[],
  c: BenchCase,
  options: RunOptions,
): Promise<{ results: BenchResult[]; notRun: NotRun[] }> {
  const name = caseName(c);
  const data = dataOf(c);
  const notRun: NotRun[] = [];
  const all: Ready[] = [];
  for (const entrant of entrants) {
    const one = await ready(entrant, c, data, options.slowest);
    if (typeof one === 'string') notRun.push({ name, contender: entrant.contender.name, reason: one });
    else all.push(one);
  }
  try {
    if (all.length === 0) return { results: [], notRun };
    const work = countWork(entrants, c, data);
    if (work.bytes === 0) return { results: [], notRun: [{ name, contender: 'all', reason: NOTHING }] };
    const timings = await measure(
      all.map(({ prepared }) => prepared),
      options,
    );
    const results = all.map(({ contender, roofs, prepared, check: found }, i): BenchResult => {
      const timing = timings[i] as Timing;
      const { op, group, where, sizes, direction } = c;
      return {
        ...{ name, op: op.name, group, where, sizes, direction, timing, work, check: found },
        ...{ contender: contender.name, runsOn: contender.runsOn, threads: contender.threads },
        memory: prepared.memory ?? null,
        placed: roofs === null ? null : place(roofs, work, timing.median),
        ratio: i === 0 ? null : ratioOfMedians(timing.samples, (timings[0] as Timing).samples),
      };
    });
    return { results, notRun };
  } finally {
    for (const { prepared } of all) await prepared.free();
  }
}

const isOver = ({ placed, timing }: BenchResult): boolean =>
  placed !== null && placed.roofFraction > 1 + Math.min(MOST_OVER, Math.max(LEAST_OVER, timing.spread));

/** Peers that do not do the work of a case: nothing of ours is wrong then, but to compare means nothing. */
function idlePeers(results: readonly BenchResult[], entrants: readonly Entrant[]): BenchResult[] {
  const peers = new Set(entrants.flatMap(({ contender }) => (contender.backend === null ? contender.name : [])));
  return results.filter((r) => peers.has(r.contender) && isOver(r));
}

const IDLE = 'faster than memory: it hands the gradient on, or leaves the work for later';

const impossibleIn = (results: readonly BenchResult[]): string[] =>
  results.filter(isOver).map(({ name, contender, placed }) => {
    const share = (100 * (placed as Placed).roofFraction).toFixed(0);
    return `${name} on ${contender}: ${share} % of what the machine was measured to do (${(placed as Placed).bound})`;
  });

/** What speaks against figures: a spread, or the processors' use by other programs. */
export function doubtfulIn(
  results: readonly Pick<BenchResult, 'name' | 'contender' | 'timing'>[],
  others: number | null,
): string[] {
  const noisy = results.filter(({ timing }) => timing.spread > NOISY_SPREAD);
  const said: string[] = [];
  if (others !== null && others > NOISY_OTHERS)
    said.push(
      `other programs used ${(100 * others).toFixed(0)} % of the processors meanwhile: close them and run again`,
    );
  if (noisy.length > 0)
    said.push(
      `${noisy.length} of ${results.length} figures spread by more than ${100 * NOISY_SPREAD} %: ${noisy
        .slice(0, 3)
        .map(({ name, contender }) => `${name} on ${contender}`)
        .join(', ')}`,
    );
  return said;
}

/** Roofs by those who stand under them, measured anew where that is possible. */
async function lookAgain(entrants: readonly Entrant[]): Promise<Map<Roofs, Roofs>> {
  const seen = new Map<Roofs, Roofs>();
  for (const { roofs, again } of entrants) {
    if (roofs !== null && again !== undefined) seen.set(roofs, betterOf(roofs, await again()));
  }
  return seen;
}

/** The same results under roofs that were measured a second time. */
function replaced(results: readonly BenchResult[], roofs: ReadonlyMap<string, Roofs>): BenchResult[] {
  return results.map((r) => {
    const roof = roofs.get(r.contender);
    return roof === undefined || r.placed === null ? r : { ...r, placed: place(roof, r.work, r.timing.median) };
  });
}

/**
 * Checks and times all cases on all entrants, in turns.
 * @throws {NumericError} when one computes wrong results
 */
export async function runBench(
  cases: readonly BenchCase[],
  entrants: readonly Entrant[],
  options: RunOptions,
): Promise<Outcome> {
  const results: BenchResult[] = [];
  const notRun: NotRun[] = [];
  const pids = entrants.flatMap(({ contender }) => contender.pid ?? []);
  const others = options.watch?.(pids) ?? (() => null);
  for (const c of cases) {
    const one = await runCase(entrants, c, options);
    results.push(...one.results);
    notRun.push(...one.notRun);
    options.done?.(one.results, one.notRun);
  }
  const share = others();
  const better = cases.length === 0 ? new Map<Roofs, Roofs>() : await lookAgain(entrants);
  const roofs = new Map(
    entrants.flatMap(({ contender, roofs: first }): [string, Roofs][] =>
      first === null ? [] : [[contender.name, better.get(first) ?? first]],
    ),
  );
  const all = replaced(results, roofs);
  const idle = idlePeers(all, entrants);
  const placed = all.filter((r) => !idle.includes(r));
  notRun.push(...idle.map(({ name, contender }) => ({ name, contender, reason: IDLE })));
  const judged = { impossible: impossibleIn(placed), doubtful: doubtfulIn(placed, share) };
  return { results: placed, notRun, roofs, others: share, ...judged };
}

/** @throws {NumericError} for results that break physics */
export function refuseImpossible({ impossible }: Outcome): void {
  if (impossible.length === 0) return;
  throw new NumericError(`bench: ${impossible.length} results lie above what this machine can do`, {
    code: 'BENCH-ROOF',
    where: impossible.slice(0, 3).join('; '),
    fix: 'the machine was busy while its roofs were measured, or a kernel did not do its work: run again with nothing else running',
  });
}

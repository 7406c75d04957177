import { fileURLToPath } from 'node:url';
import { NumericError } from '../core/errors.js';
import { startChild } from './child.js';
import type { Prepared } from './contender.js';
import { type MeasureOptions, measure, type Timing } from './measure.js';
import type { ModelSide, ModelWork } from './model-work.js';
import { watchOthers } from './noise.js';
import { openModels, type PeerName } from './peers.js';
import { doubtfulIn, type NotRun } from './run.js';
import { type Interval, ratioOfMedians } from './stats.js';

/** One side of one piece of work. */
export interface ModelResult {
  /** "train/tiny/32x128" */
  readonly name: string;
  readonly work: ModelWork;
  readonly contender: string;
  readonly runsOn: string;
  readonly threads: number;
  readonly timing: Timing;
  /** Operations that the work needs, counted as ours does it: the same for all sides. */
  readonly flops: number;
  readonly tokensPerSecond: number;
  /** Share of the measured multiply-adds; null: not measured. */
  readonly mfu: number | null;
  /** Bytes of the process at their most. */
  readonly memory: number;
  /** Times the first side takes, with its interval; null for that side itself. */
  readonly ratio: Interval | null;
}

export interface ModelOutcome {
  readonly results: readonly ModelResult[];
  readonly notRun: readonly NotRun[];
  /** What is not to be trusted. */
  readonly doubtful: readonly string[];
}

/** Who takes part, and under which roof. */
export interface ModelOptions extends MeasureOptions {
  /** What runs ours: a backend, its name in tables, and what its process is told. */
  readonly ours: { readonly backend: string; readonly name: string; readonly env: Readonly<Record<string, string>> };
  readonly threads: number;
  readonly peers: readonly PeerName[];
  /** GFLOP/s of multiply-adds; null: not measured. */
  readonly peak: number | null;
}

/** Seconds that a call of a peer may take; three turns of it are minutes. */
const SLOWEST = 20;

const PROGRAM = fileURLToPath(new URL('../../dist/bench/model-child.js', import.meta.url));

export const workName = ({ kind, model, batch, seq }: ModelWork): string => `${kind}/${model}/${batch}x${seq}`;

async function openOurs(work: ModelWork, { ours, threads }: ModelOptions): Promise<ModelSide> {
  const child = await startChild(process.execPath, [PROGRAM, ours.backend, JSON.stringify(work)], ours.env);
  return { name: ours.name, runsOn: `${child.hello.runsOn}`, threads, child };
}

const numbersOf = ({ child }: ModelSide): number[] =>
  Array.isArray(child.hello.sample) ? child.hello.sample.map(Number) : [];

/** Rounding of float32 through a dozen layers is far below a hundredth of the largest value. */
const ALLOWED = 0.01;
/** A model that has learnt nothing guesses: ln V for a word, ln 2 for the sentences; initial weights move it a little. */
const LOSS_ALLOWED = 1;

/** Why what a side computed is not what the work is; null: it is. */
function whyWrong(side: ModelSide, first: ModelSide, work: ModelWork): string | null {
  const [got, want] = [numbersOf(side), numbersOf(first)];
  if (work.kind === 'train') {
    const guess = Math.log(work.vocab) + Math.LN2;
    const loss = got[0] ?? Number.NaN;
    return Math.abs(loss - guess) < LOSS_ALLOWED ? null : `its loss is ${loss}, where guessing has ${guess.toFixed(2)}`;
  }
  if (got.length === 0) return null; // weights of its own
  const scale = Math.max(...want.map(Math.abs));
  const off = Math.max(...want.map((x, i) => Math.abs(x - (got[i] ?? Number.NaN))));
  return off <= ALLOWED * scale ? null : `its hidden state is off by ${off}`;
}

/** @throws {NumericError} for a side that computes something else */
function checkSides(sides: readonly ModelSide[], work: ModelWork): void {
  for (const side of sides) {
    const why = whyWrong(side, sides[0] as ModelSide, work);
    if (why === null) continue;
    throw new NumericError(`bench: ${workName(work)} is wrong on ${side.name}: ${why}`, {
      code: 'BENCH-WRONG',
      where: side.runsOn,
      fix: 'please report this; nothing that computes wrong results is timed',
    });
  }
}

const preparedOf = ({ child }: ModelSide): Prepared => ({
  run: async (times) => Number((await child.ask({ times })).seconds),
  results: async () => [],
  free: () => undefined,
});

async function timeSides(
  sides: readonly ModelSide[],
  work: ModelWork,
  { peak, ...options }: ModelOptions,
): Promise<ModelResult[]> {
  const timings = await measure(sides.map(preparedOf), options);
  const flops = Number((sides[0] as ModelSide).child.hello.flops);
  const results: ModelResult[] = [];
  for (const [i, { name, runsOn, threads, child }] of sides.entries()) {
    const timing = timings[i] as Timing;
    results.push({
      ...{ name: workName(work), work, contender: name, runsOn, threads, timing, flops },
      tokensPerSecond: (work.batch * work.seq) / timing.median,
      mfu: peak === null ? null : flops / timing.median / 1e9 / peak,
      memory: Number((await child.ask({ times: 1 })).memory),
      ratio: i === 0 ? null : ratioOfMedians(timing.samples, (timings[0] as Timing).samples),
    });
  }
  return results;
}

/** Those that are not so slow that one would wait for minutes; the others are closed, with the reason. */
async function patientWith(
  sides: readonly ModelSide[],
  absent: { readonly name: string; readonly reason: string }[],
): Promise<ModelSide[]> {
  const kept: ModelSide[] = [];
  for (const side of sides) {
    const { seconds } = await side.child.ask({ times: 1 });
    if (Number(seconds) <= SLOWEST) {
      kept.push(side);
      continue;
    }
    side.child.close();
    absent.push({ name: side.name, reason: `a call takes ${Number(seconds).toFixed(0)} s` });
  }
  return kept;
}

/**
 * Times one piece of work on all sides, in turns, each in a process of its own.
 * @throws {NumericError} when a side computes something else
 */
export async function runModel(work: ModelWork, options: ModelOptions): Promise<ModelOutcome> {
  const sides: ModelSide[] = [await openOurs(work, options)];
  try {
    const { opened, absent } = await openModels(options.peers, options.threads, work);
    sides.push(...(await patientWith(opened, absent)));
    checkSides(sides, work);
    const notRun = absent.map(({ name, reason }) => ({ name: workName(work), contender: name, reason }));
    const others = watchOthers(sides.flatMap(({ child }) => child.pid ?? []));
    const results = await timeSides(sides, work, options);
    return { results, notRun, doubtful: doubtfulIn(results, others()) };
  } finally {
    for (const { child } of sides) child.close();
  }
}

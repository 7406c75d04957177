import type { NativeBackend } from '../backend/native/index.js';
import { modelNames, VOCAB } from '../bench/case.js';
import type { ModelWork } from '../bench/model-work.js';
import { type ModelOptions, type ModelOutcome, type ModelResult, runModel, workName } from '../bench/models.js';
import type { Entrant, NotRun } from '../bench/run.js';
import { seconds, times } from '../bench/units.js';
import { UsageError } from '../core/errors.js';
import { type EntrantFlags, list, peerNames } from './bench-entrants.js';
import { bytes, columns, count, percent } from './ui.js';

/** Which whole models are measured, and how. */
export interface ModelFlags extends EntrantFlags {
  readonly step?: string;
  readonly infer?: string;
  readonly batch: number;
  readonly seq: number;
  readonly rounds: number;
  readonly seconds: number;
}

/** A turn is three steps at least: more than three turns of base would take minutes. */
const MOST_ROUNDS = 3;

/** @throws {UsageError} for a model that there is not */
export function worksOf({ step, infer, batch, seq }: ModelFlags): ModelWork[] {
  const works = (text: string | undefined, kind: ModelWork['kind']): ModelWork[] =>
    list(text ?? '').map((model) => ({ kind, model, batch, seq, vocab: VOCAB }));
  const all = [...works(step, 'train'), ...works(infer, 'infer')];
  const unknown = all.find(({ model }) => !(modelNames as readonly string[]).includes(model))?.model;
  if (unknown === undefined) return all;
  throw new UsageError(`bench: no model is called "${unknown}"`, { fix: `use some of: ${modelNames.join(' ')}` });
}

function optionsOf(first: Entrant, peak: number | null, flags: ModelFlags): ModelOptions {
  const { backend, threads, name } = first.contender;
  if (backend === null) throw new Error('bench: the first entrant is a backend of ours');
  const isa = 'isa' in backend ? (backend as NativeBackend).isa : undefined;
  const env = { BG_THREADS: `${threads}`, ...(isa === undefined ? {} : { BG_ISA: isa }) };
  return {
    ours: { backend: backend.name, name, env: backend.name === 'native' ? env : {} },
    ...{ threads, peak, peers: peerNames(flags), seconds: flags.seconds },
    rounds: Math.min(MOST_ROUNDS, flags.rounds),
  };
}

/** Training steps and inferences of the models asked for, ours on the first entrant's backend, beside the peers. */
export async function runModels(first: Entrant, peak: number | null, flags: ModelFlags): Promise<ModelOutcome> {
  const options = optionsOf(first, peak, flags);
  const results: ModelResult[] = [];
  const notRun: NotRun[] = [];
  const doubtful: string[] = [];
  for (const work of worksOf(flags)) {
    const one = await runModel(work, options);
    results.push(...one.results);
    notRun.push(...one.notRun);
    doubtful.push(...one.doubtful.map((text) => `${workName(work)}: ${text}`));
  }
  return { results, notRun, doubtful };
}

const HEAD = ['model', 'batch', 'what', 'on', 'median', 'spread', 'tokens/s', 'of peak', 'memory', 'time ratio'];

function modelRow(r: ModelResult, first: boolean): string[] {
  const { kind, model, batch, seq } = r.work;
  return [
    ...(first ? [model, `${batch} x ${seq}`, kind === 'train' ? 'training step' : 'inference'] : ['', '', '']),
    r.contender,
    seconds(r.timing.median),
    percent(r.timing.spread),
    count(r.tokensPerSecond),
    r.mfu === null ? '–' : percent(r.mfu),
    bytes(r.memory),
    times(r.ratio),
  ];
}

/** Whole models, a row a side; memory is that of its process. */
export function modelLines(results: readonly ModelResult[]): string[] {
  const rows = results.map((r, i) => modelRow(r, results[i - 1]?.name !== r.name));
  return results.length === 0 ? [] : columns(HEAD, rows, [0, 1, 2, 3]);
}

import { join, resolve } from 'node:path';
import { requirePrecision, slowerNote } from '../backend/precision.js';
import { type Choice, defaultChoice } from '../backend/select.js';
import { type BertConfig, configToJson, parseConfig } from '../bert/config.js';
import type { BertForPreTraining } from '../bert/pretraining.js';
import { ConfigError, InputError } from '../core/errors.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { type LoadedCheckpoint, loadNewestCheckpoint } from '../io/checkpoint.js';
import { lockFolder } from '../io/lock.js';
import { createRun, openRun, RUN } from '../io/run-folder.js';
import { openShards, type Shards } from '../io/shards.js';
import { requireMemory } from './audit.js';
import type { Remark, Reporter, RunEnd } from './events.js';
import { Loop } from './loop.js';
import { makeTokenizer, requireRoom } from './model-folder.js';
import { checkOptions, type Intervals, type PretrainOptions } from './options.js';
import { planFromJson, type RunPlan } from './plan.js';
import { probeTexts } from './probes.js';
import { fanOut, Recorder } from './recorder.js';
import { writeReport } from './report.js';
import { Session } from './session.js';
import { TrainingDoctor } from './watch.js';

/** What this sitting of a run may choose anew without changing the run's course. */
export interface Sitting {
  readonly intervals: Intervals;
  /** Seconds after which to save and stop; Infinity: never. */
  readonly maxSeconds: number;
}

/** Those around a run. */
export interface Surroundings {
  readonly reporter: Reporter;
  /** Told what the user should know before the first step. */
  warn(text: string): void;
  /** Aborted: save and stop after the step at hand. */
  readonly stop: AbortSignal;
  saveRequested(): boolean;
}

/** A run that is to begin. */
export interface NewRun extends Sitting {
  readonly folder: string;
  readonly shards: string;
  /** The configuration for a vocabulary of this size. */
  configFor(vocabSize: number): BertConfig;
  optionsFor(config: BertConfig): PretrainOptions;
  /** Texts with [MASK] to ask while it trains; empty: sentences that are held back. */
  readonly samples: readonly string[];
  /** Puts weights in that the run begins with, instead of random ones: those of a model that it goes on from. */
  initialize?(model: BertForPreTraining): void;
}

/** Begins a run in an empty folder. @throws every error of shards, configuration, options, memory and folder */
export async function beginRun(request: NewRun, around: Surroundings): Promise<RunEnd> {
  const shards = await openShards(request.shards);
  const tokenizer = makeTokenizer(shards.vocab, shards.tokenizerConfig, request.shards);
  const config = request.configFor(tokenizer.vocab.size);
  const options = request.optionsFor(config);
  const { samples } = request;
  const plan = { shards: resolve(request.shards), corpusHash: shards.hash, config, options, samples };
  return await withRun({ ...request, plan, opened: shards, tokenizer, from: null }, around);
}

/** Goes on with a run from its newest whole checkpoint. @param shards where the data is now, if it was moved */
export async function resumeRun(
  request: { folder: string; shards: string | null } & Partial<Sitting> & { intervalsFor(steps: number): Intervals },
  around: Surroundings,
): Promise<RunEnd> {
  const run = await openRun(request.folder);
  const where = join(request.folder, RUN.json);
  const plan = planFromJson(run, (config) => parseConfig(config, where), where);
  const folder = request.shards ?? plan.shards;
  const shards = await openShards(folder);
  if (shards.hash !== plan.corpusHash) {
    throw new ConfigError(`${folder}: these are not the shards the run began with`, {
      code: 'CONFIG-DATA-CHANGED',
      where: `corpus hash ${shards.hash.slice(0, 12)}, in ${where} ${plan.corpusHash.slice(0, 12)}`,
      fix: 'name the shards it began with, or begin a new run',
    });
  }
  const tokenizer = makeTokenizer(shards.vocab, shards.tokenizerConfig, folder);
  const intervals = request.intervalsFor(plan.options.steps);
  const sitting = { folder: request.folder, maxSeconds: request.maxSeconds ?? Number.POSITIVE_INFINITY, intervals };
  return await withRun({ ...sitting, plan, opened: shards, tokenizer, from: 'newest' }, around);
}

interface Prepared extends Sitting {
  readonly folder: string;
  readonly plan: RunPlan;
  readonly opened: Shards;
  readonly tokenizer: Tokenizer;
  readonly from: 'newest' | null;
  initialize?(model: BertForPreTraining): void;
}

/** Takes the folder for itself while the run goes on. */
async function withRun(prepared: Prepared, around: Surroundings): Promise<RunEnd> {
  const { folder, plan } = prepared;
  const { config, options } = plan;
  checkOptions(options, config);
  requireRoom(prepared.tokenizer.vocab, config.vocabSize, plan.shards);
  const maskedPerSequence = options.data.maxPredictions ?? Math.ceil((options.data.maskRate ?? 0.15) * options.maxSeq);
  requireMemory(config, {
    batch: options.batch,
    seq: options.maxSeq,
    maskedPerSequence,
    accumulate: options.accumulate,
  });
  const choice = defaultChoice();
  requirePrecision(choice.backend, options.precision);
  const note = slowerNote(choice.backend, options.precision);
  if (note !== null) around.warn(note);
  if (prepared.from === null) await createRun(folder, { ...plan, config: configToJson(config) });
  const release = await lockFolder(folder, around.warn);
  try {
    const checkpoint = prepared.from === null ? null : await newest(folder, around.warn);
    return await sit(prepared, checkpoint, choice, around);
  } finally {
    await release();
  }
}

async function newest(folder: string, warn: (text: string) => void): Promise<LoadedCheckpoint> {
  const found = await loadNewestCheckpoint(folder, warn);
  if (found !== null) return found;
  throw new InputError(`${folder}: the run has no checkpoint yet`, {
    code: 'RUN-NO-CHECKPOINT',
    where: join(folder, 'checkpoints'),
    fix: 'begin again in another folder; --save-every makes it save sooner',
  });
}

/** One sitting: from the first step to the report. */
async function sit(
  { folder, plan, opened, tokenizer, intervals, maxSeconds, initialize }: Prepared,
  checkpoint: LoadedCheckpoint | null,
  choice: Choice,
  around: Surroundings,
): Promise<RunEnd> {
  const { config, options } = plan;
  const session = new Session({ ...plan, folder, corpus: opened.corpus, tokenizer, choice, initialize }, checkpoint);
  const start = session.describe();
  const recorder = new Recorder(folder, start.resumedFrom, around.warn);
  const reporter = fanOut([recorder, around.reporter]);
  const watch = { hiddenSize: config.hiddenSize, peakLr: options.lr, warmupSteps: options.warmupSteps };
  const samples = plan.samples.length > 0 ? plan.samples : probeTexts(session.data, tokenizer);
  const loop = new Loop(
    session.trainer,
    start,
    { totalSteps: options.steps, ...intervals, sampleTexts: samples, maxSeconds },
    {
      reporter,
      doctor: new TrainingDoctor(start, watch),
      tokenizer,
      stop: around.stop,
      measurePeak: () => choice.backend.fmaPeak?.() ?? null,
      secondsBefore: session.secondsBefore,
      firstRemarks: notes(session, start.resumedFrom ?? 0),
      saveRequested: around.saveRequested,
      save: (seconds, evaluated) => session.save(seconds, evaluated),
    },
  );
  try {
    const end = await loop.run();
    recorder.end(end);
    const done = { ...end, report: await writeReport(folder) };
    around.reporter.end(done);
    return done;
  } finally {
    recorder.close();
    session.dispose();
  }
}

/** What the data has to say that is no fault. */
function notes({ data }: Session, step: number): Remark[] {
  const { heldOutNote } = data.card;
  return heldOutNote === null ? [] : [{ step, kind: 'nothing-held-out', severity: 'warning', text: heldOutNote }];
}

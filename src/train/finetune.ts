import { join, resolve } from 'node:path';
import { requirePrecision, slowerNote } from '../backend/precision.js';
import { defaultBackend } from '../backend/select.js';
import type { BertConfig } from '../bert/config.js';
import { transformersName } from '../bert/names.js';
import { CheckpointError, ConfigError } from '../core/errors.js';
import { sha256 } from '../data/sha256.js';
import { type LoadedCheckpoint, loadNewestCheckpoint, writeCheckpoint } from '../io/checkpoint.js';
import { disk, readJsonFile, writeFileAtomic } from '../io/files.js';
import { lockFolder } from '../io/lock.js';
import { loadModelFolder } from '../io/model-folder.js';
import { createRun, openRun } from '../io/run-folder.js';
import { safetensorsChunks, type TensorData } from '../io/safetensors.js';
import { modelFiles, openBase, requirePositions } from './tasks/folder.js';
import { type PreparedTask, type TaskRequest, withDropout, withPrepared } from './tasks/prepare.js';
import {
  bestTrial,
  type DataSummary,
  type FinetuneResults,
  summarizeTrials,
  type TrialResult,
} from './tasks/results.js';
import { Trial, type TrialOptions, type TrialPoint, type TrialState } from './tasks/trial.js';
import { setWeights, type WeightReport } from './weights.js';

/** A fine-tuning: every learning rate with every seed. Kept in run.json; a resumed run goes on with just this. */
export interface FinetunePlan {
  /** A run, a checkpoint or a model folder. */
  readonly base: string;
  readonly task: TaskRequest;
  readonly options: Omit<TrialOptions, 'lr' | 'seed'>;
  readonly rates: readonly number[];
  readonly seeds: readonly number[];
  readonly dropout: number | null;
}

/** Those around a fine-tuning. */
export interface FinetuneAround {
  /** Told of what was read, before the first step. */
  prepared(
    about: { train: DataSummary; dev: DataSummary; said: readonly string[]; fresh: readonly string[] } & {
      /** Tensors of the base that the model has no place for: heads for something else. */
      unused: readonly string[];
    },
  ): void;
  point(trial: { lr: number; seed: number; totalSteps: number }, point: TrialPoint & { better: boolean }): void;
  step(trial: { lr: number; seed: number; totalSteps: number }, at: { step: number; loss: number }): void;
  warn(text: string): void;
  /** Aborted: save and stop after the step at hand. */
  readonly stop: AbortSignal;
}

export interface FinetuneEnd {
  readonly results: FinetuneResults;
  readonly reason: 'done' | 'signal';
}

const RESULTS = 'results.json';
const trialName = (lr: number, seed: number): string => `lr-${lr}-seed-${seed}`;

/** Begins a fine-tuning in an empty folder. @throws every error of model, data, options and folder */
export async function beginFinetune(folder: string, plan: FinetunePlan, around: FinetuneAround): Promise<FinetuneEnd> {
  const whole = { ...plan, base: resolve(plan.base) };
  return await withBase(whole, async (prepared, config) => {
    await createRun(folder, { finetune: whole, dataHash: hashOf(prepared) });
    return await inFolder(folder, { plan: whole, prepared, config, done: [] }, around);
  });
}

/** Goes on with a fine-tuning: finished trials stay, the one under way goes on from its newest checkpoint, bit for bit. */
export async function resumeFinetune(folder: string, around: FinetuneAround): Promise<FinetuneEnd> {
  const run = await openRun(folder);
  const plan = run.finetune as unknown as FinetunePlan | undefined;
  if (plan === undefined) {
    throw new ConfigError(`${folder}: is not a fine-tuning`, {
      code: 'RUN-KIND',
      where: join(folder, 'run.json'),
      fix: 'pre-training goes on by: bertgrad pretrain --resume',
    });
  }
  return await withBase(plan, async (prepared, config) => {
    if (run.dataHash !== hashOf(prepared)) {
      throw new ConfigError(`${plan.task.train}: these are not the examples the run began with`, {
        code: 'CONFIG-DATA-CHANGED',
        where: `${plan.task.train}, ${plan.task.dev ?? 'no dev file'}`,
        fix: 'put the files back, or begin a new run',
      });
    }
    const names = await disk.list(folder);
    const before = names.includes(RESULTS) ? await readJsonFile(join(folder, RESULTS)) : { trials: [] };
    const done = before.trials as unknown as TrialResult[];
    return await inFolder(folder, { plan, prepared, config, done }, around);
  });
}

const withBase = async (
  plan: FinetunePlan,
  use: <E, A>(prepared: PreparedTask<E, A>, config: BertConfig) => Promise<FinetuneEnd>,
): Promise<FinetuneEnd> => {
  const base = await openBase(plan.base);
  const config = withDropout(base.config, plan.dropout);
  checkPlan(plan, config);
  return await withPrepared(plan.task, base, (prepared) => use(prepared, config));
};

function checkPlan({ task, options }: FinetunePlan, config: BertConfig): void {
  requirePositions(task.settings.maxSeq, config);
  requirePrecision(defaultBackend(), options.precision ?? 'f32');
  const { freeze } = options;
  if (typeof freeze === 'number' && freeze > config.numHiddenLayers) {
    throw new ConfigError(`${freeze} layers cannot be frozen: the model has ${config.numHiddenLayers}`, {
      code: 'CONFIG-FREEZE',
      fix: `--freeze ${config.numHiddenLayers} at most, or --freeze encoder`,
    });
  }
}

/** Of examples and what the encoder reads of them, so that a resumed run can tell whether they are the same. */
const hashOf = <E, A>({ train, dev }: PreparedTask<E, A>): string =>
  sha256(new TextEncoder().encode(JSON.stringify([train.examples, dev.examples])));

interface Running<E, A> {
  readonly plan: FinetunePlan;
  readonly prepared: PreparedTask<E, A>;
  readonly config: BertConfig;
  /** Trials of earlier sittings. */
  readonly done: readonly TrialResult[];
}

async function inFolder<E, A>(folder: string, running: Running<E, A>, around: FinetuneAround): Promise<FinetuneEnd> {
  const note = slowerNote(defaultBackend(), running.plan.options.precision ?? 'f32');
  if (note !== null) around.warn(note);
  const release = await lockFolder(folder, around.warn);
  try {
    return await allTrials(folder, running, around);
  } finally {
    await release();
  }
}

async function allTrials<E, A>(folder: string, running: Running<E, A>, around: FinetuneAround): Promise<FinetuneEnd> {
  const { plan, prepared, config } = running;
  const trials = [...running.done];
  const { missing: fresh, unused } = fitOf(prepared, config);
  around.prepared({ ...prepared.about, said: prepared.said, fresh, unused });
  for (const lr of plan.rates) {
    for (const seed of plan.seeds) {
      if (trials.some((trial) => trial.lr === lr && trial.seed === seed)) continue;
      const place = join(folder, 'trials', trialName(lr, seed));
      const result = await oneTrial(place, running, { ...plan.options, lr, seed }, around);
      if (result === null) return { results: resultsOf(running, trials, fresh), reason: 'signal' };
      trials.push(result);
      if (bestTrial(trials) === result) await keepModel(folder, place);
      await writeFileAtomic(join(folder, RESULTS), `${JSON.stringify(resultsOf(running, trials, fresh), null, 1)}\n`);
      await disk.remove(join(place, 'checkpoints'));
    }
  }
  return { results: resultsOf(running, trials, fresh), reason: 'done' };
}

function fitOf<E, A>({ start }: PreparedTask<E, A>, config: BertConfig): WeightReport {
  const { model, ...report } = start(config, 0);
  model.dispose();
  return report;
}

function resultsOf<E, A>(
  { plan, prepared: { task, about, majority } }: Running<E, A>,
  trials: readonly TrialResult[],
  fresh: readonly string[],
): FinetuneResults {
  const best = bestTrial(trials);
  return {
    kind: task.kind,
    metric: Object.keys(best?.best.measures.values ?? {})[0] ?? '',
    base: plan.task.fromScratch ? 'random weights' : plan.base,
    ...about,
    majority,
    trials,
    summary: summarizeTrials(trials),
    kept: best === null ? null : { lr: best.lr, seed: best.seed },
    fresh,
  };
}

/** Puts the best checkpoint of a trial into the run folder itself, which then is a model folder. */
async function keepModel(folder: string, trial: string): Promise<void> {
  const { config, vocab, tokenizerConfig, weights } = await loadModelFolder(trial);
  const text = (json: object | null): string => `${JSON.stringify(json ?? {}, null, 2)}\n`;
  await writeFileAtomic(join(folder, 'config.json'), text(config));
  await writeFileAtomic(join(folder, 'vocab.txt'), vocab);
  await writeFileAtomic(join(folder, 'tokenizer_config.json'), text(tokenizerConfig));
  await writeFileAtomic(join(folder, 'model.safetensors'), safetensorsChunks(weights, { format: 'pt' }));
}

/** What a checkpoint of a trial keeps besides weights and moments. */
interface Saved {
  readonly state: TrialState;
  readonly points: readonly TrialPoint[];
  readonly seconds: number;
}

/** @returns null when it was stopped; the checkpoint then holds all of it */
async function oneTrial<E, A>(
  place: string,
  { prepared, config }: Running<E, A>,
  options: TrialOptions,
  around: FinetuneAround,
): Promise<TrialResult | null> {
  const { task, train, dev, start } = prepared;
  const trial = new Trial({ task, config, options, train, dev, start: (seed) => start(config, seed).model });
  try {
    const saved = await resumed(place, trial, around);
    const points = [...saved.points];
    const began = performance.now();
    const seconds = (): number => saved.seconds + (performance.now() - began) / 1000;
    const about = { lr: options.lr, seed: options.seed, totalSteps: trial.totalSteps };
    while (!trial.done) {
      const { loss } = await trial.step();
      around.step(about, { step: trial.state.step, loss });
      let better = false;
      if (trial.due) {
        const { better: is, ...point } = await trial.evaluate();
        better = is;
        points.push(point);
        around.point(about, { ...point, better });
      }
      await new Promise(setImmediate); // signals are heard between steps
      if (trial.due || around.stop.aborted) await save(place, trial, { points, seconds: seconds() }, better);
      if (around.stop.aborted) return null;
    }
    const { bestStep, step } = trial.state;
    const best = points.find((point) => point.step === bestStep) as TrialPoint;
    const stoppedEarly = step < trial.totalSteps;
    return { lr: options.lr, seed: options.seed, best, points, steps: step, seconds: seconds(), stoppedEarly };
  } finally {
    trial.dispose();
  }
}

async function save<E, A>(
  place: string,
  { model, optimizer, state, plan }: Trial<E, A>,
  rest: Omit<Saved, 'state'>,
  best: boolean,
): Promise<void> {
  const moments = new Map<string, TensorData>();
  for (const [name, { m, v }] of await optimizer.arena.moments()) {
    moments.set(`${transformersName(name)}.m`, { shape: [m.length], data: m });
    moments.set(`${transformersName(name)}.v`, { shape: [v.length], data: v });
  }
  const finite = Number.isFinite(state.best) ? state : { ...state, best: null };
  const files = await modelFiles(model, plan.task);
  await disk.makeFolder(place);
  await writeCheckpoint(
    place,
    { ...files, step: state.step, optimizer: moments, state: { state: finite, ...rest } },
    { best, keep: 1 },
  );
}

/** Puts the newest checkpoint of a trial back, if it has one. */
async function resumed<E, A>(place: string, trial: Trial<E, A>, around: FinetuneAround): Promise<Saved> {
  const found = await loadNewestCheckpoint(place, around.warn);
  if (found === null) return { state: trial.state, points: [], seconds: 0 };
  setWeights(trial.model, found.weights, found.folder);
  for (const [name, parameter] of trial.model.namedParameters()) {
    if (parameter.requiresGrad) trial.optimizer.arena.setMoments(name, ...momentsOf(found, name, parameter.size));
  }
  const saved = found.state as unknown as Saved;
  trial.restore({ ...saved.state, best: saved.state.best ?? Number.NEGATIVE_INFINITY });
  return saved;
}

function momentsOf({ optimizer, folder }: LoadedCheckpoint, name: string, size: number): [Float32Array, Float32Array] {
  const [m, v] = ['m', 'v'].map((moment) => optimizer.get(`${transformersName(name)}.${moment}`)?.data);
  if (m instanceof Float32Array && v instanceof Float32Array && m.length === size && v.length === size) return [m, v];
  throw new CheckpointError(`the moments of "${transformersName(name)}" are missing or of another size`, {
    code: 'CHECKPOINT-TENSORS',
    where: join(folder, 'optimizer.safetensors'),
    fix: 'the checkpoint must stem from this very run',
  });
}

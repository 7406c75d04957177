import { scope } from '../../autograd/scope.js';
import { backward } from '../../autograd/tape.js';
import type { BertConfig } from '../../bert/config.js';
import type { HeadModel } from '../../bert/heads/head-model.js';
import { NumericError } from '../../core/errors.js';
import { Rng, STREAM } from '../../core/random.js';
import { trainingPass } from '../../nn/pass.js';
import { usePrecision } from '../../nn/precision.js';
import { AdamW, type AdamWForm } from '../optimizer.js';
import type { TrainingPrecision } from '../options.js';
import { learningRate, type ScheduleName } from '../schedule.js';
import { inputOf, tokensOf } from './batch.js';
import { evaluate } from './infer.js';
import { type Freeze, freeze, layerRates } from './rates.js';
import type { Feature, Measures, Task } from './task.js';

/** What decides the course of a trial, number for number. */
export interface TrialOptions {
  readonly epochs: number;
  /** Features of an update. */
  readonly batch: number;
  readonly lr: number;
  /** Share of the steps. */
  readonly warmup: number;
  readonly schedule: ScheduleName;
  readonly optimizer: AdamWForm;
  readonly weightDecay: number;
  /** Global norm; 0: never. */
  readonly clip: number;
  /** Rate of a layer as a share of that of the layer above; 1: all the same. */
  readonly layerDecay: number;
  readonly freeze: Freeze;
  /** Steps between evaluations; 0: once an epoch. */
  readonly evalEvery: number;
  /** Evaluations without a better one after which to stop; 0: never. */
  readonly patience: number;
  /** Of products; weights, gradients and moments stay f32. Absent, as in runs of earlier versions: f32. */
  readonly precision?: TrainingPrecision;
  /** Of the head's weights, the order of examples and dropout. */
  readonly seed: number;
}

/** An evaluation on the development set while training. */
export interface TrialPoint {
  readonly step: number;
  readonly epoch: number;
  /** Mean over the steps since the last evaluation. */
  readonly trainLoss: number;
  readonly devLoss: number;
  readonly measures: Measures;
}

/** What of a trial changes from step to step, besides weights and moments. */
export interface TrialState {
  step: number;
  updates: number;
  tokens: number;
  /** Steps in a row whose gradient was not finite. */
  skipped: number;
  /** Best value of the first metric, and the step it was met at. */
  best: number;
  bestStep: number;
  /** Evaluations since. */
  waited: number;
  /** Sum of training losses since the last evaluation, and their number. */
  lossSum: number;
  lossSteps: number;
}

/** Examples of a task and the features made of them. */
export interface TaskData<E> {
  readonly examples: readonly E[];
  readonly features: readonly Feature[];
}

export interface TrialPlan<E, A> {
  readonly task: Task<E, A>;
  readonly config: BertConfig;
  readonly options: TrialOptions;
  readonly train: TaskData<E>;
  readonly dev: TaskData<E>;
  /** Makes the model that the trial begins with. */
  start(seed: number): HeadModel<unknown>;
}

/** Broken steps in a row that end a trial. */
const MOST_BROKEN = 3;

/** One fine-tuning: a model, a seed, a learning rate. The batch of a step depends on the step alone. */
export class Trial<E, A> {
  readonly model: HeadModel<unknown>;
  readonly optimizer: AdamW;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly state: TrialState = {
    step: 0,
    updates: 0,
    tokens: 0,
    skipped: 0,
    best: Number.NEGATIVE_INFINITY,
    bestStep: 0,
    waited: 0,
    lossSum: 0,
    lossSteps: 0,
  };
  private order: { readonly epoch: number; readonly ids: Uint32Array } | null = null;

  constructor(readonly plan: TrialPlan<E, A>) {
    const { config, options, train } = plan;
    this.model = plan.start(options.seed);
    usePrecision(this.model, options.precision ?? 'f32');
    freeze(this.model, config, options.freeze);
    const { optimizer: form, weightDecay, clip } = options;
    const adamw = { form, weightDecay, maxNorm: clip === 0 ? Number.POSITIVE_INFINITY : clip };
    this.optimizer = new AdamW(this.model, adamw, layerRates(config, options.layerDecay));
    this.stepsPerEpoch = Math.ceil(train.features.length / options.batch);
    this.totalSteps = options.epochs * this.stepsPerEpoch;
  }

  /** Puts a saved state in place of the present one; weights and moments are the caller's. */
  restore(state: TrialState): void {
    Object.assign(this.state, state);
    this.optimizer.updates = state.updates;
  }

  get done(): boolean {
    const { patience } = this.plan.options;
    return this.state.step >= this.totalSteps || (patience > 0 && this.state.waited >= patience);
  }

  /** Whether the step just made ends in an evaluation. */
  get due(): boolean {
    const every = this.plan.options.evalEvery || this.stepsPerEpoch;
    return this.state.step % every === 0 || this.state.step === this.totalSteps;
  }

  private batchAt(step: number): Feature[] {
    const { options, train } = this.plan;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    if (this.order?.epoch !== epoch) {
      const ids = Uint32Array.from(train.features.keys());
      this.order = { epoch, ids: new Rng(options.seed, STREAM.order, epoch).shuffle(ids) };
    }
    const from = (step % this.stepsPerEpoch) * options.batch;
    return Array.from(this.order.ids.subarray(from, from + options.batch), (i) => train.features[i]);
  }

  /** One update. @returns its loss @throws {NumericError} several in a row that are not finite */
  async step(): Promise<{ readonly loss: number; readonly lr: number; readonly gradNorm: number }> {
    const { task, options } = this.plan;
    const { state } = this;
    const features = this.batchAt(state.step);
    const input = inputOf(features);
    const lr = this.rate;
    this.optimizer.clearGradients();
    const loss = scope(() => {
      const logits = this.model.forward(input, trainingPass(options.seed, state.step));
      const mean = this.model.loss(logits, task.targets(features, input, task.weight(features))).keep();
      backward(mean);
      return mean;
    });
    const gradNorm = await this.optimizer.step(lr);
    const value = await loss.item();
    loss.dispose();
    const finite = Number.isFinite(gradNorm) && Number.isFinite(value);
    state.step++;
    state.updates = this.optimizer.updates;
    state.tokens += features.reduce((sum, feature) => sum + tokensOf(feature), 0);
    state.skipped = finite ? 0 : state.skipped + 1;
    if (state.skipped >= MOST_BROKEN) throw broken(state.step, options.lr);
    if (finite) {
      state.lossSum += value;
      state.lossSteps++;
    }
    return { loss: value, lr, gradNorm };
  }

  private get rate(): number {
    const { lr: peak, warmup, schedule: name } = this.plan.options;
    const warmupSteps = Math.round(warmup * this.totalSteps);
    return learningRate({ name, peak, warmupSteps, totalSteps: this.totalSteps }, this.state.step);
  }

  /** Measures the model on the development set, and whether it is the best so far. */
  async evaluate(): Promise<TrialPoint & { readonly better: boolean }> {
    const { task, dev } = this.plan;
    const { state } = this;
    const { loss, measures } = await evaluate(this.model, task, dev.examples, dev.features);
    const [value] = Object.values(measures.values);
    const better = value > state.best;
    if (better) {
      state.best = value;
      state.bestStep = state.step;
    }
    state.waited = better ? 0 : state.waited + 1;
    const trainLoss = state.lossSum / Math.max(1, state.lossSteps);
    state.lossSum = 0;
    state.lossSteps = 0;
    const epoch = state.step / this.stepsPerEpoch;
    return { step: state.step, epoch, trainLoss, devLoss: loss, measures, better };
  }

  dispose(): void {
    this.optimizer.dispose();
    this.model.dispose();
  }
}

const broken = (step: number, lr: number): NumericError =>
  new NumericError(`fine-tuning: the loss or a gradient was not finite in ${MOST_BROKEN} steps in a row`, {
    code: 'TRAIN-NAN',
    where: `step ${step}, learning rate ${lr}`,
    fix: 'use a lower --lr or a longer --warmup; evaluations and checkpoints from before stay as they are',
  });

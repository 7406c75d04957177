import { Recordings } from '../autograd/recordings.js';
import type { Buf } from '../backend/backend.js';
import type { BertForPreTraining } from '../bert/pretraining.js';
import type { PretrainBatch } from '../data/batch.js';
import { usePrecision } from '../nn/precision.js';
import { firstNonFinite } from './detective.js';
import type { EvalMetrics } from './events.js';
import { flopsPerStep } from './flops.js';
import { AdamW, type AdamWOptions } from './optimizer.js';
import type { TrainingPrecision } from './options.js';
import { learningRate, type Schedule } from './schedule.js';
import {
  evaluateBatches,
  type LossSums,
  type Packing,
  PreparedStep,
  READING_COUNT,
  type StepKeys,
  sumReadings,
} from './step.js';

/** Where batches come from. The batch of a step depends on the step alone, so a run can go on from anywhere. */
export interface TrainingData {
  /** The whole batch of update `step`, counted from 0. */
  batchAt(step: number): PretrainBatch;
  /** Held-back documents with fixed masks; empty when nothing was held back. */
  evalBatches(): Iterable<PretrainBatch>;
}

export interface TrainerOptions {
  /** Of dropout; data and initial weights have it from elsewhere. */
  readonly seed: number;
  readonly packing: Packing;
  /** Of products, forward and backward; absent: f32. */
  readonly precision?: TrainingPrecision;
  /** Parts a batch is computed in, one after the other; the result is that of the whole batch. */
  readonly accumulate: number;
  readonly schedule: Schedule;
  readonly adamw: Partial<AdamWOptions>;
}

/** What one step measured. */
export interface StepOutcome extends LossSums {
  readonly lr: number;
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: number;
  readonly flops: number;
  /** What broke first when the loss or a gradient was not finite: the weights are then as before. */
  readonly broken: string | null;
}

/** Everything of a run that changes from step to step, besides the weights and moments. */
export interface TrainState {
  /** Steps done, skipped ones included: the next batch is that of this number. */
  step: number;
  /** Tokens seen, padding not counted. */
  tokens: number;
  /** Updates made: the t of AdamW's bias correction. */
  updates: number;
  /** Skipped steps in a row. */
  skipped: number;
}

/** A model in training: one batch at a time, forward, backward, update. Knows nothing of files and people. */
export class Trainer {
  readonly optimizer: AdamW;
  private readonly recordings: Recordings;
  /** What the parts of a step leave for reading. */
  private readonly results: Buf;
  readonly state: TrainState = { step: 0, tokens: 0, updates: 0, skipped: 0 };

  constructor(
    readonly model: BertForPreTraining,
    readonly data: TrainingData,
    readonly options: TrainerOptions,
  ) {
    this.optimizer = new AdamW(model, options.adamw);
    usePrecision(model, options.precision ?? 'f32');
    const { backend } = this.optimizer.arena;
    this.recordings = new Recordings(backend);
    this.results = backend.alloc(READING_COUNT * Math.max(1, options.accumulate), backend.float);
  }

  /** Puts a saved state in place of the present one. */
  restore(state: TrainState): void {
    Object.assign(this.state, state);
    this.optimizer.updates = state.updates;
  }

  async step(): Promise<StepOutcome> {
    const { state, options } = this;
    const { step } = state;
    const parts = splitBatch(this.data.batchAt(step), options.accumulate);
    const keys = { seed: options.seed, step, packing: options.packing };
    const lr = learningRate(options.schedule, step);
    const sums = await this.update(parts, keys, lr);
    const gradNorm = await this.optimizer.finish();
    const finite = Number.isFinite(gradNorm) && Number.isFinite(sums.mlmLoss + sums.sentenceLoss);
    const broken = finite ? null : await this.whatBroke(parts, keys);
    state.step++;
    state.tokens += sums.tokens;
    state.updates = this.optimizer.updates;
    state.skipped = finite ? 0 : state.skipped + 1;
    return { ...sums, lr, gradNorm, flops: this.flopsOf(parts), broken };
  }

  /** Gradients and update of one batch: from a recording where its shapes have been met before. */
  private async update(parts: readonly PretrainBatch[], keys: StepKeys, lr: number): Promise<LossSums> {
    const { model, optimizer, results } = this;
    const prepared = new PreparedStep(parts, keys);
    const rates = optimizer.rates(lr);
    const body = (): void => {
      optimizer.clearGradients();
      prepared.enqueue(model, results);
      optimizer.enqueue(rates);
    };
    // A gradient is not there before the walk back comes to it: until then, activations of later layers may be.
    const lent = [optimizer.arena.grads];
    this.recordings.run(prepared.key, prepared.arrays, { step: keys.step, ...rates }, body, lent);
    return sumReadings(await this.optimizer.arena.backend.read(results), parts);
  }

  private async whatBroke(parts: readonly PretrainBatch[], keys: StepKeys): Promise<string> {
    this.optimizer.clearGradients(); // what broke is in them
    return (await firstNonFinite(this.model, parts, keys)) ?? 'the sum of all gradients';
  }

  /** Loss and accuracy on the held-back documents; null when there are none. */
  async evaluate(): Promise<EvalMetrics | null> {
    const sums = await evaluateBatches(this.model, this.data.evalBatches(), this.options.packing);
    if (sums.tokens === 0) return null;
    return {
      step: this.state.step,
      eval: true,
      eval_masked_lm_loss: sums.mlmLoss,
      eval_masked_lm_accuracy: sums.maskedHits / Math.max(1, sums.masked),
      eval_next_sentence_loss: sums.sentenceLoss,
      eval_next_sentence_accuracy: sums.sentenceHits / Math.max(1, sums.labelled),
    };
  }

  private flopsOf(parts: readonly PretrainBatch[]): number {
    const { config } = this.model;
    return parts.reduce((sum, { lengths, maskedLabels }) => {
      return sum + flopsPerStep(config, { lengths, masked: maskedLabels.length });
    }, 0);
  }

  dispose(): void {
    this.recordings.dispose();
    this.optimizer.arena.backend.free(this.results);
    this.optimizer.dispose();
    this.model.dispose();
  }
}

/** Cuts a batch into `count` parts of sequences, as even as they go; the parts keep the padded length. */
export function splitBatch(whole: PretrainBatch, count: number): PretrainBatch[] {
  if (count <= 1) return [whole];
  const parts: PretrainBatch[] = [];
  for (let part = 0; part < Math.min(count, whole.batch); part++) {
    const from = Math.floor((part * whole.batch) / Math.min(count, whole.batch));
    const to = Math.floor(((part + 1) * whole.batch) / Math.min(count, whole.batch));
    parts.push(sequencesOf(whole, from, to));
  }
  return parts;
}

function sequencesOf({ seq, ...whole }: PretrainBatch, from: number, to: number): PretrainBatch {
  const [first, end] = [from * seq, to * seq];
  const inside = Array.from(whole.maskedPositions.keys()).filter((i) => {
    return whole.maskedPositions[i] >= first && whole.maskedPositions[i] < end;
  });
  return {
    batch: to - from,
    seq,
    inputIds: whole.inputIds.subarray(first, end),
    tokenTypeIds: whole.tokenTypeIds.subarray(first, end),
    lengths: whole.lengths.subarray(from, to),
    maskedPositions: Int32Array.from(inside, (i) => whole.maskedPositions[i] - first),
    maskedLabels: Int32Array.from(inside, (i) => whole.maskedLabels[i]),
    sentenceLabels: whole.sentenceLabels.subarray(from, to),
  };
}

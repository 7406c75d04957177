import type { Precision } from '../backend/backend.js';
import type { BertConfig } from '../bert/config.js';
import { ConfigError } from '../core/errors.js';
import type { PretrainDataOptions, SpecialIds } from '../data/dataset.js';
import type { AdamWForm } from './optimizer.js';
import type { Schedule, ScheduleName } from './schedule.js';
import type { Packing } from './step.js';

/** What a model can be trained in. */
export type TrainingPrecision = Exclude<Precision, 'int8'>;

/** How sequences are drawn from a corpus, besides their number, length and seed. */
export type DataOptions = Omit<PretrainDataOptions, 'vocab' | 'seed' | 'batch' | 'maxSeq'>;

/** What decides the course of a run, number for number; kept in run.json, and fixed for all its sessions. */
export interface PretrainOptions {
  readonly data: DataOptions;
  readonly steps: number;
  /** Sequences of one update. */
  readonly batch: number;
  readonly accumulate: number;
  readonly maxSeq: number;
  /**
   * A first part on shorter sequences of text without pairs, as many tokens a step; null: none. What is near is learnt
   * there many times sooner: a word among 16 that are averaged weighs more than among 128. BERT itself was trained on
   * 128 tokens for 90 % of its steps and on 512 then (Devlin et al. 2019, App. A.2).
   */
  readonly firstPart: { readonly maxSeq: number; readonly steps: number } | null;
  /** Highest learning rate. */
  readonly lr: number;
  readonly warmupSteps: number;
  readonly schedule: ScheduleName;
  readonly optimizer: AdamWForm;
  readonly weightDecay: number;
  /** Global norm to which gradients are clipped; 0: never. */
  readonly clip: number;
  readonly seed: number;
  readonly packing: Packing;
  /** Of products; weights, gradients and moments stay f32. */
  readonly precision: TrainingPrecision;
  /** `unigram`: the decoder's bias starts at the log frequency of each token, a plateau less to climb down from. */
  readonly biasInit: 'zero' | 'unigram';
}

/** How often a run looks up and saves; may differ from session to session without changing its course. */
export interface Intervals {
  readonly evalEvery: number;
  readonly sampleEvery: number;
  readonly saveEvery: number;
}

/**
 * A rate that leaves the plateau at unigram entropy: 2e-3 at width 128, falling with the width, and google's 1e-4 above
 * width 512 (run_pretraining.py's own 5e-5 to 1e-4 never leave it in a small model's lifetime).
 */
export const defaultRate = ({ hiddenSize }: BertConfig): number => (hiddenSize <= 512 ? 0.256 / hiddenSize : 1e-4);

/** A warm-up given as a share of the run (below 1) or as a number of steps. */
export const warmupSteps = (warmup: number, steps: number): number => Math.round(warmup < 1 ? warmup * steps : warmup);

/** About forty looks and ten checkpoints a run. */
export function defaultIntervals(steps: number): Intervals {
  const evalEvery = Math.max(10, Math.round(steps / 40));
  return { evalEvery, sampleEvery: 2 * evalEvery, saveEvery: 4 * evalEvery };
}

/** What the dataset is to make of a corpus. */
export const dataOptions = (options: PretrainOptions, vocab: SpecialIds): PretrainDataOptions => ({
  ...options.data,
  vocab,
  seed: options.seed,
  batch: options.batch,
  maxSeq: options.maxSeq,
});

/** The same for the first part of a run, which asks for no pairs. */
export function firstDataOptions(options: PretrainOptions, vocab: SpecialIds): PretrainDataOptions | null {
  if (options.firstPart === null) return null;
  const { maxSeq } = options.firstPart;
  const { maxPredictions: _, ...data } = options.data;
  const batch = Math.round((options.batch * options.maxSeq) / maxSeq);
  return { ...data, vocab, seed: options.seed, batch, maxSeq, sentenceTask: 'none' };
}

export const scheduleOf = ({ schedule, lr, warmupSteps: warmup, steps }: PretrainOptions): Schedule => ({
  name: schedule,
  peak: lr,
  warmupSteps: warmup,
  totalSteps: steps,
});

/** The norm gradients are clipped to: an option of 0 means never. */
export const clipNorm = ({ clip }: PretrainOptions): number => (clip === 0 ? Number.POSITIVE_INFINITY : clip);

/** @throws {ConfigError} options that contradict one another or the model */
export function checkOptions(options: PretrainOptions, config: BertConfig): void {
  const { maxSeq, accumulate, batch, warmupSteps: warmup, steps, firstPart } = options;
  if (firstPart !== null && (firstPart.maxSeq >= maxSeq || firstPart.steps >= steps)) {
    throw new ConfigError(
      `a first part of ${firstPart.steps} steps on ${firstPart.maxSeq} tokens is no part of ${steps} steps on ${maxSeq}`,
      {
        code: 'CONFIG-FIRST-PART',
        fix: '--first-seq must be below --max-seq, --first-share below 1',
      },
    );
  }
  if (maxSeq > config.maxPositionEmbeddings) {
    throw new ConfigError(
      `sequences of ${maxSeq} tokens, but the model has ${config.maxPositionEmbeddings} positions`,
      {
        code: 'CONFIG-POSITIONS',
        fix: `--max-seq ${config.maxPositionEmbeddings}, or a config.json with more max_position_embeddings`,
      },
    );
  }
  if (accumulate > batch) {
    throw new ConfigError(`a batch of ${batch} sequences cannot be cut into ${accumulate} parts`, {
      code: 'CONFIG-ACCUMULATE',
      fix: `--accumulate ${batch} at most`,
    });
  }
  if (warmup > steps) {
    throw new ConfigError(`a warm-up of ${warmup} steps is longer than the run of ${steps}`, {
      code: 'CONFIG-WARMUP',
      fix: '--warmup takes a share below 1, or a number of steps',
    });
  }
}

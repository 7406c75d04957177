import type { Precision } from '../backend/backend.js';
import { preset } from '../bert/config.js';
import { inferred } from '../bert/infer.js';
import { packedInput } from '../bert/input.js';
import { BertForPreTraining } from '../bert/pretraining.js';
import { Rng } from '../core/random.js';
import type { PretrainBatch } from '../data/batch.js';
import { usePrecision } from '../nn/precision.js';
import { flopsPerStep, fullShape } from '../train/flops.js';
import type { TrainingPrecision } from '../train/options.js';
import { Trainer } from '../train/trainer.js';
import type { Child } from './child.js';
import { randomBatch } from './random-batch.js';

/** What of a model is measured. */
export interface ModelWork {
  readonly kind: 'train' | 'infer';
  /** "tiny" .. "base" */
  readonly model: string;
  readonly batch: number;
  readonly seq: number;
  readonly vocab: number;
}

/** A model in a process of its own: ours, or a peer's. */
export interface ModelSide {
  readonly name: string;
  readonly runsOn: string;
  readonly threads: number;
  /** Its first line says what it runs on and, where its weights are ours, what it computed. */
  readonly child: Child;
}

/** A piece of work on the default backend, ready to be called again and again. */
export interface PreparedModel {
  /** Multiply-adds count as two. */
  readonly flops: number;
  call(): Promise<void>;
  /** Training: the loss of the last step. Inference: the hidden state of the first token. */
  sample(): readonly number[];
  dispose(): void;
}

/** Random ids have a stream of their own. */
const STREAM_BATCH = 912;

/** The batch that all work on: random ids, all sequences full. */
export const batchOf = ({ batch, seq, vocab }: Pick<ModelWork, 'batch' | 'seq' | 'vocab'>): PretrainBatch =>
  randomBatch(new Rng(1, STREAM_BATCH), { batch, seq, vocab });

/** How a trainer gets its batches, where not one of full sequences, end to end. */
export interface TrainerOptions {
  /** In turn. */
  readonly batches?: readonly PretrainBatch[];
  readonly packing?: 'packed' | 'padded';
  readonly precision?: TrainingPrecision;
}

/** A trainer on one batch of random ids, all sequences full, or on others; weights by seed 0. */
export function trainerOf(work: ModelWork, options: TrainerOptions = {}): Trainer {
  const { model, vocab } = work;
  const { batches = [batchOf(work)], packing = 'packed', precision = 'f32' } = options;
  const schedule = { name: 'constant', peak: 1e-4, warmupSteps: 0, totalSteps: 1e6 } as const;
  return new Trainer(
    new BertForPreTraining(preset(model, { vocabSize: vocab }), { seed: 0 }),
    { batchAt: (step) => batches[step % batches.length] as PretrainBatch, evalBatches: () => [] },
    { seed: 0, packing, precision, accumulate: 1, schedule, adamw: {} },
  );
}

async function training(work: ModelWork): Promise<PreparedModel> {
  const trainer = trainerOf(work);
  const first = await trainer.step();
  return {
    flops: first.flops,
    call: async () => void (await trainer.step()),
    sample: () => [first.mlmLoss + first.sentenceLoss],
    dispose: () => trainer.dispose(),
  };
}

/** Operations of an encoder and its pooler, every token read; a step's are three times those of its forward pass. */
const inferenceFlops = ({ model, batch, seq, vocab }: ModelWork): number =>
  flopsPerStep(preset(model, { vocabSize: vocab }), fullShape(batch, seq, 0), 'whole') / 3;

/** The encoder that training starts from, with its pooler. */
export const encoderOf = ({ model, vocab }: ModelWork): BertForPreTraining =>
  new BertForPreTraining(preset(model, { vocabSize: vocab }), { seed: 0 });

/** The ids of an inference: those that training sees. */
export const idsOf = (work: ModelWork): Int32Array => batchOf(work).inputIds;

/** The encoder and its pooler, products in so many bits. */
export async function inferring(work: ModelWork, precision: Precision = 'f32'): Promise<PreparedModel> {
  const { batch, seq } = work;
  const { bert } = encoderOf(work);
  usePrecision(bert, precision, { frozen: true }); // as every predictor of the library does
  const lengths = new Int32Array(batch).fill(seq);
  const inputIds = idsOf(work);
  const input = packedInput({ batch, seq, inputIds, tokenTypeIds: new Int32Array(batch * seq), lengths });
  let last: readonly number[] = [];
  const call = async (): Promise<void> => {
    const [values] = await inferred(bert, bert, 'forward', input, (pass) => {
      const { hidden, pooled } = bert.forward(input, pass);
      return [hidden, pooled];
    });
    last = Array.from(values.subarray(0, values.length / (batch * seq)));
  };
  await call();
  return { flops: inferenceFlops(work), call, sample: () => last, dispose: () => bert.dispose() };
}

/** Builds a model on the default backend and calls it once. */
export const prepareModel = (work: ModelWork): Promise<PreparedModel> =>
  work.kind === 'train' ? training(work) : inferring(work);

import { noGrad } from '../autograd/apply.js';
import { scope } from '../autograd/scope.js';
import { backward } from '../autograd/tape.js';
import { type BertInput, packedInput, packedPositions, paddedInput } from '../bert/input.js';
import type { BertForPreTraining, PretrainingLoss, PretrainingTargets } from '../bert/pretraining.js';
import type { PretrainBatch } from '../data/batch.js';
import { inference, type Pass, trainingPass } from '../nn/pass.js';

/** Sums over a batch, or over the micro-batches of one. */
export interface LossSums {
  /** Mean over masked tokens of the whole batch. */
  mlmLoss: number;
  sentenceLoss: number;
  maskedHits: number;
  sentenceHits: number;
  masked: number;
  labelled: number;
  tokens: number;
}

const labelled = (batch: PretrainBatch): number =>
  batch.sentenceLabels.reduce((n, label) => n + (label < 0 ? 0 : 1), 0);
const tokensOf = (batch: PretrainBatch): number => batch.lengths.reduce((n, length) => n + length, 0);

/** How batches reach the encoder: with their padding, or without it. */
export type Packing = 'packed' | 'padded';

interface Prepared {
  readonly input: BertInput;
  readonly targets: PretrainingTargets;
}

function prepare(batch: PretrainBatch, packing: Packing, totals: { masked: number; labelled: number }): Prepared {
  const input = packing === 'packed' ? packedInput(batch) : paddedInput(batch);
  const { maskedPositions, maskedLabels, sentenceLabels } = batch;
  return {
    input,
    targets: {
      maskedPositions: packing === 'packed' ? packedPositions(batch, input, maskedPositions) : maskedPositions,
      maskedLabels,
      sentenceLabels,
      maskedTotal: totals.masked,
      sentenceTotal: totals.labelled,
    },
  };
}

/** Tensors a step leaves for reading, [1] each. */
type Readings = Omit<PretrainingLoss, 'loss'>;

/** Losses and hits of one micro-batch; gradients are added to the parameters' when the pass trains. */
function run(model: BertForPreTraining, { input, targets }: Prepared, pass: Pass): Readings {
  return scope(() => {
    const { loss, ...readings } = model.loss(input, targets, pass);
    for (const value of Object.values(readings)) value.keep();
    if (pass.training) backward(loss);
    return readings;
  });
}

async function collect(sums: LossSums, readings: Readings, batch: PretrainBatch): Promise<void> {
  const keys = ['mlmLoss', 'sentenceLoss', 'maskedHits', 'sentenceHits'] as const;
  const values = await Promise.all(keys.map((key) => readings[key].item()));
  for (const [i, key] of keys.entries()) {
    sums[key] += values[i];
    readings[key].dispose();
  }
  sums.masked += batch.maskedLabels.length;
  sums.labelled += labelled(batch);
  sums.tokens += tokensOf(batch);
}

const nothing = (): LossSums => ({
  mlmLoss: 0,
  sentenceLoss: 0,
  maskedHits: 0,
  sentenceHits: 0,
  masked: 0,
  labelled: 0,
  tokens: 0,
});

/** Which random numbers a step draws, and how its batches reach the encoder. */
export interface StepKeys {
  readonly seed: number;
  readonly step: number;
  readonly packing: Packing;
}

/**
 * Forward and backward of one global batch, given as micro-batches: gradients add up in the parameters.
 * @param seed, step key of the dropout masks; micro-batches continue one another's numbers
 */
export async function accumulateGradients(
  model: BertForPreTraining,
  parts: readonly PretrainBatch[],
  { seed, step, packing }: StepKeys,
): Promise<LossSums> {
  const totals = { masked: 0, labelled: 0 };
  for (const part of parts) {
    totals.masked += part.maskedLabels.length;
    totals.labelled += labelled(part);
  }
  const sums = nothing();
  const first = { row: 0, sequence: 0 };
  for (const part of parts) {
    const prepared = prepare(part, packing, totals);
    await collect(sums, run(model, prepared, trainingPass(seed, step, { ...first })), part);
    first.row += prepared.input.rows;
    first.sequence += part.batch;
  }
  return sums;
}

/** Losses and accuracies of batches, without gradients and dropout, each token weighing the same. */
export async function evaluateBatches(
  model: BertForPreTraining,
  batches: Iterable<PretrainBatch>,
  packing: Packing,
): Promise<LossSums> {
  const sums = nothing();
  for (const batch of batches) {
    const part = nothing();
    const totals = { masked: batch.maskedLabels.length, labelled: labelled(batch) };
    const readings = noGrad(() => run(model, prepare(batch, packing, totals), inference()));
    await collect(part, readings, batch);
    sums.mlmLoss += part.mlmLoss * totals.masked;
    sums.sentenceLoss += part.sentenceLoss * totals.labelled;
    for (const key of ['maskedHits', 'sentenceHits', 'masked', 'labelled', 'tokens'] as const) sums[key] += part[key];
  }
  sums.mlmLoss /= Math.max(1, sums.masked);
  sums.sentenceLoss /= Math.max(1, sums.labelled);
  return sums;
}

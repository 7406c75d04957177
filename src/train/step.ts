import { noGrad } from '../autograd/apply.js';
import { scope } from '../autograd/scope.js';
import { backward } from '../autograd/tape.js';
import type { Buf } from '../backend/backend.js';
import { type BertInput, packedInput, packedPositions, paddedInput } from '../bert/input.js';
import type { BertForPreTraining, PretrainingTargets } from '../bert/pretraining.js';
import { type ReadRows, readRows } from '../bert/read-rows.js';
import type { TypedData } from '../core/dtype.js';
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
  readonly reads: ReadRows;
}

function prepare(batch: PretrainBatch, packing: Packing, totals: { masked: number; labelled: number }): Prepared {
  const input = packing === 'packed' ? packedInput(batch) : paddedInput(batch);
  const { maskedLabels, sentenceLabels } = batch;
  const maskedPositions =
    packing === 'packed' ? packedPositions(batch, input, batch.maskedPositions) : batch.maskedPositions;
  const reads = readRows(input, maskedPositions);
  const sums = { maskedTotal: totals.masked, sentenceTotal: totals.labelled };
  return { input, reads, targets: { maskedPositions, maskedLabels, sentenceLabels, ...sums, reads } };
}

/** What a part of a step leaves for reading, in this order, a number each. */
const READINGS = ['mlmLoss', 'sentenceLoss', 'maskedHits', 'sentenceHits'] as const;
/** Numbers that a part leaves. */
export const READING_COUNT = READINGS.length;

/** Losses and hits of one micro-batch into `results`; gradients reach the parameters when the pass trains. */
function runPart(model: BertForPreTraining, { input, targets }: Prepared, pass: Pass, results: Buf, at: number): void {
  scope(() => {
    const outcome = model.loss(input, targets, pass);
    const { kernels } = outcome.loss.backend;
    for (const [i, key] of READINGS.entries()) {
      kernels.copy(outcome[key].buf, results, [1], { offset: 0, strides: [1] }, { offset: at + i, strides: [1] });
    }
    if (pass.training) backward(outcome.loss);
  });
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

/** Sums of what the parts have left. */
export function sumReadings(values: ArrayLike<number>, parts: readonly PretrainBatch[]): LossSums {
  const sums = nothing();
  for (const [part, batch] of parts.entries()) {
    for (const [i, key] of READINGS.entries()) sums[key] += values[part * READING_COUNT + i];
    sums.masked += batch.maskedLabels.length;
    sums.labelled += labelled(batch);
    sums.tokens += tokensOf(batch);
  }
  return sums;
}

/** Which random numbers a step draws, and how its batches reach the encoder. */
export interface StepKeys {
  readonly seed: number;
  readonly step: number;
  readonly packing: Packing;
}

/** One global batch, given as micro-batches, ready for the model. */
export class PreparedStep {
  private readonly parts: readonly Prepared[];

  constructor(
    batches: readonly PretrainBatch[],
    private readonly keys: StepKeys,
  ) {
    const totals = { masked: 0, labelled: 0 };
    for (const batch of batches) {
      totals.masked += batch.maskedLabels.length;
      totals.labelled += labelled(batch);
    }
    this.parts = batches.map((batch) => prepare(batch, keys.packing, totals));
  }

  /** Everything that decides which kernels run, besides content: steps of one key differ in what is in their arrays. */
  get key(): string {
    const sizes = this.parts.map(({ input, targets, reads }) => [
      ...[input.rows, input.sequences, input.maxSeq, reads.rows.length],
      ...[targets.maskedLabels.length, targets.maskedTotal, targets.sentenceTotal],
    ]);
    return `${this.keys.seed} ${sizes.join(' ')}`;
  }

  /** All arrays that the model may upload. */
  get arrays(): TypedData[] {
    return this.parts.flatMap((part) =>
      Object.values(part).flatMap((group: object) => Object.values(group).filter((value) => ArrayBuffer.isView(value))),
    ) as TypedData[];
  }

  /**
   * Forward and backward, part after part: gradients add up in the parameters.
   * @param results receives `READING_COUNT` numbers a part
   */
  enqueue(model: BertForPreTraining, results: Buf): void {
    const { seed, step } = this.keys;
    const first = { row: 0, sequence: 0 };
    for (const [i, part] of this.parts.entries()) {
      runPart(model, part, trainingPass(seed, step, { ...first }), results, i * READING_COUNT);
      first.row += part.input.rows;
      first.sequence += part.input.sequences;
    }
  }
}

/** Forward and backward of one global batch, given as micro-batches: gradients add up in the parameters. */
export async function accumulateGradients(
  model: BertForPreTraining,
  parts: readonly PretrainBatch[],
  keys: StepKeys,
): Promise<LossSums> {
  const { backend } = model.mlm.bias;
  const results = backend.alloc(parts.length * READING_COUNT, backend.float);
  try {
    new PreparedStep(parts, keys).enqueue(model, results);
    return sumReadings(await backend.read(results), parts);
  } finally {
    backend.free(results);
  }
}

/** Losses and accuracies of batches, without gradients and dropout, each token weighing the same. */
export async function evaluateBatches(
  model: BertForPreTraining,
  batches: Iterable<PretrainBatch>,
  packing: Packing,
): Promise<LossSums> {
  const { backend } = model.mlm.bias;
  const results = backend.alloc(READING_COUNT, backend.float);
  const sums = nothing();
  for (const batch of batches) {
    const totals = { masked: batch.maskedLabels.length, labelled: labelled(batch) };
    noGrad(() => runPart(model, prepare(batch, packing, totals), inference(), results, 0));
    const part = sumReadings(await backend.read(results), [batch]);
    sums.mlmLoss += part.mlmLoss * totals.masked;
    sums.sentenceLoss += part.sentenceLoss * totals.labelled;
    for (const key of ['maskedHits', 'sentenceHits', 'masked', 'labelled', 'tokens'] as const) sums[key] += part[key];
  }
  backend.free(results);
  sums.mlmLoss /= Math.max(1, sums.masked);
  sums.sentenceLoss /= Math.max(1, sums.labelled);
  return sums;
}

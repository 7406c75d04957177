import { join } from 'node:path';
import type { Choice } from '../backend/select.js';
import { type BertConfig, configToJson } from '../bert/config.js';
import { transformersName } from '../bert/names.js';
import { BertForPreTraining } from '../bert/pretraining.js';
import { summarize } from '../bert/summary.js';
import { CheckpointError } from '../core/errors.js';
import type { TokenCorpus } from '../core/token-corpus.js';
import type { DataCard } from '../data/card.js';
import { PretrainDataset } from '../data/dataset.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { tokenizerConfigJson } from '../data/tokenizer-config.js';
import { type LoadedCheckpoint, writeCheckpoint } from '../io/checkpoint.js';
import type { TensorData } from '../io/safetensors.js';
import { decodeRows, lossPlaces, memoryByOwner } from './audit.js';
import type { EvalMetrics, RunStart } from './events.js';
import { flopsPerStep } from './flops.js';
import { clipNorm, dataOptions, firstDataOptions, type PretrainOptions, scheduleOf } from './options.js';
import { Trainer, type TrainingData } from './trainer.js';
import { setWeights, weightsOf } from './weights.js';

/** What a run is made of, before anything of it exists. */
export interface SessionPlan {
  readonly folder: string;
  readonly config: BertConfig;
  readonly options: PretrainOptions;
  readonly corpus: TokenCorpus;
  readonly tokenizer: Tokenizer;
  readonly choice: Choice;
  /** Puts weights into a run that begins, instead of random ones. */
  readonly initialize?: ((model: BertForPreTraining) => void) | undefined;
}

/** One sitting of a run: a model in training with its data, put together anew or from a checkpoint. */
export class Session {
  readonly data: PretrainDataset;
  /** What the first part of the run learns from, if it has one. */
  private readonly first: PretrainDataset | null;
  readonly trainer: Trainer;
  /** Seconds that earlier sittings took. */
  readonly secondsBefore: number;
  /** Lowest held-out loss so far. */
  private best: number;

  /** @param from null begins; a checkpoint goes on after its step */
  constructor(
    private readonly plan: SessionPlan,
    private readonly from: LoadedCheckpoint | null,
  ) {
    const { config, options, corpus, tokenizer } = plan;
    this.data = new PretrainDataset(corpus, dataOptions(options, tokenizer.vocab));
    const firstOptions = firstDataOptions(options, tokenizer.vocab);
    this.first = firstOptions === null ? null : new PretrainDataset(corpus, firstOptions);
    const model = new BertForPreTraining(config, { seed: options.seed });
    this.trainer = new Trainer(model, inParts(this.first, options.firstPart?.steps ?? 0, this.data), {
      seed: options.seed,
      packing: options.packing,
      precision: options.precision,
      accumulate: options.accumulate,
      schedule: scheduleOf(options),
      adamw: { form: options.optimizer, weightDecay: options.weightDecay, maxNorm: clipNorm(options) },
    });
    if (from !== null) restore(this.trainer, from);
    else if (plan.initialize !== undefined) plan.initialize(model);
    else if (options.biasInit === 'unigram')
      model.mlm.bias.assign(logFrequencies(this.data.card.unigramCounts, config));
    this.secondsBefore = numberOf(from, 'seconds', 0);
    this.best = numberOf(from, 'best', Number.POSITIVE_INFINITY);
  }

  /** Writes a checkpoint; the one with the lowest held-out loss is kept besides the newest. @returns its folder */
  async save(seconds: number, evaluated: EvalMetrics | null): Promise<string> {
    const { model, optimizer, state } = this.trainer;
    const loss = evaluated?.eval_masked_lm_loss ?? Number.POSITIVE_INFINITY;
    const best = loss < this.best;
    const content = {
      step: state.step,
      config: configToJson(this.plan.config),
      vocab: this.plan.tokenizer.vocab.toText(),
      tokenizerConfig: tokenizerConfigJson(this.plan.tokenizer, this.plan.config.maxPositionEmbeddings),
      weights: await weightsOf(model),
      optimizer: namedMoments(await optimizer.arena.moments()),
      state: {
        ...state,
        seconds,
        ...(Math.min(loss, this.best) < Infinity ? { best: Math.min(loss, this.best) } : {}),
      },
    };
    const folder = await writeCheckpoint(this.plan.folder, content, { best });
    this.best = Math.min(loss, this.best);
    return folder;
  }

  /** All that can be said of the run before it goes on. */
  describe(): RunStart {
    const { folder, config, options, tokenizer, choice } = this.plan;
    const { model, state } = this.trainer;
    const { card } = this.data;
    const batch = this.data.batchAt(state.step);
    const shape = { lengths: batch.lengths, masked: batch.maskedLabels.length };
    const part = Math.ceil(options.batch / options.accumulate);
    return {
      folder,
      backend: options.precision === 'f32' ? choice.reason : `${choice.reason}; products in ${options.precision}`,
      resumedFrom: this.from === null ? null : state.step,
      totalSteps: options.steps,
      batch: options.batch,
      maxSeq: options.maxSeq,
      firstPart: options.firstPart && { ...options.firstPart, batch: this.first?.batchAt(0).batch ?? 0 },
      vocabSize: config.vocabSize,
      parts: summarize(model),
      parameters: model.parameterCount(),
      tokensPerStep: batch.lengths.reduce((sum, n) => sum + n, 0),
      flopsPerStep: flopsPerStep(config, shape),
      memory: memoryByOwner(config, {
        lengths: batch.lengths.slice(0, part),
        masked: Math.ceil(shape.masked / options.accumulate),
      }),
      peakGflops: choice.backend.fmaPeak?.(undefined, options.precision) ?? null,
      floors: card.floors,
      sentenceTask: options.data.sentenceTask,
      data: dataOf(card),
      rows: decodeRows(batch, (id) => tokenizer.vocab.token(id)),
      lossPositions: batch.maskedLabels.length,
      positions: lossPlaces(batch).positions,
    };
  }

  dispose(): void {
    this.trainer.dispose();
  }
}

/** Batches of the first part, then of the rest; evaluations are those of the rest. */
const inParts = (first: TrainingData | null, steps: number, rest: TrainingData): TrainingData => ({
  batchAt: (step) => (first !== null && step < steps ? first : rest).batchAt(step),
  evalBatches: () => rest.evalBatches(),
});

/** Without the counts of every token, which would fill a log. */
function dataOf({ floors: _, unigramCounts: __, heldOutNote: ___, ...data }: DataCard): RunStart['data'] {
  return data;
}

/** log of each token's share, one count added to all: what the decoder's bias comes to first anyway. */
function logFrequencies(counts: ArrayLike<number>, { vocabSize }: BertConfig): Float32Array {
  const at = (id: number): number => (counts[id] ?? 0) + 1;
  const total = Array.from({ length: vocabSize }, (_, id) => at(id)).reduce((sum, n) => sum + n, 0);
  return Float32Array.from({ length: vocabSize }, (_, id) => Math.log(at(id) / total));
}

function numberOf(from: LoadedCheckpoint | null, key: string, otherwise: number): number {
  const value = from?.state[key];
  return typeof value === 'number' ? value : otherwise;
}

function namedMoments(moments: Map<string, { m: Float32Array; v: Float32Array }>): Map<string, TensorData> {
  const named = new Map<string, TensorData>();
  for (const [name, { m, v }] of moments) {
    named.set(`${transformersName(name)}.m`, { shape: [m.length], data: m });
    named.set(`${transformersName(name)}.v`, { shape: [v.length], data: v });
  }
  return named;
}

/** Weights, moments and counters as they were. */
function restore(trainer: Trainer, from: LoadedCheckpoint): void {
  setWeights(trainer.model, from.weights, from.folder);
  for (const [name, parameter] of trainer.model.namedParameters()) {
    const [m, v] = ['m', 'v'].map((moment) => from.optimizer.get(`${transformersName(name)}.${moment}`)?.data);
    if (
      !(m instanceof Float32Array && v instanceof Float32Array) ||
      m.length !== parameter.size ||
      v.length !== m.length
    ) {
      throw new CheckpointError(`the moments of "${transformersName(name)}" are missing or of another size`, {
        code: 'CHECKPOINT-TENSORS',
        where: join(from.folder, 'optimizer.safetensors'),
        fix: 'the checkpoint must stem from this very run',
      });
    }
    trainer.optimizer.arena.setMoments(name, m, v);
  }
  const count = (key: string): number => numberOf(from, key, 0);
  trainer.restore({
    step: count('step'),
    tokens: count('tokens'),
    updates: count('updates'),
    skipped: count('skipped'),
  });
}

import { freemem } from 'node:os';
import type { BertConfig } from '../bert/config.js';
import { ConfigError } from '../core/errors.js';
import { fullShape, parameterCount, type StepShape, tokensOf } from './flops.js';

/** Bytes that one owner holds at the peak of a step. */
export interface Owned {
  readonly owner: string;
  readonly bytes: number;
}

const F32 = 4;
/** Node itself with the compiled program, the vocabulary and the window of the shards that is open. */
const RUNTIME = 150e6;

/**
 * Expected peak by owner: at the end of the forward pass, when every result waits for the walk back, plus the gradient
 * on its way. Counted from the tensors that `bert/` makes; attention keeps one number a head and row, not [seq, seq].
 * @param shape one micro-batch
 */
export function memoryByOwner(config: BertConfig, shape: StepShape): Owned[] {
  const {
    hiddenSize: h,
    intermediateSize: i,
    numHiddenLayers: layers,
    numAttentionHeads: heads,
    vocabSize: v,
  } = config;
  const parameters = parameterCount(config);
  const rows = tokensOf(shape);
  const embeddings = 7 * h; // three rows, two sums, LayerNorm, dropout
  // query, key, value, context; output, dropout, sum, LayerNorm, twice; the wide row before and after its activation;
  // one number a head, and two statistics for each LayerNorm.
  const layer = 12 * h + 2 * i + heads + 4;
  const passing = 2 * h + 2 * i;
  return [
    { owner: 'parameters', bytes: F32 * parameters },
    { owner: 'gradients', bytes: F32 * parameters },
    { owner: 'moments of AdamW', bytes: 2 * F32 * parameters },
    { owner: `activations of ${layers} layers`, bytes: F32 * rows * (embeddings + layers * layer + passing) },
    { owner: 'masked words: logits and their gradient', bytes: F32 * shape.masked * (2 * v + 5 * h) },
    { owner: 'Node.js, vocabulary, data', bytes: RUNTIME },
  ];
}

export const totalBytes = (owned: readonly Owned[]): number => owned.reduce((sum, { bytes }) => sum + bytes, 0);

/** Bytes this process may still take: a container's limit counts, where Node knows it (20.13 and later). */
export function freeMemory(): number {
  const available = process.availableMemory?.() ?? 0;
  return available > 0 ? Math.min(available, freemem()) : freemem();
}

/** A run's sizes as the user set them. */
export interface Plan {
  readonly batch: number;
  readonly seq: number;
  readonly maskedPerSequence: number;
  /** Parts a batch is computed in. */
  readonly accumulate: number;
}

const GB = (n: number): string => `${(n / 1e9).toFixed(n < 1e10 ? 2 : 0)} GB`;

function needed(config: BertConfig, plan: Plan): number {
  const micro = Math.ceil(plan.batch / plan.accumulate);
  return totalBytes(memoryByOwner(config, fullShape(micro, plan.seq, plan.maskedPerSequence)));
}

/** Half of a size, again and again, until it fits; null when even the smallest does not. */
function shrink(from: number, least: number, fits: (size: number) => boolean): number | null {
  for (let size = Math.floor(from / 2); size >= least; size = Math.floor(size / 2)) if (fits(size)) return size;
  return null;
}

/** Up to three settings, each alone enough; the first leaves the result as it is. */
function remedies(config: BertConfig, plan: Plan, limit: number): string[] {
  const fits = (c: BertConfig, p: Plan): boolean => needed(c, p) <= limit;
  const { batch, seq, accumulate, maskedPerSequence } = plan;
  const micro = shrink(
    batch / accumulate,
    1,
    (b) => batch % b === 0 && fits(config, { ...plan, accumulate: batch / b }),
  );
  const short = shrink(seq, 16, (s) =>
    fits(config, { ...plan, seq: s, maskedPerSequence: (maskedPerSequence * s) / seq }),
  );
  const layers = shrink(config.numHiddenLayers, 1, (n) => fits({ ...config, numHiddenLayers: n }, plan));
  const words = shrink(config.vocabSize, 1000, (v) => fits({ ...config, vocabSize: v }, plan));
  const narrow = shrink(config.hiddenSize, 64, (h) => {
    const smaller = { ...config, hiddenSize: h, intermediateSize: 4 * h };
    return fits(smaller, plan);
  });
  const found: readonly (string | null)[] = [
    micro === null ? null : `--accumulate ${batch / micro} (same result, slower)`,
    short === null ? null : `--max-seq ${short}`,
    narrow === null ? null : `a model of width ${narrow}`,
    layers === null ? null : `a model of ${layers} layer${layers === 1 ? '' : 's'}`,
    words === null ? null : `a vocabulary of ${words}`,
  ];
  return found.filter((setting) => setting !== null).slice(0, 3);
}

/**
 * Refuses a run that would not fit before it begins; the system would kill it at the first step, without a word.
 * @param free bytes; 90 % of them may be used
 * @throws {ConfigError} CONFIG-MEMORY with the estimate by owner and three settings that would fit
 */
export function requireMemory(config: BertConfig, plan: Plan, free = freeMemory()): void {
  const limit = 0.9 * free;
  const wanted = needed(config, plan);
  if (wanted <= limit) return;
  const shape = fullShape(Math.ceil(plan.batch / plan.accumulate), plan.seq, plan.maskedPerSequence);
  const parts = memoryByOwner(config, shape).map(({ owner, bytes }) => `${owner} ${GB(bytes)}`);
  const settings = remedies(config, plan, limit);
  throw new ConfigError(
    `training needs about ${GB(wanted)} of memory; ${GB(free)} are free, of which 90 % may be used`,
    {
      code: 'CONFIG-MEMORY',
      where: parts.join(', '),
      fix:
        settings.length === 0
          ? 'use a smaller model, or a larger machine'
          : `any of these fits: ${settings.join('; ')}`,
    },
  );
}

/** The parts of a pre-training batch that a row is decoded from. */
export interface MaskedRows {
  readonly batch: number;
  readonly seq: number;
  readonly inputIds: Int32Array;
  readonly lengths: Int32Array;
  readonly maskedPositions: Int32Array;
  readonly maskedLabels: Int32Array;
}

/**
 * The first rows of a batch as the model sees them. A picked place is shown as `[what stands there→what stood there]`,
 * so masked, replaced and kept words can be told apart: `[MASK→饭]`, `[apple→饭]`, `[饭→饭]`.
 * @param token the piece of an id
 */
export function decodeRows(batch: MaskedRows, token: (id: number) => string, count = 3): string[] {
  const labels = new Map<number, number>();
  batch.maskedPositions.forEach((position, i) => {
    labels.set(position, batch.maskedLabels[i] as number);
  });
  return Array.from({ length: Math.min(count, batch.batch) }, (_, row) => {
    const first = row * batch.seq;
    const pieces = Array.from({ length: batch.lengths[row] as number }, (_, i) => {
      const here = token(batch.inputIds[first + i] as number);
      const label = labels.get(first + i);
      return label === undefined ? here : `[${here.replace(/^\[(MASK)\]$/, '$1')}→${token(label)}]`;
    });
    return pieces.join(' ');
  });
}

/** Places with a loss, all places, and the share of padding in a batch. */
export function lossPlaces(batch: MaskedRows): { lossPositions: number; positions: number; paddingShare: number } {
  const places = batch.batch * batch.seq;
  const positions = batch.lengths.reduce((sum, n) => sum + n, 0);
  return { lossPositions: batch.maskedPositions.length, positions, paddingShare: 1 - positions / places };
}

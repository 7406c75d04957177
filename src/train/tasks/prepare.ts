import type { BertConfig } from '../../bert/config.js';
import type { HeadModel } from '../../bert/heads/head-model.js';
import type { LabelConfig } from '../../bert/labels.js';
import { ConfigError, DataError } from '../../core/errors.js';
import { Rng, STREAM } from '../../core/random.js';
import type { ColumnRequest } from '../../data/tasks/columns.js';
import type { Problems } from '../../data/tasks/problems.js';
import { Initializer } from '../../nn/init.js';
import type { WeightReport } from '../weights.js';
import { tokensOf } from './batch.js';
import { type Base, headFrom } from './folder.js';
import { type Kind, withKind } from './kinds.js';
import type { DataSummary } from './results.js';
import type { Task, TaskKind, TextSettings } from './task.js';
import type { TaskData } from './trial.js';

/** What is to be learnt, and from which files. */
export interface TaskRequest {
  readonly kind: TaskKind;
  readonly train: string;
  /** Null: a tenth of the training examples is held back. */
  readonly dev: string | null;
  readonly columns: ColumnRequest;
  readonly multiLabel: boolean;
  /** Leaves rows out that cannot be used, instead of failing. */
  readonly skipBad: boolean;
  readonly settings: TextSettings;
  /** Settings of a kind: thresholds and rules of question answering. */
  readonly memory: Readonly<Record<string, string | number | boolean>>;
  /** `balanced`: a class counts the more the rarer it is, n / (classes * count); or `label=weight`. */
  readonly classWeights: 'none' | 'balanced' | Readonly<Record<string, number>>;
  /** Training examples to use, drawn evenly; null: all. */
  readonly limit: number | null;
  /** Begins with random weights, to see what the pre-training was worth. */
  readonly fromScratch: boolean;
}

/** A task that is ready to be trained on. */
export interface PreparedTask<E, A> {
  readonly of: Kind<E, A>;
  readonly task: Task<E, A>;
  readonly train: TaskData<E>;
  readonly dev: TaskData<E>;
  readonly about: { readonly train: DataSummary; readonly dev: DataSummary };
  readonly majority: number | null;
  /** Sentences about what was guessed. */
  readonly said: readonly string[];
  /** The model that a trial begins with, and what of it begins with random numbers though it has a base. */
  start(config: BertConfig, seed: number): { readonly model: HeadModel<unknown> } & WeightReport;
}

/** Share of the training examples that is held back where there is no dev file. */
const HELD_BACK = 0.1;
/** Draws of which examples those are: the same for every seed of a fine-tuning. */
const SPLIT_SEED = 0;

/** A part of a list, drawn without regard to order, in the list's own order. */
export function drawn<T>(items: readonly T[], count: number): { taken: T[]; left: T[] } {
  const order = new Rng(SPLIT_SEED, STREAM.shuffle, items.length).shuffle(Array.from(items.keys()));
  const taken = new Set(order.slice(0, count));
  return { taken: items.filter((_, i) => taken.has(i)), left: items.filter((_, i) => !taken.has(i)) };
}

function weightsFor(
  request: TaskRequest['classWeights'],
  labels: LabelConfig | null,
  counts: readonly number[],
): number[] | null {
  if (request === 'none') return null;
  if (labels === null || labels.problemType !== 'single_label_classification') {
    throw new ConfigError('class weights are for tasks with one class of several', {
      code: 'CONFIG-CLASS-WEIGHTS',
      fix: 'leave --class-weights out',
    });
  }
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (request === 'balanced') return counts.map((n) => (n === 0 ? 1 : total / (counts.length * n)));
  const strange = Object.keys(request).find((label) => !labels.labels.includes(label));
  if (strange === undefined) return labels.labels.map((label) => request[label] ?? 1);
  throw new ConfigError(`--class-weights names "${strange}", which is no label of the training examples`, {
    code: 'CONFIG-CLASS-WEIGHTS',
    where: `they are ${labels.labels.slice(0, 12).join(', ')}`,
    fix: 'write label=weight for each label, or balanced',
  });
}

/** Examples as features, and what can be said of them. */
function dataOf<E, A>(
  of: Kind<E, A>,
  task: Task<E, A>,
  examples: readonly E[],
  problems: Problems,
): { data: TaskData<E>; about: DataSummary } {
  const features = task.features(examples, problems);
  const labels = task.labelConfig?.labels ?? [];
  const counts = of.counts(examples, labels);
  return {
    data: { examples, features },
    about: {
      source: problems.source,
      examples: examples.length,
      features: features.length,
      tokens: features.reduce((sum, feature) => sum + tokensOf(feature), 0),
      labels: Object.fromEntries(labels.map((label, i) => [label, counts[i]])),
      problems: problems.counts(),
    },
  };
}

/** Reads both files, learns the labels, and makes features of all examples. */
async function prepareKind<E, A>(of: Kind<E, A>, request: TaskRequest, base: Base): Promise<PreparedTask<E, A>> {
  const { columns, multiLabel, skipBad } = request;
  const read = await of.read(request.train, { columns, multiLabel });
  read.problems.settle(skipBad);
  const parts = request.dev === null ? drawn(read.examples, Math.round(read.examples.length * HELD_BACK)) : null;
  const pool = parts?.left ?? read.examples;
  const examples = request.limit === null ? pool : drawn(pool, request.limit).taken;
  if (examples.length === 0) throw tooFew(request, 0, parts?.taken.length ?? 0);
  const labels = of.learn(examples, multiLabel);
  const known = labels === null ? {} : { known: new Set(labels.labels) };
  const second = request.dev === null ? null : await of.read(request.dev, { columns, multiLabel, ...known });
  second?.problems.settle(skipBad);
  const held = second?.examples ?? parts?.taken ?? [];
  if (held.length === 0) throw tooFew(request, examples.length, held.length);
  const counts = of.counts(examples, labels?.labels ?? []);
  const classWeights = weightsFor(request.classWeights, labels, counts);
  const { settings } = request;
  const memory = { ...of.remember(examples), ...request.memory };
  const task = of.make({ labels, tokenizer: base.tokenizer, settings, classWeights, memory });
  const train = dataOf(of, task, examples, read.problems);
  const dev = dataOf(of, task, held, second?.problems ?? read.problems);
  const devCounts = Object.values(dev.about.labels);
  const most = Math.max(...devCounts) / devCounts.reduce((sum, n) => sum + n, 0);
  const notes = request.dev === null ? [`no dev file: ${held.length} of the training examples are held back`] : [];
  return {
    of,
    task,
    train: train.data,
    dev: dev.data,
    about: { train: train.about, dev: dev.about },
    majority: labels?.problemType === 'single_label_classification' ? most : null,
    said: [read.said, ...(second === null ? [] : [second.said]), ...notes].filter((text) => text !== ''),
    start: (config, seed) =>
      request.fromScratch
        ? { model: task.build(config, new Initializer(seed)), missing: [], unused: [] }
        : headFrom(base, task, config, seed),
  };
}

const tooFew = ({ train, dev }: TaskRequest, some: number, held: number): DataError =>
  new DataError(`${some} training examples and ${held} to measure on are too few`, {
    code: 'DATA-EMPTY',
    where: dev === null ? train : `${train}, ${dev}`,
    fix: 'give a larger file, or a dev file of its own: --dev',
  });

/** @param use gets the task with the types of its kind */
export const withPrepared = <R>(
  request: TaskRequest,
  base: Base,
  use: <E, A>(prepared: PreparedTask<E, A>) => Promise<R>,
): Promise<R> => withKind(request.kind, async (of) => use(await prepareKind(of, request, base)));

/** The configuration with another rate of dropout; of a base without changes. */
export const withDropout = (config: BertConfig, dropout: number | null): BertConfig =>
  dropout === null ? config : { ...config, hiddenDropoutProb: dropout, attentionProbsDropoutProb: dropout };

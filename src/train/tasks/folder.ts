import { type Architecture, buildModel, modelToJson, parseArchitecture } from '../../bert/architectures.js';
import type { BertConfig } from '../../bert/config.js';
import type { HeadModel } from '../../bert/heads/head-model.js';
import { type LabelConfig, parseLabels } from '../../bert/labels.js';
import { ConfigError } from '../../core/errors.js';
import { TRUNCATIONS } from '../../data/tasks/encode.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import { tokenizerConfigJson } from '../../data/tokenizer-config.js';
import { isObject, type JsonObject } from '../../io/json.js';
import { loadModelFolder, type ModelFolder } from '../../io/model-folder.js';
import type { TensorData } from '../../io/safetensors.js';
import type { Initializer } from '../../nn/init.js';
import { usePrecision } from '../../nn/precision.js';
import { type LoadedModel, modelFrom, partsOf } from '../model-folder.js';
import { type WeightReport, weightsOf } from '../weights.js';
import { type Kind, type TaskRecipe, withKind } from './kinds.js';
import { TASK_KINDS, type Task, type TaskKind, type TextSettings } from './task.js';

/** A model as it stands in a folder, before anybody has decided what to do with it. */
export interface Base {
  readonly files: ModelFolder;
  readonly config: BertConfig;
  readonly tokenizer: Tokenizer;
}

/** Opens a run, a checkpoint, or any model folder. @throws as `loadModelFolder`; {ConfigError} not a BERT */
export async function openBase(path: string): Promise<Base> {
  const files = await loadModelFolder(path);
  return { files, ...partsOf(files) };
}

const isEncoder = (name: string): boolean => /^bert\.(embeddings|encoder)\./.test(name);
const isClassifier = (name: string): boolean => name.startsWith('classifier.');

/**
 * A model for a task, with the weights of a base. What the base lacks outside the encoder (pooler and head), or has for
 * another number of labels, begins with random numbers.
 * @param config that of the base, or with other dropout
 * @returns also transformers' names of what begins so, and of tensors of the base that are not used
 * @throws {CheckpointError} the encoder itself is not whole
 */
export function headFrom<E, A>(
  { files }: Base,
  task: Task<E, A>,
  config: BertConfig,
  seed: number,
): { readonly model: HeadModel<unknown> } & WeightReport {
  const outputs = files.weights.get('classifier.weight')?.shape[0];
  const fits = outputs === (task.labelConfig?.labels.length ?? 1);
  const weights = fits ? files.weights : new Map([...files.weights].filter(([name]) => !isClassifier(name)));
  return modelFrom(
    { ...files, weights },
    { make: (_, init) => task.build(config, init), optional: (name) => !isEncoder(name), seed },
  );
}

/** Key of config.json under which a fine-tuned model remembers how its texts are cut. */
const PARAMS = 'task_specific_params';

/** config.json of a fine-tuned model: transformers reads all of it but the settings of texts, which it passes over. */
export const taskConfigJson = <E, A>(model: HeadModel<unknown>, task: Task<E, A>): Record<string, unknown> => ({
  ...modelToJson(model, task.architecture),
  finetuning_task: task.kind,
  [PARAMS]: { bertgrad: { ...task.settings, ...task.memory } },
});

/** The files of a model folder, besides an optimizer's. */
export async function modelFiles<E, A>(
  model: HeadModel<unknown>,
  task: Task<E, A>,
): Promise<{ config: object; vocab: string; tokenizerConfig: object; weights: Map<string, TensorData> }> {
  return {
    config: taskConfigJson(model, task),
    vocab: task.tokenizer.vocab.toText(),
    tokenizerConfig: tokenizerConfigJson(task.tokenizer, task.settings.maxSeq),
    weights: await weightsOf(model),
  };
}

/** What a head is for where no kind is written down. */
const USUAL: Partial<Record<Architecture, TaskKind>> = {
  BertForSequenceClassification: 'classify',
  BertForTokenClassification: 'tag',
  BertForQuestionAnswering: 'qa',
  BertForMultipleChoice: 'choice',
};

function kindOf(json: JsonObject, labels: LabelConfig, where: string): TaskKind {
  const architecture = parseArchitecture(json, where);
  const written = TASK_KINDS.find((kind) => kind === json.finetuning_task);
  const usual = USUAL[architecture];
  if (usual === undefined) {
    throw new ConfigError(`${where}: ${architecture} has no head for a task`, {
      code: 'CONFIG-ARCHITECTURE',
      where,
      fix: 'fine-tune it first: bertgrad finetune classify <model> --train train.tsv -o runs/mine',
    });
  }
  if (usual !== 'classify') return usual;
  if (labels.problemType === 'regression') return 'regress';
  return written === 'pair' ? 'pair' : 'classify';
}

/** How texts were cut when the model was fine-tuned; otherwise as long as the model reads. */
export function settingsOf(json: JsonObject, config: BertConfig, kind: TaskKind): TextSettings & JsonObject {
  const params = isObject(json[PARAMS]) ? json[PARAMS].bertgrad : undefined;
  const kept = isObject(params) ? params : {};
  const most = Math.min(config.maxPositionEmbeddings, kind === 'qa' ? 384 : 512);
  const maxSeq = typeof kept.maxSeq === 'number' ? kept.maxSeq : most;
  return {
    ...kept,
    maxSeq: Math.min(maxSeq, config.maxPositionEmbeddings),
    truncate: TRUNCATIONS.find((how) => how === kept.truncate) ?? 'head',
    stride: typeof kept.stride === 'number' ? kept.stride : Math.max(1, Math.floor(maxSeq / 3)),
  };
}

/** A fine-tuned model with the task it is for. */
export interface LoadedTask<E, A> {
  readonly folder: string;
  readonly kind: Kind<E, A>;
  readonly task: Task<E, A>;
  readonly model: HeadModel<unknown>;
  /** What the files and the model do not share. */
  readonly notes: Omit<LoadedModel<HeadModel<unknown>>, 'model'>;
}

/** What a folder says of the task its model is for. */
interface Opened {
  readonly folder: string;
  readonly kind: TaskKind;
  readonly recipe: TaskRecipe;
  load(): LoadedModel<HeadModel<unknown>>;
}

async function open(path: string, changes: Readonly<Record<string, unknown>>): Promise<Opened> {
  const { files, config, tokenizer } = await openBase(path);
  const where = `${files.folder}/config.json`;
  const labels = parseLabels(files.config, where);
  const kind = kindOf(files.config, labels, where);
  const memory = { ...settingsOf(files.config, config, kind), ...changes };
  const settings = { maxSeq: memory.maxSeq, truncate: memory.truncate, stride: memory.stride } as TextSettings;
  requirePositions(settings.maxSeq, config);
  const architecture = parseArchitecture(files.config, where);
  const make = (_: BertConfig, init: Initializer): HeadModel<unknown> =>
    buildModel(architecture, { config, labels, init }) as HeadModel<unknown>;
  const recipe: TaskRecipe = { labels, tokenizer, settings, classWeights: null, memory };
  return { folder: files.folder, kind, recipe, load: () => modelFrom(files, { make }) };
}

/** @throws {ConfigError} CONFIG-POSITIONS */
export function requirePositions(maxSeq: number, { maxPositionEmbeddings }: BertConfig): void {
  if (maxSeq <= maxPositionEmbeddings) return;
  throw new ConfigError(`sequences of ${maxSeq} tokens, but the model has ${maxPositionEmbeddings} positions`, {
    code: 'CONFIG-POSITIONS',
    fix: `--max-seq ${maxPositionEmbeddings} at most`,
  });
}

/**
 * Opens a fine-tuned model and hands it to `use` with the types of its kind. Its memory is given back afterwards.
 * @param changes settings that take the place of those the model remembers
 * @throws as `openBase`; {ConfigError} no head for a task
 */
export async function withTask<R>(
  path: string,
  changes: Readonly<Record<string, unknown>>,
  use: <E, A>(loaded: LoadedTask<E, A>) => Promise<R>,
): Promise<R> {
  const { folder, kind, recipe, load } = await open(path, changes);
  const { model, ...notes } = load();
  try {
    return await withKind(kind, (of) => use({ folder, kind: of, task: of.make(recipe), model, notes }));
  } finally {
    model.dispose();
  }
}

/**
 * Opens a fine-tuned model of kinds that the caller knows.
 * @param choose the kind's own part; null: the caller cannot use it
 * @throws as `openBase`; {ConfigError} CONFIG-TASK: a model for another kind of task
 */
export async function openAs<E, A>(
  path: string,
  choose: (kind: TaskKind) => Kind<E, A> | null,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<LoadedTask<E, A> & { readonly labels: readonly string[] }> {
  const { folder, kind, recipe, load } = await open(path, changes);
  const of = choose(kind);
  if (of !== null) {
    const { model, ...notes } = load();
    usePrecision(model, 'f32', { frozen: true });
    return { folder, kind: of, task: of.make(recipe), model, notes, labels: recipe.labels?.labels ?? [] };
  }
  throw new ConfigError(`${path}: this model is for ${kind}, which is not what is asked of it here`, {
    code: 'CONFIG-TASK',
    where: `${folder}/config.json`,
    fix: 'Classifier is for classify and pair, Regressor for regress, Tagger for tag, Reader for qa, Chooser for choice',
  });
}

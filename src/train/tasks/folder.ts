import { type Architecture, buildModel, modelToJson, parseArchitecture } from '../../bert/architectures.js';
import { type BertConfig, parseConfig } from '../../bert/config.js';
import type { HeadModel } from '../../bert/heads/head-model.js';
import { type LabelConfig, parseLabels } from '../../bert/labels.js';
import { transformersName } from '../../bert/names.js';
import { CheckpointError, ConfigError } from '../../core/errors.js';
import { sameShape } from '../../core/shape.js';
import { TRUNCATIONS } from '../../data/tasks/encode.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import { tokenizerConfigJson } from '../../data/tokenizer-config.js';
import { isObject, type JsonObject } from '../../io/json.js';
import { loadModelFolder } from '../../io/model-folder.js';
import type { TensorData } from '../../io/safetensors.js';
import { makeTokenizer, requireRoom, setWeights, weightsOf } from '../model-folder.js';
import { type Kind, type TaskRecipe, withKind } from './kinds.js';
import { TASK_KINDS, type Task, type TaskKind, type TextSettings } from './task.js';

/** A model as it stands in a folder, before anybody has decided what to do with it. */
export interface Base {
  readonly folder: string;
  readonly json: JsonObject;
  readonly config: BertConfig;
  readonly tokenizer: Tokenizer;
  /** Under transformers' names. */
  readonly weights: ReadonlyMap<string, TensorData>;
}

/** Opens a run, a checkpoint, or any model folder. @throws as `loadModelFolder`; {ConfigError} not a BERT */
export async function openBase(path: string): Promise<Base> {
  const { folder, config: json, vocab, tokenizerConfig, weights } = await loadModelFolder(path);
  const config = parseConfig(json, `${folder}/config.json`);
  const tokenizer = makeTokenizer(vocab, tokenizerConfig ?? {}, folder);
  requireRoom(tokenizer.vocab, config.vocabSize, folder);
  return { folder, json, config, tokenizer, weights };
}

const isEncoder = (name: string): boolean => name.startsWith('bert.') && !name.startsWith('bert.pooler.');

/**
 * Puts the weights of a base into a model of another head. What the base lacks outside the encoder (pooler and head), or
 * has in another shape, keeps the weights of its seed.
 * @returns transformers' names of what was kept so
 * @throws {CheckpointError} the encoder itself is not whole
 */
export function adopt(model: HeadModel<unknown>, { weights, folder }: Base): string[] {
  const fresh: string[] = [];
  for (const [ours, parameter] of model.namedParameters()) {
    const name = transformersName(ours);
    const stored = weights.get(name);
    if (stored !== undefined && sameShape(stored.shape, parameter.shape)) {
      parameter.assign(parameter.dtype === 'f64' ? Float64Array.from(stored.data) : stored.data);
    } else if (isEncoder(name)) {
      const found = stored === undefined ? 'is missing' : `is [${stored.shape}] instead of [${parameter.shape}]`;
      throw new CheckpointError(`the weights do not fit the encoder: "${name}" ${found}`, {
        code: 'CHECKPOINT-TENSORS',
        where: `${folder}/model.safetensors`,
        fix: 'config.json and model.safetensors must stem from one BERT',
      });
    } else fresh.push(name);
  }
  return fresh;
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
}

/**
 * Opens a fine-tuned model and hands it to `use` with the types of its kind. Its memory is given back afterwards.
 * @param only kinds that will do; others are refused
 * @throws as `openBase`; {ConfigError} no head for a task, or for another kind
 */
export async function withTask<R>(
  path: string,
  changes: Readonly<Record<string, unknown>>,
  use: <E, A>(loaded: LoadedTask<E, A>) => Promise<R>,
): Promise<R> {
  const base = await openBase(path);
  const where = `${base.folder}/config.json`;
  const labels = parseLabels(base.json, where);
  const kind = kindOf(base.json, labels, where);
  const memory = { ...settingsOf(base.json, base.config, kind), ...changes };
  const settings = { maxSeq: memory.maxSeq, truncate: memory.truncate, stride: memory.stride } as TextSettings;
  const architecture = parseArchitecture(base.json, where);
  const model = buildModel(architecture, { config: base.config, labels }) as HeadModel<unknown>;
  setWeights(model, base.weights, base.folder);
  const recipe: TaskRecipe = { labels, tokenizer: base.tokenizer, settings, classWeights: null, memory };
  try {
    return await withKind(kind, (of) => use({ folder: base.folder, kind: of, task: of.make(recipe), model }));
  } finally {
    model.dispose();
  }
}

import { type AnyBert, type Architecture, architectureNames, buildModel, modelToJson } from '../bert/architectures.js';
import { BareBert } from '../bert/bare.js';
import { configToJson } from '../bert/config.js';
import { fromGoogle } from '../bert/google-names.js';
import { parseLabels } from '../bert/labels.js';
import { todaysName } from '../bert/names.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { tokenizerConfigJson } from '../data/tokenizer-config.js';
import type { Content } from '../io/files.js';
import { loadModelFolder, type ModelFolder } from '../io/model-folder.js';
import { safetensorsChunks } from '../io/safetensors.js';
import { tokenizerJson } from '../io/tokenizer-json.js';
import { type LoadedModel, modelFrom } from './model-folder.js';
import type { Exportable } from './onnx/export.js';
import { weightsOf } from './weights.js';

/** A BERT with whatever head its folder has. */
export interface LoadedAny extends LoadedModel<AnyBert> {
  readonly architecture: Exportable;
}

/** By what a file holds, where config.json does not say: google's, and encoders that were saved without it. */
function inferred({ weights, naming }: ModelFolder): Exportable {
  const names = new Set(
    Array.from(weights.keys(), (name) => (naming === 'google' ? (fromGoogle(name)?.name ?? name) : todaysName(name))),
  );
  const has = (part: string): boolean => [...names].some((name) => name.startsWith(part));
  if (has('cls.predictions.')) return has('cls.seq_relationship.') ? 'BertForPreTraining' : 'BertForMaskedLM';
  if (has('qa_outputs.')) return 'BertForQuestionAnswering';
  return has('classifier.') ? 'BertForSequenceClassification' : 'BertModel';
}

/** The first architecture of config.json that is known here, else what the tensors say. */
function architectureOf(files: ModelFolder): Exportable {
  const [named] = Array.isArray(files.config.architectures) ? files.config.architectures : [];
  if (named === 'BertModel') return 'BertModel';
  return architectureNames.find((known) => known === named) ?? inferred(files);
}

/** A folder without labels has as many as its head has rows. */
function labelled(files: ModelFolder, architecture: Exportable): ModelFolder {
  const labels = ['BertForSequenceClassification', 'BertForTokenClassification'].includes(architecture);
  const bias = files.weights.get('classifier.bias') ?? files.weights.get('output_bias');
  if (!labels || bias === undefined || 'id2label' in files.config || 'num_labels' in files.config) return files;
  return { ...files, config: { ...files.config, num_labels: bias.data.length } };
}

/**
 * Opens a folder as what it says it is, in whatever form it is stored.
 * @throws {InputError} nothing there; {CheckpointError} damaged, or tensors missing; {ConfigError} not such a BERT
 */
export async function loadAny(path: string): Promise<LoadedAny> {
  const found = await loadModelFolder(path);
  const architecture = architectureOf(found);
  const files = labelled(found, architecture);
  const where = `${files.folder}/config.json`;
  const loaded = modelFrom<AnyBert>(files, {
    make: (config, init, json) => {
      if (architecture === 'BertModel') return new BareBert(config, { init });
      return buildModel(architecture, { config, labels: parseLabels(json, where), init });
    },
    optional: (name) => architecture === 'BertModel' && name.startsWith('bert.pooler.'),
  });
  return { ...loaded, architecture };
}

/** The config.json of a model. */
export function configOf(model: AnyBert, architecture: Exportable): Record<string, unknown> {
  return architecture === 'BertModel'
    ? configToJson(model.config, 'BertModel')
    : modelToJson(model, architecture as Architecture);
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Vocabulary and settings of a tokenizer, in the old files and in the new one. */
export function tokenizerFiles(tokenizer: Tokenizer, positions: number): Record<string, Content> {
  return {
    'vocab.txt': tokenizer.vocab.toText(),
    'tokenizer_config.json': json(tokenizerConfigJson(tokenizer, positions)),
    'tokenizer.json': json(tokenizerJson(tokenizer.vocab.tokens, tokenizer)),
  };
}

/** All files of a model folder in Hugging Face's layout, by name. */
export async function modelFiles({
  model,
  architecture,
  tokenizer,
}: Pick<LoadedAny, 'model' | 'architecture' | 'tokenizer'>): Promise<Record<string, Content>> {
  const weights = await weightsOf(model);
  return {
    'config.json': json(configOf(model, architecture)),
    ...tokenizerFiles(tokenizer, model.config.maxPositionEmbeddings),
    'model.safetensors': safetensorsChunks(weights, { format: 'pt' }), // transformers asks for this word
  };
}

import { type Architecture, buildModel, type ModelOf } from '../bert/architectures.js';
import { type BertConfig, parseConfig } from '../bert/config.js';
import { fromGoogle } from '../bert/google-names.js';
import { parseLabels } from '../bert/labels.js';
import { BertForPreTraining } from '../bert/pretraining.js';
import { ConfigError } from '../core/errors.js';
import { Tokenizer } from '../data/tokenizer.js';
import { parseTokenizerConfig } from '../data/tokenizer-config.js';
import { Vocab } from '../data/vocab.js';
import { loadModelFolder, type ModelFolder } from '../io/model-folder.js';
import type { TensorData } from '../io/safetensors.js';
import { Initializer } from '../nn/init.js';
import type { Module } from '../nn/module.js';
import { setWeights, type WeightReport } from './weights.js';

/** A model ready to be used, and what reads its texts. */
export interface LoadedModel<M extends Module = BertForPreTraining> extends WeightReport {
  /** Where it was found: of a run, the checkpoint that was taken. */
  readonly folder: string;
  readonly model: M;
  readonly tokenizer: Tokenizer;
  /** config.json as it stands there: labels, architecture. */
  readonly configJson: Readonly<Record<string, unknown>>;
  /** Keys of config.json that nothing is known of. */
  readonly unknownKeys: readonly string[];
  /** Tokens of tokenizer.json besides BERT's own, which are not looked for in a text. */
  readonly addedTokens: readonly string[];
  /** Tensors that no number type here can hold, and why. */
  readonly skipped: ReadonlyMap<string, string>;
}

/** How a model is built whose weights are about to be read. */
export interface ModelKind<M extends Module> {
  /** @param init draws no numbers until one is missing */
  make(config: BertConfig, init: Initializer, json: Readonly<Record<string, unknown>>): M;
  /** Parameters that may be missing from the file, by transformers' name; they get initial values by `seed`. */
  optional?(name: string): boolean;
  readonly seed?: number;
}

/** What a model must find in its file: everything, or the encoder, so that a head may begin with random numbers. */
export interface HeadOptions {
  readonly head: 'stored' | 'fresh';
  /** Of a fresh head. */
  readonly seed?: number;
}

const isEncoder = (name: string): boolean => /^bert\.(embeddings|encoder)\./.test(name);

/**
 * Opens a model folder as a model with the head named, whatever head it was saved with. `missing` of the result names
 * the parameters that begin with random numbers.
 * @throws {InputError} nothing there; {CheckpointError} damaged, or tensors missing; {ConfigError} not such a BERT
 */
export async function loadHead<A extends Architecture>(
  path: string,
  architecture: A,
  { head, seed = 0 }: HeadOptions,
): Promise<LoadedModel<ModelOf<A>>> {
  const where = `${path}/config.json`;
  return loadModelAs(path, {
    make: (config, init, json) => buildModel(architecture, { config, labels: parseLabels(json, where), init }),
    optional: (name) => head === 'fresh' && !isEncoder(name),
    seed,
  });
}

/** For masked words: pooler and sentence head are not needed, and models saved as BertForMaskedLM have none. */
const MASKED_WORDS: ModelKind<BertForPreTraining> = {
  make: (config, init) => new BertForPreTraining(config, { init }),
  optional: (name) => /^(bert\.pooler|cls\.seq_relationship)\./.test(name),
};

/**
 * Opens a model folder, a checkpoint, or the best checkpoint of a run, for masked words.
 * @throws {InputError} nothing there; {CheckpointError} damaged, or tensors missing; {ConfigError} not such a BERT
 */
export const loadModel = (path: string): Promise<LoadedModel> => loadModelAs(path, MASKED_WORDS);

/** As `loadModel`, for a model of any class. */
export async function loadModelAs<M extends Module>(path: string, kind: ModelKind<M>): Promise<LoadedModel<M>> {
  return modelFrom(await loadModelFolder(path), kind);
}

/** Configuration and tokenizer of files that have been read. @param passOver takes keys that are not known */
export function partsOf(
  files: ModelFolder,
  passOver: (key: string) => void = () => undefined,
): { readonly config: BertConfig; readonly tokenizer: Tokenizer } {
  const tokenizer = makeTokenizer(files.vocab, files.tokenizerConfig ?? {}, files.folder);
  const config = parseConfig(meant(files), `${files.folder}/config.json`, passOver);
  requireRoom(tokenizer.vocab, config.vocabSize, files.folder);
  return { config, tokenizer };
}

/** A model from files that have been read. @throws {CheckpointError}, {ConfigError}, {DataError} as `loadModel` */
export function modelFrom<M extends Module>(files: ModelFolder, kind: ModelKind<M>): LoadedModel<M> {
  const { folder, skipped, addedTokens, config: configJson } = files;
  const unknownKeys: string[] = [];
  const { config, tokenizer } = partsOf(files, (key) => unknownKeys.push(key));
  const init = new Initializer(kind.seed ?? 0, { deferred: true });
  const model = kind.make(config, init, configJson);
  const optional = (name: string): boolean => kind.optional?.(name) ?? false;
  const weights = files.naming === 'google' ? fromGoogleNames(files.weights) : files.weights;
  const report = setWeights(model, weights, files.weightsFile, { optional, init });
  return { ...report, folder, model, tokenizer, configJson, unknownKeys, skipped, addedTokens };
}

/** In google's programs "gelu" is the tanh form (modeling.py:264), in transformers the exact one. */
function meant({ config, naming }: ModelFolder): ModelFolder['config'] {
  return naming === 'google' && config.hidden_act === 'gelu' ? { ...config, hidden_act: 'gelu_new' } : config;
}

/** A checkpoint of google-research/bert under transformers' names, dense kernels turned. Other variables keep their names. */
function fromGoogleNames(variables: ModelFolder['weights']): Map<string, TensorData> {
  return new Map(
    Array.from(variables, ([variable, tensor]): [string, TensorData] => {
      const renamed = fromGoogle(variable);
      if (renamed === null) return [variable, tensor];
      return [renamed.name, renamed.transpose ? turned(tensor) : tensor];
    }),
  );
}

function turned({ shape: [rows, cols], data }: TensorData): TensorData {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c];
  return { shape: [cols, rows], data: out };
}

/** The tokenizer of a folder's vocab.txt and tokenizer_config.json. */
export function makeTokenizer(vocab: string, config: object, folder: string): Tokenizer {
  const options = parseTokenizerConfig(config, `${folder}/tokenizer_config.json`);
  return new Tokenizer(Vocab.parse(vocab, `${folder}/vocab.txt`), options);
}

/** @throws {ConfigError} ids that the word table has no row for */
export function requireRoom(vocab: Vocab, rows: number, where: string): void {
  if (vocab.size <= rows) return;
  throw new ConfigError(`the vocabulary has ${vocab.size} tokens, the model's vocab_size is ${rows}`, {
    code: 'CONFIG-VOCAB-SIZE',
    where,
    fix: `set vocab_size to ${vocab.size}, or take the vocabulary the model was made with`,
  });
}

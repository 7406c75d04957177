import { join } from 'node:path';
import { DataError } from '../core/errors.js';
import { disk, readJsonFile, readTextFile } from './files.js';
import { isObject, type Json, type JsonObject, JsonSyntaxError, parseJson } from './json.js';
import { readWeights } from './model-weights.js';
import type { TensorData } from './safetensors.js';

/** The list of parts of a model of sentence-transformers. */
export const MODULES = 'modules.json';

/** How the vectors of a text's tokens become one (sentence_transformers/models/Pooling.py). */
export const POOLINGS = ['mean', 'cls', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const;
export type Pooling = (typeof POOLINGS)[number];

/** A layer behind the pooling: y = activation(W x + b). */
export interface DenseLayer {
  /** [out, in] */
  readonly weight: TensorData;
  /** [out], or null. */
  readonly bias: TensorData | null;
  readonly activation: 'tanh' | 'identity' | 'relu';
}

/** What turns the encoder's output into the vector of a text. */
export interface SentenceModules {
  /** Several are set end to end. */
  readonly pooling: readonly Pooling[];
  readonly dense: readonly DenseLayer[];
  /** Whether vectors are scaled to length 1. */
  readonly normalize: boolean;
  /** Tokens of a text that are read; the rest is cut off. null: as many as the model has positions. */
  readonly maxSeqLength: number | null;
  /** Texts are lower-cased before the tokenizer sees them. */
  readonly lowercase: boolean;
  /** Set before each text; mostly nothing. */
  readonly prompt: string;
}

/** Of a folder without modules.json: what sentence-transformers takes then. */
export const PLAIN_MODULES: SentenceModules = {
  pooling: ['mean'],
  dense: [],
  normalize: false,
  maxSeqLength: null,
  lowercase: false,
  prompt: '',
};

function bad(path: string, what: string, fix = 'fetch the model again'): never {
  throw new DataError(`${path}: ${what}`, { code: 'MODEL-MODULES', where: path, fix });
}

interface ModuleEntry {
  /** The last part of its class: Transformer, Pooling, Dense, Normalize. */
  readonly kind: string;
  /** Its folder, below the model's. */
  readonly path: string;
}

async function readJson(path: string): Promise<Json> {
  try {
    return parseJson(await readTextFile(path, 1e6));
  } catch (error) {
    return error instanceof JsonSyntaxError ? bad(path, `is not valid JSON: ${error.message}`) : Promise.reject(error);
  }
}

/** The parts of a model, in their order. @throws {DataError} a part elsewhere, or the list is damaged */
export async function readModules(folder: string): Promise<ModuleEntry[]> {
  const path = join(folder, MODULES);
  const list = await readJson(path);
  if (!Array.isArray(list) || list.length === 0) return bad(path, 'is no list of modules');
  return list.map((entry) => {
    const { type, path: below } = isObject(entry) ? entry : {};
    if (typeof type !== 'string' || typeof below !== 'string') return bad(path, 'an entry without type or path');
    if (!/^([\w-][\w.-]*)?$/.test(below)) bad(path, `names ${JSON.stringify(below)}, which is no folder of this model`);
    return { kind: type.slice(type.lastIndexOf('.') + 1), path: below };
  });
}

const OLD_MODES: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
};

async function readPooling(folder: string): Promise<Pooling[]> {
  const path = join(folder, 'config.json');
  const config = await readJsonFile(path);
  const named = config.pooling_mode;
  if (named === undefined) {
    const modes = Object.entries(OLD_MODES).flatMap(([key, mode]) => (config[key] === true ? [mode] : []));
    return modes.length > 0 ? modes : ['mean'];
  }
  const modes = Array.isArray(named) ? named : [named];
  return modes.map(
    (mode) => POOLINGS.find((known) => known === mode) ?? bad(path, `pooling ${JSON.stringify(mode)} is not known`),
  );
}

const ACTIVATIONS: Readonly<Record<string, DenseLayer['activation']>> = {
  Tanh: 'tanh',
  Identity: 'identity',
  ReLU: 'relu',
};

async function readDense(folder: string): Promise<DenseLayer> {
  const path = join(folder, 'config.json');
  const { activation_function: name } = await readJsonFile(path);
  const short = String(name ?? 'Tanh')
    .replace(/^.*\./, '')
    .replace(/\(.*$/, '');
  const activation = ACTIVATIONS[short] ?? bad(path, `activation ${JSON.stringify(name)} is not known`);
  const { weights } = await readWeights(folder, await disk.list(folder));
  const weight = weights.get('linear.weight') ?? bad(folder, '"linear.weight" is missing');
  return { weight, bias: weights.get('linear.bias') ?? null, activation };
}

/** What stands in a file of settings, if it is there. */
async function settings(folder: string, name: string): Promise<JsonObject> {
  return (await disk.list(folder)).includes(name) ? readJsonFile(join(folder, name)) : {};
}

function promptOf({ prompts, default_prompt_name: name }: JsonObject): string {
  const prompt = isObject(prompts) && typeof name === 'string' ? prompts[name] : '';
  return typeof prompt === 'string' ? prompt : '';
}

/**
 * Reads modules.json and what it names. A folder without one is a plain BERT, for which the mean is taken.
 * @throws {DataError} a kind of module that is not known here; {InputError} a file is missing
 */
export async function readSentenceModules(folder: string): Promise<SentenceModules> {
  if (!(await disk.list(folder)).includes(MODULES)) return PLAIN_MODULES;
  let found = PLAIN_MODULES;
  for (const { kind, path } of await readModules(folder)) {
    const below = join(folder, path);
    if (kind === 'Transformer') {
      const { max_seq_length: length, do_lower_case: lowercase } = await settings(below, 'sentence_bert_config.json');
      found = { ...found, maxSeqLength: typeof length === 'number' ? length : null, lowercase: lowercase === true };
    } else if (kind === 'Pooling') found = { ...found, pooling: await readPooling(below) };
    else if (kind === 'Dense') found = { ...found, dense: [...found.dense, await readDense(below)] };
    else if (kind === 'Normalize') found = { ...found, normalize: true };
    else bad(join(folder, MODULES), `a module of kind ${kind}`, 'known are Transformer, Pooling, Dense and Normalize');
  }
  return { ...found, prompt: promptOf(await settings(folder, 'config_sentence_transformers.json')) };
}

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, InputError } from '../core/errors.js';
import { CHECKPOINT_FILES, checkpointSteps, checkpointsOf, pointedAt } from './checkpoint.js';
import { disk, readJsonFile, readTextFile } from './files.js';
import type { JsonObject } from './json.js';
import { MANIFEST, verifyFolder } from './manifest.js';
import { missing, readWeights, type StoredWeights } from './model-weights.js';
import { MODULES, readModules } from './sentence-modules.js';
import { readTokenizerJson } from './tokenizer-json.js';

/** A model on disk, in Hugging Face's layout or in google's. */
export interface ModelFolder extends StoredWeights {
  /** Where it was found: for a run, the folder of the checkpoint. */
  readonly folder: string;
  /** config.json or bert_config.json, not yet checked. */
  readonly config: JsonObject;
  /** vocab.txt, or the same from tokenizer.json. */
  readonly vocab: string;
  readonly tokenizerConfig: JsonObject | null;
  /** Tokens that would be found in a text elsewhere, and are not here. */
  readonly addedTokens: readonly string[];
}

/** Names of the configuration: today's, and google's. */
const CONFIGS = ['config.json', 'bert_config.json'] as const;
const TOKENIZER = 'tokenizer.json';
const TOKENIZER_CONFIG = 'tokenizer_config.json';

/** Best, else last, else newest checkpoint of a run. */
async function checkpointOf(run: string): Promise<string> {
  const pointed = (await pointedAt(run, 'best')) ?? (await pointedAt(run, 'last'));
  const [newest] = await checkpointSteps(run);
  if (pointed !== null) return pointed;
  if (newest !== undefined) return join(checkpointsOf(run), `step-${newest}`);
  throw new InputError(`${run}: this run has no checkpoint yet`, {
    code: 'MODEL-MISSING',
    where: checkpointsOf(run),
    fix: 'let it train until it first saves',
  });
}

async function namesIn(path: string): Promise<string[]> {
  const kind = await stat(path).catch(() => null);
  if (kind?.isDirectory()) return await disk.list(path);
  throw new InputError(`${path}: ${kind === null ? 'there is no such folder' : 'is a file, not a folder'}`, {
    code: 'MODEL-MISSING',
    where: path,
    fix: 'name a run, a checkpoint, or a folder with config.json, vocab.txt and model.safetensors',
  });
}

/** Vocabulary and the way text is cut: from vocab.txt and tokenizer_config.json, and from tokenizer.json what they lack. */
async function readTokenizer(
  folder: string,
  names: readonly string[],
): Promise<Pick<ModelFolder, 'vocab' | 'tokenizerConfig' | 'addedTokens'>> {
  const given = names.includes(TOKENIZER_CONFIG) ? await readJsonFile(join(folder, TOKENIZER_CONFIG)) : null;
  const plain = names.includes('vocab.txt') ? await readTextFile(join(folder, 'vocab.txt')) : null;
  if (!names.includes(TOKENIZER)) {
    return plain === null
      ? missing(folder, 'vocab.txt', names)
      : { vocab: plain, tokenizerConfig: given, addedTokens: [] };
  }
  if (plain !== null && given !== null && 'do_lower_case' in given) {
    return { vocab: plain, tokenizerConfig: given, addedTokens: [] };
  }
  const path = join(folder, TOKENIZER);
  const { vocab, config, added } = readTokenizerJson(await readJsonFile(path), path);
  return { vocab: plain ?? vocab, tokenizerConfig: { ...config, ...given }, addedTokens: added };
}

/** The folder of the encoder: a model of sentence-transformers may keep it below, and says so in modules.json. */
async function encoderFolder(folder: string, names: readonly string[]): Promise<string> {
  if (CONFIGS.some((name) => names.includes(name)) || !names.includes(MODULES)) return folder;
  const [{ path } = { path: '' }] = await readModules(folder);
  return join(folder, path);
}

/**
 * A model from a run (its best checkpoint, else its last), from a checkpoint, or from any folder in the layout of Hugging
 * Face, of sentence-transformers or of google-research/bert. A checkpoint is compared with its manifest first.
 * @throws {InputError} not there, or incomplete; {CheckpointError} damaged, or of another format
 */
export async function loadModelFolder(path: string): Promise<ModelFolder> {
  const inside = await namesIn(path);
  const isRun = inside.includes('checkpoints') && !inside.includes(CONFIGS[0]);
  const folder = isRun ? await checkpointOf(path) : await encoderFolder(path, inside);
  const names = await namesIn(folder);
  if (names.includes(MANIFEST)) await verifyFolder(folder, CHECKPOINT_FILES);
  const config = CONFIGS.find((name) => names.includes(name)) ?? missing(folder, CONFIGS[0], names);
  return {
    folder,
    config: await readJsonFile(join(folder, config), ConfigError),
    ...(await readTokenizer(folder, names)),
    ...(await readWeights(folder, names)),
  };
}

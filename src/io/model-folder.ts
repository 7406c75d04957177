import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError, ConfigError, InputError } from '../core/errors.js';
import { CHECKPOINT_FILES, checkpointSteps, checkpointsOf, pointedAt } from './checkpoint.js';
import { disk, readJsonFile, readTextFile } from './files.js';
import { isObject, type JsonObject } from './json.js';
import { MANIFEST, verifyFolder } from './manifest.js';
import { readSafetensors, type StoredTensor } from './safetensors.js';

/** A model on disk, in Hugging Face's layout. */
export interface ModelFolder {
  /** Where it was found: for a run, the folder of the checkpoint. */
  readonly folder: string;
  /** config.json, not yet checked. */
  readonly config: JsonObject;
  /** vocab.txt */
  readonly vocab: string;
  readonly tokenizerConfig: JsonObject | null;
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** Tensors that cannot be held, and why. */
  readonly skipped: ReadonlyMap<string, string>;
}

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const CONVERT = 'in Python: AutoModel.from_pretrained(folder).save_pretrained(folder, safe_serialization=True)';

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

function missing(folder: string, name: string, names: readonly string[]): never {
  const strange = names.find((n) => /\.(bin|pt|pth|h5|ckpt|msgpack|onnx)$/.test(n) || n.includes('.ckpt'));
  if (name === WEIGHTS && strange !== undefined) {
    throw new CheckpointError(`${folder}: the weights are in ${strange}, which is not read here`, {
      code: 'MODEL-FORMAT',
      where: join(folder, strange),
      fix: CONVERT,
    });
  }
  const shown = names.slice(0, 8).join(', ');
  throw new InputError(`${folder}: ${name} is missing`, {
    code: 'MODEL-MISSING',
    where: `the folder holds ${shown === '' ? 'nothing' : shown}${names.length > 8 ? ', ...' : ''}`,
    fix: 'name a run, a checkpoint, or a folder with config.json, vocab.txt and model.safetensors',
  });
}

/** The files that a sharded model's index names; nothing outside its folder. */
async function shards(folder: string): Promise<string[]> {
  const path = join(folder, INDEX);
  const { weight_map: map } = await readJsonFile(path, CheckpointError);
  const names = isObject(map) ? [...new Set(Object.values(map))] : [];
  const odd = names.length === 0 ? null : names.find((name) => !/^[\w-][\w.-]*\.safetensors$/.test(String(name)));
  if (odd === undefined) return names.map(String);
  const what = odd === null ? 'has no weight_map' : `names ${JSON.stringify(odd)}, which is no file of this folder`;
  throw new CheckpointError(`${path}: ${what}`, { code: 'MODEL-INDEX', where: path, fix: 'fetch the model again' });
}

function checkFinite(path: string, tensors: ReadonlyMap<string, StoredTensor>): void {
  for (const [name, { data }] of tensors) {
    const at = data instanceof Float32Array ? data.findIndex((x) => !Number.isFinite(x)) : -1;
    if (at < 0) continue;
    throw new CheckpointError(`${path}: "${name}" holds ${data[at]} at element ${at}`, {
      code: 'MODEL-NOT-FINITE',
      where: path,
      fix: 'the training that made it broke; use an earlier checkpoint',
    });
  }
}

async function readWeights(
  folder: string,
  names: readonly string[],
): Promise<Pick<ModelFolder, 'weights' | 'skipped'>> {
  const files = names.includes(WEIGHTS) || !names.includes(INDEX) ? [WEIGHTS] : await shards(folder);
  const weights = new Map<string, StoredTensor>();
  const skipped = new Map<string, string>();
  for (const file of files) {
    if (!names.includes(file)) missing(folder, file, names);
    const found = await readSafetensors(join(folder, file));
    checkFinite(join(folder, file), found.tensors);
    for (const [name, tensor] of found.tensors) weights.set(name, tensor);
    for (const [name, reason] of found.skipped) skipped.set(name, reason);
  }
  return { weights, skipped };
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

/**
 * A model from a run (its best checkpoint, else its last), from a checkpoint, or from any folder with config.json,
 * vocab.txt and model.safetensors. A checkpoint is compared with its manifest first.
 * @throws {InputError} not there, or incomplete; {CheckpointError} damaged, or of another format
 */
export async function loadModelFolder(path: string): Promise<ModelFolder> {
  const inside = await namesIn(path);
  const isRun = inside.includes('checkpoints') && !inside.includes('config.json');
  const folder = isRun ? await checkpointOf(path) : path;
  const names = await namesIn(folder);
  if (names.includes(MANIFEST)) await verifyFolder(folder, CHECKPOINT_FILES);
  for (const name of ['config.json', 'vocab.txt']) if (!names.includes(name)) missing(folder, name, names);
  const tokenizer = 'tokenizer_config.json';
  return {
    folder,
    config: await readJsonFile(join(folder, 'config.json'), ConfigError),
    vocab: await readTextFile(join(folder, 'vocab.txt')),
    tokenizerConfig: names.includes(tokenizer) ? await readJsonFile(join(folder, tokenizer)) : null,
    ...(await readWeights(folder, names)),
  };
}

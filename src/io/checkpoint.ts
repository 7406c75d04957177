import { join } from 'node:path';
import { CheckpointError, IoError } from '../core/errors.js';
import { type Disk, disk, isLeftover, readJsonFile, readTextFile, writeFileAtomic } from './files.js';
import type { JsonObject } from './json.js';
import { damaged, MANIFEST, verifyFolder, writeFiles } from './manifest.js';
import { readSafetensors, type StoredTensor, safetensorsChunks, type TensorData } from './safetensors.js';
import { systemError } from './system-errors.js';

/** All that a run needs to go on, and all that transformers needs to open the model. */
export interface CheckpointContent {
  /** Steps done. */
  readonly step: number;
  /** config.json */
  readonly config: object;
  /** vocab.txt */
  readonly vocab: string;
  /** tokenizer_config.json */
  readonly tokenizerConfig: object;
  /** Under transformers' names. */
  readonly weights: ReadonlyMap<string, TensorData>;
  /** `<name>.m` and `<name>.v` of every parameter. */
  readonly optimizer: ReadonlyMap<string, TensorData>;
  /** The trainer's state: step, tokens, updates, skipped, seconds. */
  readonly state: object;
}

export interface LoadedCheckpoint extends CheckpointContent {
  readonly folder: string;
  readonly config: JsonObject;
  readonly tokenizerConfig: JsonObject;
  readonly weights: ReadonlyMap<string, StoredTensor>;
  readonly optimizer: ReadonlyMap<string, StoredTensor>;
  readonly state: JsonObject;
}

export interface SaveOptions {
  /** Newest checkpoints that stay, besides the best. */
  readonly keep?: number;
  /** The best so far by whatever the caller measures. */
  readonly best?: boolean;
  readonly disk?: Disk;
}

const FILES = {
  config: 'config.json',
  weights: 'model.safetensors',
  vocab: 'vocab.txt',
  tokenizerConfig: 'tokenizer_config.json',
  optimizer: 'optimizer.safetensors',
  state: 'state.json',
} as const;
export const CHECKPOINT_FILES: readonly string[] = Object.values(FILES);

export const checkpointsOf = (runFolder: string): string => join(runFolder, 'checkpoints');
const nameOf = (step: number): string => `step-${step}`;
const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Steps of the checkpoints in a run folder, newest first; damaged ones are among them. */
export async function checkpointSteps(runFolder: string, on: Disk = disk): Promise<number[]> {
  const names = await on.list(checkpointsOf(runFolder));
  const steps = names.flatMap((name) => /^step-(0|[1-9]\d*)$/.exec(name)?.[1] ?? []).map(Number);
  return steps.sort((a, b) => b - a);
}

/** The checkpoint that `last` or `best` names, or null. */
export async function pointedAt(runFolder: string, pointer: 'last' | 'best'): Promise<string | null> {
  const folder = checkpointsOf(runFolder);
  if (!(await disk.list(folder)).includes(pointer)) return null;
  const name = (await readTextFile(join(folder, pointer), 1000)).trim();
  return /^step-\d+$/.test(name) ? join(folder, name) : null;
}

/**
 * Removes what a stopped process left behind: half-written folders and files. A checkpoint that was about to be
 * replaced by one of the same step comes back.
 */
export async function sweepCheckpoints(runFolder: string, on: Disk = disk): Promise<void> {
  const folder = checkpointsOf(runFolder);
  const names = await on.list(folder);
  for (const name of names.filter(isLeftover)) {
    const replaced = /^\.(step-\d+)\.old\.tmp$/.exec(name)?.[1];
    if (replaced !== undefined && !names.includes(replaced))
      await on.rename(join(folder, name), join(folder, replaced));
    else await on.remove(join(folder, name));
  }
}

/** Puts a finished folder in its place. */
async function moveIn(from: string, folder: string, name: string, on: Disk): Promise<void> {
  const target = join(folder, name);
  const old = join(folder, `.${name}.old.tmp`);
  const replaces = (await on.list(folder)).includes(name); // a run that ended, and ends again at the same step
  if (replaces) await on.rename(target, old);
  await on.rename(from, target);
  await on.syncFolder(folder);
  if (replaces) await on.remove(old);
}

async function prune(runFolder: string, keep: number, on: Disk): Promise<void> {
  const best = await pointedAt(runFolder, 'best');
  for (const step of (await checkpointSteps(runFolder, on)).slice(keep)) {
    const folder = join(checkpointsOf(runFolder), nameOf(step));
    if (folder !== best) await on.remove(folder);
  }
}

async function write(runFolder: string, content: CheckpointContent, options: SaveOptions): Promise<string> {
  const { keep = 3, best = false, disk: on = disk } = options;
  const folder = checkpointsOf(runFolder);
  const name = nameOf(content.step);
  const temporary = join(folder, `.${name}.tmp`);
  await on.makeFolder(folder);
  await on.syncFolder(runFolder);
  await sweepCheckpoints(runFolder, on);
  await on.makeFolder(temporary);
  const contents = {
    [FILES.config]: json(content.config),
    [FILES.weights]: safetensorsChunks(content.weights, { format: 'pt' }), // transformers asks for this word
    [FILES.vocab]: content.vocab,
    [FILES.tokenizerConfig]: json(content.tokenizerConfig),
    [FILES.optimizer]: safetensorsChunks(content.optimizer),
    [FILES.state]: json(content.state),
  };
  await writeFiles(temporary, content.step, contents, on);
  await on.syncFolder(temporary);
  await moveIn(temporary, folder, name, on);
  await verifyFolder(join(folder, name), CHECKPOINT_FILES); // before anything older goes
  if (best) await writeFileAtomic(join(folder, 'best'), `${name}\n`, on);
  await writeFileAtomic(join(folder, 'last'), `${name}\n`, on);
  await prune(runFolder, keep, on);
  return join(folder, name);
}

/**
 * Writes `checkpoints/step-N`: files, then their manifest, all flushed to the disk, then one rename. A stop at any
 * instant leaves the earlier checkpoints whole, and this one whole or absent.
 * @returns its folder
 * @throws {IoError} a full disk, a failing device; {OutputError} no permission: nothing half-written stays
 */
export async function writeCheckpoint(
  runFolder: string,
  content: CheckpointContent,
  options: SaveOptions = {},
): Promise<string> {
  try {
    return await write(runFolder, content, options);
  } catch (error) {
    await sweepCheckpoints(runFolder, options.disk).catch(() => undefined); // the first error is the one to tell
    if (!(error instanceof CheckpointError)) throw systemError(error, checkpointsOf(runFolder), 'write');
    const fix = 'look at the system log; the disk may be failing';
    throw new IoError(`what was written reads back otherwise: ${error.message}`, {
      code: 'CHECKPOINT-VERIFY',
      fix,
      cause: error,
    });
  }
}

async function load(folder: string): Promise<LoadedCheckpoint> {
  const { step } = await verifyFolder(folder, CHECKPOINT_FILES);
  const named = Number(/(\d+)$/.exec(folder)?.[1]);
  if (step !== named) damaged(join(folder, MANIFEST), `is that of step ${step}`);
  const path = (file: keyof typeof FILES): string => join(folder, FILES[file]);
  return {
    folder,
    step,
    config: await readJsonFile(path('config'), CheckpointError),
    vocab: await readTextFile(path('vocab')),
    tokenizerConfig: await readJsonFile(path('tokenizerConfig'), CheckpointError),
    weights: (await readSafetensors(path('weights'))).tensors,
    optimizer: (await readSafetensors(path('optimizer'))).tensors,
    state: await readJsonFile(path('state'), CheckpointError),
  };
}

/** Keeps a damaged checkpoint for whoever wants to look, under a name that is never loaded. */
async function setAside(folder: string): Promise<void> {
  const names = await disk.list(join(folder, '..'));
  const base = `${/[^/\\]+$/.exec(folder)?.[0]}.corrupt`;
  let name = base;
  for (let n = 2; names.includes(name); n++) name = `${base}.${n}`;
  await disk.rename(folder, join(folder, '..', name));
}

/**
 * The newest checkpoint that is whole. Damaged ones newer than it are renamed to `*.corrupt`.
 * @param warn is told which file of which checkpoint is damaged, and how
 * @returns null when the run has none at all
 * @throws {CheckpointError} there are some, and all are damaged
 */
export async function loadNewestCheckpoint(
  runFolder: string,
  warn: (text: string) => void,
): Promise<LoadedCheckpoint | null> {
  await sweepCheckpoints(runFolder);
  const faults: { folder: string; error: CheckpointError }[] = [];
  for (const step of await checkpointSteps(runFolder)) {
    const folder = join(checkpointsOf(runFolder), nameOf(step));
    try {
      const found = await load(folder);
      for (const { folder: bad, error } of faults) {
        await setAside(bad);
        warn(`${error.message}; the checkpoint of step ${step} is used, the damaged one is now ${bad}.corrupt`);
      }
      return found;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      faults.push({ folder, error });
    }
  }
  if (faults.length === 0) return null;
  throw new CheckpointError(`${runFolder}: no checkpoint is whole: ${faults.map((f) => f.error.message).join('; ')}`, {
    code: 'CHECKPOINT-NONE-WHOLE',
    where: checkpointsOf(runFolder),
    fix: 'put back a copy of one of them, or start the run again in another folder',
  });
}

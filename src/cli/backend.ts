import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ProductSize } from '../backend/backend.js';
import { type Choice, openDefault } from '../backend/select.js';
import { parseConfig } from '../bert/config.js';
import { productsOf } from '../bert/products.js';
import { positiveInt } from './options.js';
import { addProfileOption, startProfile } from './profile.js';

/** What a user may say about where kernels run. */
export interface BackendFlags {
  readonly backend?: string;
  readonly threads?: number;
  /** Where the profile goes; true: to its usual place. */
  readonly profile?: string | true;
}

/** The options of every command that computes. */
export function addBackendOptions(command: Command): Command {
  return addProfileOption(command)
    .option('--backend <name>', 'auto, gpu, native or js (default: $BG_BACKEND, or the fastest that runs here)')
    .option('--threads <n>', 'threads of native (default: $BG_THREADS, or one a core)', positiveInt);
}

/** Tokens of a batch where a command does not say. */
const USUAL_TOKENS = 32 * 128;

/** What the trial of `auto` is of: the products of the model in a folder, where it has its config.json. */
function productsOfFolder(folder: string): readonly ProductSize[] | undefined {
  try {
    return productsOf(parseConfig(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))), USUAL_TOKENS);
  } catch {
    return undefined; // a run, a name on the hub, or damaged, which is told when the model is loaded
  }
}

/**
 * Options stand above the environment.
 * @param model the folder of the model, or its products: a GPU that `auto` finds must be faster at them
 * @throws {BackendError} the one asked for cannot run here
 */
export async function chooseBackend(
  { backend, threads, profile }: BackendFlags,
  model?: string | readonly ProductSize[],
): Promise<Choice> {
  if (backend !== undefined) process.env.BG_BACKEND = backend;
  if (threads !== undefined) process.env.BG_THREADS = `${threads}`;
  const choice = await openDefault(undefined, typeof model === 'string' ? productsOfFolder(model) : model);
  startProfile(choice.backend, profile);
  return choice;
}

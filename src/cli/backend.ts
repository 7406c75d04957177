import type { Command } from 'commander';
import { type Choice, openDefault } from '../backend/select.js';
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

/** Options stand above the environment. @throws {BackendError} the one asked for cannot run here */
export async function chooseBackend({ backend, threads, profile }: BackendFlags): Promise<Choice> {
  if (backend !== undefined) process.env.BG_BACKEND = backend;
  if (threads !== undefined) process.env.BG_THREADS = `${threads}`;
  const choice = await openDefault();
  startProfile(choice.backend, profile);
  return choice;
}

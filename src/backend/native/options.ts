import { totalmem } from 'node:os';
import { UsageError } from '../../core/errors.js';
import type { Addon } from './load.js';

/** How a native backend shall run; what is absent comes from the environment, then from the machine. */
export interface NativeOptions {
  /** Threads that compute, 1 .. 256. Else `BG_THREADS`, else one per core. */
  readonly threads?: number;
  /** Instruction set: "base", "avx2", "avx512" or "neon". Else `BG_ISA`, else the best one here. */
  readonly isa?: string;
  /** How far its memory may grow, in GiB. Else `BG_ARENA_GB`, else what the machine has. */
  readonly arenaGb?: number;
  /** Fills memory that is new or freed with NaN, to find kernels that read it. Else whether `BG_POISON` is 1. */
  readonly poison?: boolean;
}

/** The same with nothing left open. */
export interface NativeSettings {
  readonly threads: number;
  readonly isa: string;
  readonly arenaBytes: number;
  readonly poison: boolean;
}

const MOST_THREADS = 256;
const MOST_GB = 2 ** 14;

const wrong = (what: string, code: string, fix: string): UsageError => new UsageError(what, { code, fix });

/** The value of an option or of a variable of the environment, and the name under which the user knows it. */
function given(value: number | string | undefined, name: string, variable: string): [string, string] | null {
  if (value !== undefined) return [name, String(value)];
  const text = process.env[variable];
  return text === undefined || text === '' ? null : [variable, text];
}

function threadsOf(options: NativeOptions, addon: Addon): number {
  const value = given(options.threads, 'threads', 'BG_THREADS');
  if (value === null) return addon.cores;
  const threads = Number(value[1]);
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  throw wrong(
    `${value.join('=')}: no number of threads`,
    'USAGE-THREADS',
    `use a whole number from 1 to ${MOST_THREADS}`,
  );
}

function isaOf(options: NativeOptions, addon: Addon): string {
  const value = given(options.isa, 'isa', 'BG_ISA');
  if (value === null) return addon.isas[0];
  if (addon.isas.includes(value[1])) return value[1];
  const fix = `use one of ${addon.isas.join(', ')}, or none for the best`;
  throw wrong(`${value.join('=')}: no instruction set of this machine`, 'USAGE-ISA', fix);
}

/** Beyond what the machine or its container has, the system would not refuse memory but end the process. */
function machineBytes(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function arenaBytesOf(options: NativeOptions): number {
  const value = given(options.arenaGb, 'arenaGb', 'BG_ARENA_GB');
  if (value === null) return machineBytes();
  const gigabytes = Number(value[1]);
  if (gigabytes > 0 && gigabytes <= MOST_GB) return Math.ceil(gigabytes * 2 ** 30);
  throw wrong(`${value.join('=')}: no size of memory in GiB`, 'USAGE-ARENA', `use a number above 0, up to ${MOST_GB}`);
}

function poisonOf(options: NativeOptions): boolean {
  const text = process.env.BG_POISON ?? '';
  if (options.poison !== undefined) return options.poison;
  if (['', '0', '1'].includes(text)) return text === '1';
  throw wrong(`BG_POISON=${text}: neither on nor off`, 'USAGE-POISON', 'use 1 or 0');
}

/** @throws {UsageError} when a value is not one that this machine can run with */
export function settingsOf(options: NativeOptions, addon: Addon): NativeSettings {
  return {
    threads: threadsOf(options, addon),
    isa: isaOf(options, addon),
    arenaBytes: arenaBytesOf(options),
    poison: poisonOf(options),
  };
}

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TypedData } from '../../core/dtype.js';
import { BackendError } from '../../core/errors.js';
import { BINARY_FUNCTIONS, COMMANDS, UNARY_FUNCTIONS } from './codes.js';

/** A backend's memory and kernels, behind one object of native/addon.cc. Offsets and sizes are in bytes. */
export interface Engine {
  /** Instruction set of its kernels. */
  readonly isa: string;
  /** How far the memory can grow. */
  readonly size: number;
  /** Makes the first `bytes` usable. @returns false where the system has no more */
  commit(bytes: number): boolean;
  /** Lets the system have the memory of bytes `from` to `to` until they are used again; what they hold is lost. */
  discard(from: number, to: number): void;
  /**
   * Runs the commands in the first `count` numbers.
   * @param marks four numbers a command: its code, when it began and ended (milliseconds from the call), its flops
   * @throws when one is malformed or reaches outside the memory
   */
  exec(words: Float64Array, count: number, marks?: Float64Array): void;
  copyIn(offset: number, data: TypedData): void;
  copyOut(offset: number, data: TypedData): void;
  /** The instruction that multiplies bf16 numbers, 8-bit numbers; null: none here. */
  readonly bf16: string | null;
  readonly int8: string | null;
  /** Measured GFLOP/s of multiply-adds in registers on numbers of 32, 16 or 8 bits. */
  fmaPeak(threads: number, bits: number): number;
  /** Measured GB/s of moving memory within so many bytes from `offset`, which are overwritten. */
  bandwidth(offset: number, bytes: number): number;
}

/** What native/addon.cc exports. */
export interface Addon {
  readonly Engine: new (bytes: number, isa: string, threads: number) => Engine;
  readonly commands: readonly string[];
  readonly unaryFunctions: number;
  readonly binaryFunctions: number;
  /** Instruction sets this processor runs, best first. */
  readonly isas: readonly string[];
  /** Cores this process may use. */
  readonly cores: number;
}

/** Loads the addon, and node:fs, whose ES module would call all its getters: a millisecond and a megabyte at import. */
const require = createRequire(import.meta.url);
const { existsSync } = require('node:fs') as typeof import('node:fs');
const BUILD = 'npm run build';

const unavailable = (what: string, where: string, cause?: unknown): BackendError =>
  new BackendError(what, { code: 'BACKEND-NATIVE', where, fix: BUILD, cause });

/** The folder of the package: from src and from dist alike the first one upwards with a package.json. */
function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  let folder = start;
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw unavailable('the package of the native backend is not complete', start);
    folder = parent;
  }
  return folder;
}

/** The commands of the addon and ours must be the same list: an addon left over from other sources would do other things. */
function checkVersion(addon: Addon, path: string): void {
  const same =
    addon.commands?.join() === COMMANDS.join() &&
    addon.unaryFunctions === UNARY_FUNCTIONS.length &&
    addon.binaryFunctions === BINARY_FUNCTIONS.length;
  if (!same) throw unavailable('the addon was built from other sources', path);
}

/**
 * Loads the compiled addon.
 * @param path where it is, if not in the package's build folder
 * @throws {BackendError} when it was not built, does not load here, or was built from other sources
 */
export function loadAddon(path: string = join(packageRoot(), 'build', 'Release', 'bertgrad.node')): Addon {
  if (!existsSync(path)) throw unavailable('the addon is not built', path);
  let addon: Addon;
  try {
    addon = require(path) as Addon;
  } catch (cause) {
    const reason = String(cause instanceof Error ? cause.message : cause).split('\n')[0];
    throw unavailable(`the addon does not load: ${reason}`, path, cause);
  }
  checkVersion(addon, path);
  return addon;
}

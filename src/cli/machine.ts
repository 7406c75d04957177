import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { freeMemory } from '../train/audit.js';

/** What a machine has, as far as training is concerned. Bytes. */
export interface Machine {
  readonly platform: string;
  readonly node: string;
  readonly cpu: string;
  /** Cores this process may use. */
  readonly cores: number;
  /** Cores' worth of time a container may take; null without such a limit. */
  readonly cpuQuota: number | null;
  /** Vector instructions the CPU has; empty where the system does not tell. */
  readonly instructions: readonly string[];
  readonly memoryTotal: number;
  readonly memoryFree: number;
  /** What a container may take; null without such a limit. */
  readonly memoryLimit: number | null;
  /** Free space of the current folder's disk; null when the system does not tell. */
  readonly diskFree: number | null;
  /** Tools that the C++ addon is built with; null for those that are absent. */
  readonly tools: { readonly compiler: string | null; readonly make: string | null; readonly python: string | null };
}

/** Flags of /proc/cpuinfo that kernels can make use of, narrow ones first. */
const VECTOR = ['sse2', 'avx', 'avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'asimd', 'sve'];

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

function instructionsOf(): string[] {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(read('/proc/cpuinfo'))?.[1]?.split(' '));
  return VECTOR.filter((flag) => flags.has(flag));
}

/** `150000 100000` in cpu.max (cgroup v2) is one and a half cores. */
export function quotaOf(cpuMax: string): number | null {
  const [quota, period] = cpuMax.trim().split(' ').map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : null;
}

function diskFree(): number | null {
  try {
    const { bavail, bsize } = statfsSync('.');
    return bavail * bsize;
  } catch {
    return null; // the folder is gone, or the file system has no such count
  }
}

/** The first line of what `--version` prints, for the first of the names that runs. */
function toolOf(...names: readonly (string | undefined)[]): string | null {
  for (const name of names) {
    if (name === undefined || name === '') continue;
    const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8', timeout: 5000 });
    if (status === 0) return (stdout.split('\n')[0] ?? name).trim();
  }
  return null;
}

/** Looks at the machine; takes some ten milliseconds. */
export function lookAtMachine(): Machine {
  const limit = process.constrainedMemory();
  const total = totalmem();
  return {
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    cpu: cpus()[0]?.model.trim() || 'unknown CPU',
    cores: availableParallelism(),
    cpuQuota: quotaOf(read('/sys/fs/cgroup/cpu.max')),
    instructions: instructionsOf(),
    memoryTotal: total,
    memoryFree: freeMemory(),
    memoryLimit: limit > 0 && limit < total ? limit : null, // without a limit it is 0, or 2^64 and more
    diskFree: diskFree(),
    tools: {
      compiler: toolOf(process.env.CXX, 'g++', 'clang++', 'c++'),
      make: toolOf('make'),
      python: toolOf('python3'),
    },
  };
}

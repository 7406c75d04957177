import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Backend } from '../backend/backend.js';
import { type BackendName, openBackend, openDefault } from '../backend/select.js';
import { BertgradError } from '../core/errors.js';
import { INDENT } from './audit-view.js';
import { printable } from './errors.js';
import { lookAtMachine, type Machine } from './machine.js';
import { type Trial, tryMatmul } from './trial.js';
import { bytes, pad, percent, wrap } from './ui.js';
import { version } from './version.js';

/** What one backend does here. */
export interface BackendFinding {
  readonly name: string;
  /** What executes; null where it cannot run. */
  readonly runsOn: string | null;
  /** Why it cannot run, and what to do; null where it runs. */
  readonly reason: string | null;
  /** Instruction sets of its kernels that this CPU has, best first; empty where there is no choice. */
  readonly isas: readonly string[];
  /** Measured: the most multiply-adds that all threads manage; null where nobody measures. */
  readonly peakGflops: number | null;
  /** What multiplies numbers of fewer bits: an instruction, or null where it is done by wider ones, slower. */
  readonly multipliers: Backend['multipliers'] | null;
  readonly matmul: Trial | null;
  /** How much it has chosen by trials, and where that is kept; null where it chooses nothing. */
  readonly trials: string | null;
  /** What the device sets limits to, bytes; null where nothing does. */
  readonly limits: Readonly<Record<string, number>> | null;
}

/** An environment variable that this program reads. */
interface Switch {
  readonly name: string;
  readonly value: string | null;
  readonly meaning: string;
}

/** All the doctor found; what `--json` prints. */
export interface Findings {
  readonly version: string;
  readonly machine: Machine;
  /** The backend that everything runs on; null where none could be chosen. */
  readonly chosen: string | null;
  /** The sentence that says why, or why none. */
  readonly reason: string;
  readonly backends: readonly BackendFinding[];
  /** The last build of the C++ addon; null where there was none. */
  readonly addonLog: { readonly path: string; readonly error: string | null } | null;
  readonly switches: readonly Switch[];
}

const SWITCHES: readonly (readonly [name: string, meaning: string])[] = [
  ['BG_BACKEND', 'auto, gpu, native or js'],
  ['BG_ISA', 'base, avx2, avx512 or neon; unset: the best this CPU has'],
  ['BG_THREADS', 'threads of native; unset: one a core'],
  ['BG_ARENA_GB', 'how far the memory of native may grow; unset: all there is'],
  ['BG_POISON', '1 fills memory of native with NaN before it is used, to find what reads it too early'],
];
const BACKENDS = ['gpu', 'native', 'js'] as const satisfies readonly BackendName[];

/** Some backends have several instruction sets to choose from, best first. */
type Choosing = Backend & { readonly isas?: readonly string[] };

/** What went wrong, in one line, with what to do about it. */
const sentence = (error: BertgradError): string => [error.message, error.fix].filter(Boolean).join('; ');

async function measure(backend: Choosing): Promise<BackendFinding> {
  const peakGflops = backend.fmaPeak?.() ?? null;
  const { name, runsOn, isas = [], multipliers = null, limits = null, trials = null } = backend;
  return {
    name,
    runsOn,
    reason: null,
    isas,
    peakGflops,
    multipliers,
    matmul: await tryMatmul(backend),
    trials,
    limits,
  };
}

/** @param chosen the backend in use, which is not made a second time */
async function lookAtBackend(name: BackendName, chosen: Backend | null): Promise<BackendFinding> {
  try {
    return await measure(chosen?.name === name ? chosen : (await openBackend(name)).backend);
  } catch (error) {
    if (!(error instanceof BertgradError)) throw error;
    return {
      name,
      runsOn: null,
      reason: sentence(error),
      isas: [],
      peakGflops: null,
      multipliers: null,
      matmul: null,
      trials: null,
      limits: null,
    };
  }
}

/** What scripts/setup.mjs left of its last build. */
function lookAtLog(): Findings['addonLog'] {
  const path = fileURLToPath(new URL('../../build/native.log', import.meta.url));
  if (!existsSync(path)) return null;
  const error = readFileSync(path, 'utf8')
    .split('\n')
    .find((line) => /\berror\b[: ]|ERR!.*(not|fail)/i.test(line));
  return { path, error: error?.trim() ?? null };
}

async function choose(): Promise<{ backend: Backend | null; reason: string }> {
  try {
    return await openDefault();
  } catch (error) {
    if (!(error instanceof BertgradError)) throw error;
    return { backend: null, reason: sentence(error) };
  }
}

/** Looks at the machine and tries every backend, about a second. */
export async function examine(): Promise<Findings> {
  const { backend, reason } = await choose();
  const backends: BackendFinding[] = [];
  for (const name of BACKENDS) backends.push(await lookAtBackend(name, backend));
  return {
    version: version(),
    machine: lookAtMachine(),
    chosen: backend?.name ?? null,
    reason,
    backends,
    addonLog: lookAtLog(),
    switches: SWITCHES.map(([name, meaning]) => ({ name, value: process.env[name] ?? null, meaning })),
  };
}

const line = (label: string, text: string): string => `  ${pad(label, INDENT - 2)}${printable(text)}`;

function machineLines({ cpu, cores, cpuQuota, instructions, ...m }: Machine): string[] {
  const quota = cpuQuota === null ? '' : `, of whose time a container may take ${cpuQuota}`;
  const limit = m.memoryLimit === null ? '' : `, limited to ${bytes(m.memoryLimit)}`;
  const { compiler, make, python } = m.tools;
  const tools = [compiler ?? 'no g++ or clang++', make ?? 'no make', python ?? 'no python3'];
  const advice = tools.some((tool) => tool.startsWith('no ')) ? '; on Debian: apt-get install g++ make python3' : '';
  return [
    line('CPU', `${cpu}, ${cores} core${cores === 1 ? '' : 's'}${quota}`),
    ...(instructions.length === 0 ? [] : [line('', instructions.join(' '))]),
    line('memory', `${bytes(m.memoryFree)} free of ${bytes(m.memoryTotal)}${limit}`),
    line('disk', m.diskFree === null ? 'unknown' : `${bytes(m.diskFree)} free in the current folder`),
    line('compiler', `${tools.join(', ')}${advice}`),
  ];
}

function backendText({ runsOn, reason, isas, peakGflops, matmul }: BackendFinding): string {
  if (runsOn === null || matmul === null) return `does not run here: ${reason?.replace(/^\w+: /, '')}`;
  const rate = (gflops: number): string => `${gflops.toFixed(gflops < 10 ? 1 : 0)} GFLOP/s`;
  const share =
    peakGflops === null ? '' : `, ${percent(matmul.gflops / peakGflops)} of the measured peak ${rate(peakGflops)}`;
  const speed = `matmul of ${matmul.size} x ${matmul.size} at ${rate(matmul.gflops)}${share}`;
  const choice = isas.length > 1 ? ` (of ${isas.join(', ')})` : '';
  return `runs on ${runsOn}${choice}; ${speed}${matmul.right ? '' : '; ITS RESULT IS WRONG: please report this'}`;
}

/** Where a backend has a choice: what multiplies numbers of fewer bits. */
function multiplierLines({ multipliers }: BackendFinding): string[] {
  const said = Object.entries(multipliers ?? {}).map(
    ([name, by]) => `of ${name} ${by === null ? 'without an instruction for them, slower' : `by ${by}`}`,
  );
  return said.length === 0 ? [] : [line('', `products ${said.join(', ')}`)];
}

function limitLines({ limits }: BackendFinding): string[] {
  if (limits === null) return [];
  return [
    line(
      '',
      Object.entries(limits)
        .map(([what, most]) => `${what} ${bytes(most)}`)
        .join(', '),
    ),
  ];
}

const trialLines = ({ trials }: BackendFinding): string[] =>
  trials === null ? [] : [line('', `tiles of products by trials: ${trials}`)];

function addonLines({ backends, addonLog }: Findings): string[] {
  if (addonLog === null || backends.some((b) => b.name === 'native' && b.runsOn !== null)) return [];
  return [line('addon', `${addonLog.error ?? 'the last build reported no error'}; all of it: ${addonLog.path}`)];
}

/** The findings as aligned lines. */
export function doctorLines(findings: Findings): string[] {
  const { machine, backends, switches } = findings;
  return [
    `bertgrad ${findings.version}, Node.js ${machine.node}, ${machine.platform}`,
    '',
    ...machineLines(machine),
    '',
    line('in use', findings.chosen === null ? `nothing: ${findings.reason}` : findings.reason),
    ...backends.flatMap((backend) => [
      line(backend.name, backendText(backend)),
      ...multiplierLines(backend),
      ...limitLines(backend),
      ...trialLines(backend),
    ]),
    ...addonLines(findings),
    '',
    ...switches.map(({ name, value, meaning }) =>
      line(name, value === null ? `not set (${meaning})` : `${value} (${meaning})`),
    ),
  ];
}

/** `bertgrad doctor`: what runs here, how fast, and why. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Shows the machine, which backends run on it, how fast, and which one is used and why.')
    .option('--json', 'print what was found as one JSON object')
    .addHelpText('after', '\nExamples:\n  bertgrad doctor\n  BG_ISA=avx2 BG_THREADS=1 bertgrad doctor --json')
    .action(async (options: { json?: boolean }, command: Command) => {
      const findings = await examine();
      const columns = process.stdout.isTTY ? process.stdout.columns - 1 : Number.POSITIVE_INFINITY;
      const lines = doctorLines(findings).map((text) => wrap(text, columns, INDENT));
      const text = options.json ? JSON.stringify(findings, null, 2) : lines.join('\n');
      command.configureOutput().writeOut?.(`${text}\n`);
      if (findings.chosen === null) process.exitCode = 69;
    });
}

import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import type { Backend } from '../backend/backend.js';
import { type KernelCall, type Total, Trace } from '../backend/trace.js';
import { columns, percent } from './ui.js';

const DEFAULT_FILE = 'profile.json';

/** What the machine can do at most; null where nobody measures. */
export interface Roofs {
  /** GFLOP/s of multiply-adds in registers. */
  readonly gflops: number | null;
  /** GB/s of a copy from memory to memory, bytes read and written each counted once. */
  readonly gbs: number;
}

/** A profile that is being taken. */
interface Running {
  readonly backend: Backend;
  readonly trace: Trace;
  readonly file: string;
  readonly begin: number;
}

let running: Running | null = null;

/** A file may be left out, so a text behind `--profile` would be taken for one; its ending tells them apart. */
function jsonFile(text: string): string {
  if (text.endsWith('.json')) return text;
  throw new InvalidArgumentError('It must end in .json; write --profile=FILE.json, or put --profile last.');
}

/** The option of every command that computes; the profile ends with the command. */
export function addProfileOption(command: Command): Command {
  return command
    .option('--profile [file.json]', `time every kernel: a table, and a trace for Perfetto (${DEFAULT_FILE})`, jsonFile)
    .hook('postAction', finishProfile);
}

/** Begins to time kernels where the user asked for it. */
export function startProfile(backend: Backend, profile: string | true | undefined): void {
  if (profile === undefined) return;
  if (backend.trace === undefined) {
    process.stderr.write(`warning: kernels of ${backend.name} are not timed; --profile takes native or js\n`);
    return;
  }
  const trace = new Trace();
  backend.trace = trace;
  running = { backend, trace, file: profile === true ? DEFAULT_FILE : profile, begin: performance.now() };
}

async function finishProfile(): Promise<void> {
  if (running === null) return;
  const { backend, trace, file, begin } = running;
  running = null;
  await backend.flush();
  const wall = performance.now() - begin;
  backend.trace = null;
  writeFileSync(file, chromeTrace(trace.calls, begin, wall));
  const roofs: Roofs = { gflops: backend.fmaPeak?.() ?? null, gbs: await copyRate(backend) };
  const kept = trace.totals.reduce((sum, { calls }) => sum + calls, 0) > trace.calls.length;
  const note = kept ? `the first ${trace.calls.length} kernel calls` : 'all kernel calls';
  process.stderr.write(
    `\n${profileLines(trace, wall, roofs).join('\n')}\n\n${note}: ${file} (open in ui.perfetto.dev)\n`,
  );
}

/** GB/s of a copy that no cache holds. */
async function copyRate(backend: Backend): Promise<number> {
  const length = 2 ** 24;
  const [x, y] = [backend.alloc(length, backend.float), backend.alloc(length, backend.float)];
  const line = { offset: 0, strides: [1] };
  backend.kernels.fill(x, 1);
  backend.kernels.fill(y, 1);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    await backend.flush();
    const begin = performance.now();
    backend.kernels.copy(x, y, [length], line, line);
    await backend.flush();
    best = Math.min(best, performance.now() - begin);
  }
  backend.free(x);
  backend.free(y);
  return (8 * length) / best / 1e6;
}

const rate = (amount: number, ms: number, roof: number | null): string => {
  const value = amount / ms / 1e6;
  const share = roof === null ? '' : ` (${(value / roof).toFixed(2)})`;
  return `${value.toFixed(value < 9.95 ? 1 : 0)}${share}`;
};

/** Rows that are shown; what remains is drawn together. */
const MOST_ROWS = 24;

/** What a kernel was called for: the op, and the way back. */
function purpose({ op, phase }: Pick<Total, 'op' | 'phase'>): string {
  if (op === '') return '–';
  return phase === 'backward' ? `${op}, backward` : op;
}

/**
 * Where the time went, the longest first; shares are of the wall time and sum up to it.
 * @param wall milliseconds from beginning to end
 */
export function profileLines(trace: Trace, wall: number, roofs: Roofs): string[] {
  const totals = trace.totals;
  const row = (name: string, what: string, ms: number, calls = '', flops = '', bytes = ''): string[] => [
    percent(ms / wall),
    `${ms.toFixed(1)} ms`,
    calls,
    name,
    what,
    flops,
    bytes,
  ];
  const rows = totals.slice(0, MOST_ROWS).map((t) => {
    const flops = t.flops > 0 ? rate(t.flops, t.ms, roofs.gflops) : '';
    return row(t.kernel, purpose(t), t.ms, `${t.calls}`, flops, rate(t.bytes, t.ms, roofs.gbs));
  });
  const rest = totals.slice(MOST_ROWS);
  const sum = (list: readonly Total[], key: 'ms' | 'calls'): number => list.reduce((all, t) => all + t[key], 0);
  if (rest.length > 0) rows.push(row('others', `${rest.length} rows`, sum(rest, 'ms'), `${sum(rest, 'calls')}`));
  rows.push(row('not in kernels', 'TypeScript, data, files', wall - trace.ms));
  rows.push(row('all', 'wall time', wall, `${sum(totals, 'calls')}`));
  const peak = roofs.gflops === null ? '' : `multiply-adds ${roofs.gflops.toFixed(0)} GFLOP/s, `;
  const heading = `measured roofs: ${peak}copy ${roofs.gbs.toFixed(0)} GB/s; in brackets the share of the roof`;
  return [heading, ...columns(['share', 'time', 'calls', 'kernel', 'for', 'GFLOP/s', 'GB/s'], rows, [3, 4])];
}

/** Kernel calls in the trace event format of Chrome, times in microseconds from the beginning. */
export function chromeTrace(calls: readonly KernelCall[], begin: number, wall: number): string {
  const micro = (ms: number): number => Math.round(1e6 * ms) / 1e3;
  const events = calls.map((call) => ({
    name: call.op === '' ? call.kernel : `${call.kernel}: ${purpose(call)}`,
    cat: call.phase,
    ph: 'X',
    ts: micro(call.begin - begin),
    dur: micro(call.ms),
    pid: 1,
    tid: 1,
    args: { flops: call.flops, bytes: call.bytes, gflops: call.flops / call.ms / 1e6, gbs: call.bytes / call.ms / 1e6 },
  }));
  const thread = { name: 'thread_name', ph: 'M', pid: 1, tid: 1, args: { name: 'kernels' } };
  const whole = { name: 'all', cat: 'wall', ph: 'X', ts: 0, dur: micro(wall), pid: 1, tid: 2 };
  return `{"displayTimeUnit":"ms","traceEvents":[\n${[thread, whole, ...events].map((e) => JSON.stringify(e)).join(',\n')}\n]}\n`;
}

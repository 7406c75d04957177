import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Clock ticks since the machine began, of all its processors together. */
interface Ticks {
  readonly busy: number;
  readonly total: number;
  /** Of this process and of those it was told of. */
  readonly own: number;
}

const TICK = 0.01; // seconds; USER_HZ is 100 on every Linux
const STAT = '/proc/stat';

/** What a process has used, and who started it; null: it is gone. */
function processAt(pid: string): { parent: number; seconds: number } | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return { parent: Number(fields[1]), seconds: (Number(fields[11]) + Number(fields[12])) * TICK };
  } catch {
    return null;
  }
}

/** Seconds of this process, of those it was told of, and of all that these have started: a browser computes in children. */
function ownSeconds(pids: readonly number[]): number {
  const { user, system } = process.cpuUsage();
  const all = new Map(
    readdirSync('/proc').flatMap((name) => {
      const found = /^\d+$/.test(name) ? processAt(name) : null;
      return found === null ? [] : [[Number(name), found] as const];
    }),
  );
  const isOurs = (pid: number): boolean =>
    pids.includes(pid) || (pid !== process.pid && all.has(pid) && isOurs(all.get(pid)?.parent ?? 0));
  const others = [...all].filter(([pid]) => pid !== process.pid && isOurs(pid));
  return (user + system) / 1e6 + others.reduce((sum, [, { seconds }]) => sum + seconds, 0);
}

function look(pids: readonly number[]): Ticks | null {
  if (!existsSync(STAT)) return null;
  const [cpu = ''] = readFileSync(STAT, 'utf8').split('\n');
  const ticks = cpu.split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, n) => sum + n, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { busy: (total - idle) * TICK, total: total * TICK, own: ownSeconds(pids) };
}

/**
 * Watches how much of the processors others use from now on.
 * @param pids further processes that work for us, with all that they start
 * @returns a function that gives the share so far, 0 to 1; null where the system does not tell
 */
export function watchOthers(pids: readonly number[]): () => number | null {
  const before = look(pids);
  return () => {
    const now = look(pids);
    if (before === null || now === null || now.total <= before.total) return null;
    const others = now.busy - before.busy - (now.own - before.own);
    return Math.min(1, Math.max(0, others / (now.total - before.total)));
  };
}

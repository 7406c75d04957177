import { readFileSync } from 'node:fs';
import { open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { OutputError } from '../core/errors.js';
import { isObject, parseJson } from './json.js';
import { errnoOf, systemError } from './system-errors.js';

/** Who holds a folder. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the folder was locked. */
  readonly since: string;
  /** Changes with every start of the machine; '' where the system has none. */
  readonly boot: string;
  /** When the process began, in ticks since the machine's start: another process may have the same number later. */
  readonly began: string;
  readonly id: string;
}

const NAME = 'lock';
/** Seconds after which a lock file without content is no longer one that is just being written. */
const TORN_AFTER = 10;

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return otherwise; // not Linux, or the process is gone
  }
}

const bootId = (): string => readOr('/proc/sys/kernel/random/boot_id', '').trim();
/** Field 22 of /proc/N/stat, counted from behind the name, which may hold spaces (man 5 proc). */
const beginOf = (pid: number): string =>
  readOr(`/proc/${pid}/stat`, '')
    .replace(/^.*\) /s, '')
    .split(' ')[19] ?? '';

function myself(): Holder {
  const since = new Date().toISOString();
  const { pid } = process;
  return { pid, host: hostname(), since, boot: bootId(), began: beginOf(pid), id: crypto.randomUUID() };
}

function parseHolder(text: string): Holder | null {
  try {
    const value = parseJson(text);
    if (!isObject(value) || typeof value.pid !== 'number' || value.pid < 1) return null;
    const word = (key: string): string => (typeof value[key] === 'string' ? value[key] : '');
    return {
      pid: value.pid,
      host: word('host'),
      since: word('since'),
      boot: word('boot'),
      began: word('began'),
      id: word('id'),
    };
  } catch {
    return null;
  }
}

function isAlive({ pid, host, boot, began }: Holder): boolean {
  if (host !== hostname()) return true; // cannot be known from here
  if (boot !== bootId()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false; // EPERM: alive, and somebody else's
  }
  return began === beginOf(pid);
}

/** @param holder null while the lock file is still being written */
function refuse(folder: string, holder: Holder | null): never {
  const elsewhere = holder !== null && holder.host !== hostname();
  const who = holder === null ? 'a process that is just starting' : `process ${holder.pid}`;
  const since = holder === null ? '' : `${elsewhere ? ` on ${holder.host}` : ''} since ${holder.since}`;
  throw new OutputError(`${folder}: in use by ${who}${since}`, {
    code: 'RUN-LOCKED',
    where: join(folder, NAME),
    fix: elsewhere ? `if that process is gone, delete ${join(folder, NAME)}` : 'wait for it, or stop it',
  });
}

/** Moves a stale lock out of the way; the one moved must be the one that was judged. */
async function clear(path: string, judged: string): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return; // somebody else was faster; the next try will tell
    throw error;
  }
  const moved = await readFile(aside, 'utf8');
  if (moved === judged) await unlink(aside);
  else await rename(aside, path);
}

/** Creates the lock file, or looks at the one that is there. @returns what was there, null when the lock is ours */
async function tryCreate(path: string, content: string): Promise<string | null> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(content).finally(() => handle.close());
    return null;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return await readFile(path, 'utf8').catch(() => '');
  }
}

async function acquire(folder: string, content: string, remark: (text: string) => void): Promise<void> {
  const path = join(folder, NAME);
  for (let attempt = 0; attempt < 3; attempt++) {
    const found = await tryCreate(path, content);
    if (found === null) return;
    const holder = parseHolder(found);
    const age = (Date.now() - ((await stat(path).catch(() => null))?.mtimeMs ?? 0)) / 1000;
    if (holder === null ? age < TORN_AFTER : isAlive(holder)) refuse(folder, holder);
    await clear(path, found);
    const whose = holder === null ? 'an unreadable lock' : `the lock of process ${holder.pid}, gone since it took it`;
    remark(`${folder}: ${whose}${holder === null ? '' : ` at ${holder.since}`}, is taken over`);
  }
  throw new OutputError(`${folder}: other processes are taking it at this moment`, { code: 'RUN-LOCKED' });
}

/**
 * Takes a folder for this process alone. The lock of a process that is gone is taken over.
 * @param remark is told of a lock that was taken over
 * @returns gives the folder back
 * @throws {OutputError} a living process has it: its number, and since when
 */
export async function lockFolder(folder: string, remark: (text: string) => void): Promise<() => Promise<void>> {
  const path = join(folder, NAME);
  const content = `${JSON.stringify(myself())}\n`;
  try {
    await acquire(folder, content, remark);
  } catch (error) {
    throw systemError(error, path, 'write');
  }
  return async () => {
    const present = await readFile(path, 'utf8').catch(() => '');
    if (present === content) await unlink(path).catch(() => undefined);
  };
}

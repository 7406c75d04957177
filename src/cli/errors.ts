import { CommanderError } from 'commander';
import { BertgradError, InputError, IoError, OutputError, UsageError } from '../core/errors.js';

/** What ends on stderr, and the exit code that goes with it. */
export interface Report {
  readonly text: string;
  readonly exitCode: number;
}

/** Longest part of a message; a shell argument or a line of data can be of any length. */
const LONGEST = 600;

// Control characters, line separators, and the marks that turn the direction of writing.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach the terminal
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text that came from a file or an argument, safe to print: `\x1b` for escape, `\u202e` for a turned direction. */
export function printable(text: string): string {
  const shown = text.replace(UNPRINTABLE, (c) => {
    const code = c.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
  return shown.length <= LONGEST ? shown : `${shown.slice(0, LONGEST / 2)} ... ${shown.slice(-LONGEST / 2)}`;
}

/** The parts of a message besides what is wrong. */
interface Parts {
  readonly where?: string | undefined;
  readonly fix?: string | undefined;
}

/** `error[CODE]: what`, `  where: ...`, `  fix:   ...`: a line each, the last two where there is something to say. */
export function formatMessage(kind: 'error' | 'warning', code: string, what: string, parts: Parts = {}): string {
  const lines = [`${kind}[${code}]: ${printable(what)}`];
  if (parts.where !== undefined) lines.push(`  where: ${printable(parts.where)}`);
  if (parts.fix !== undefined) lines.push(`  fix:   ${printable(parts.fix)}`);
  return `${lines.join('\n')}\n`;
}

/** What the system's error numbers mean to a user, and whose class of error they are. */
const SYSTEM: Readonly<Record<string, readonly [words: string, kind: typeof BertgradError, fix: string]>> = {
  ENOENT: ['no such file or folder', InputError, 'check the spelling; relative paths start at the current folder'],
  ENOTDIR: ['a part of the path is a file, not a folder', InputError, 'check the path'],
  EISDIR: ['this is a folder, not a file', InputError, 'name a file in it'],
  ELOOP: ['the links of this path lead in a circle', InputError, 'name the file itself'],
  EACCES: ['no permission', InputError, 'check the owner and mode: ls -l'],
  EPERM: ['not permitted', InputError, 'check the owner and mode: ls -l'],
  EMFILE: ['too many open files', IoError, 'raise the limit: ulimit -n 4096'],
  EEXIST: ['it exists already', OutputError, 'name another output'],
  ENOTEMPTY: ['the folder is not empty', OutputError, 'name another output'],
  EROFS: ['the file system is read-only', OutputError, 'name an output on another disk'],
  ENOSPC: ['the disk is full', IoError, 'free some space: df -h'],
  EDQUOT: ['your disk quota is used up', IoError, 'free some space: quota'],
  EIO: ['the device reported an error', IoError, 'look at the system log; the disk may be failing'],
};
/** System calls that make or change something: no permission there is an output's fault. */
const WRITES = new Set(['mkdir', 'mkdtemp', 'rename', 'unlink', 'rmdir', 'rm', 'write', 'ftruncate', 'fsync', 'link']);

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error && 'syscall' in error;

function fromSystem(error: NodeJS.ErrnoException): BertgradError | null {
  const known = SYSTEM[error.code ?? ''];
  if (known === undefined) return null;
  const [words, kind, fix] = known;
  const Kind = kind === InputError && WRITES.has(error.syscall ?? '') ? OutputError : kind;
  return new Kind(error.path === undefined ? words : `${error.path}: ${words}`, {
    code: `SYSTEM-${error.code}`,
    fix,
    cause: error,
  });
}

/** Commander's messages begin with "error: " and may carry its own suggestion in a second line. */
const fromCommander = (error: CommanderError): UsageError =>
  new UsageError(error.message.replace(/^error: /, '').replace(/\n.*/s, ''), { code: 'USAGE', cause: error });

function asOurs(error: unknown): BertgradError | null {
  if (error instanceof BertgradError) return error;
  if (error instanceof CommanderError) return fromCommander(error);
  return isSystemError(error) ? fromSystem(error) : null;
}

const stackOf = (error: unknown): string => {
  if (!(error instanceof Error)) return '';
  const cause = error.cause === undefined ? '' : `caused by: ${stackOf(error.cause) || String(error.cause)}`;
  return `${error.stack ?? error.message}\n${cause}`;
};

/** `ShapeError` without a code of its own is `SHAPE`. */
const codeOf = (error: BertgradError): string => error.code ?? error.name.replace(/Error$/, '').toUpperCase();

/**
 * What to print for anything that was thrown, and how to end.
 * @param debug adds the stack
 */
export function describeError(error: unknown, debug = false): Report {
  const stack = debug ? stackOf(error) : '';
  if (isSystemError(error) && error.code === 'EPIPE') return { text: '', exitCode: 0 }; // the reader has seen enough
  const ours = asOurs(error);
  if (ours !== null) {
    return { text: formatMessage('error', codeOf(ours), ours.message, ours) + stack, exitCode: ours.exitCode };
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const fix = debug
    ? 'this is a bug in bertgrad; report it with the lines below and the output of `bertgrad doctor`'
    : 'this is a bug in bertgrad; run the same command with --debug and report what it prints';
  return { text: formatMessage('error', 'BUG', what, { fix }) + stack, exitCode: 70 };
}

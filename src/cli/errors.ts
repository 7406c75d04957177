import { CommanderError } from 'commander';
import { BertgradError, UsageError } from '../core/errors.js';
import { systemError } from '../io/system-errors.js';

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

/** System calls that make or change something, and mistakes that only making something can have. */
const WRITES = new Set(['mkdir', 'mkdtemp', 'rename', 'unlink', 'rmdir', 'rm', 'write', 'ftruncate', 'fsync', 'link']);
const MAKING = new Set(['EEXIST', 'ENOTEMPTY', 'EROFS']);

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error && 'syscall' in error;

/** A failed system call that no part of the program put into words. */
function fromSystem(error: NodeJS.ErrnoException): BertgradError | null {
  const writes = WRITES.has(error.syscall ?? '') || MAKING.has(error.code ?? '');
  const path = error.path ?? (writes ? 'output' : 'input');
  const ours = systemError(error, path, writes ? 'write' : 'read');
  return ours instanceof BertgradError ? ours : null;
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

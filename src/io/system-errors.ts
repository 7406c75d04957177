import { type BertgradError, InputError, IoError, OutputError } from '../core/errors.js';

export const errnoOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

/** What the system's error numbers mean, whose class of error they are when reading and when writing, and what helps. */
const SYSTEM: Readonly<
  Record<string, readonly [words: string, read: typeof BertgradError, write: typeof BertgradError, fix: string]>
> = {
  ENOENT: ['no such file or folder', InputError, OutputError, 'check the spelling'],
  ENOTDIR: ['a part of the path is a file, not a folder', InputError, OutputError, 'check the path'],
  EISDIR: ['this is a folder, not a file', InputError, OutputError, 'name a file'],
  EACCES: ['no permission', InputError, OutputError, 'check the owner and mode: ls -l'],
  EPERM: ['not permitted', InputError, OutputError, 'check the owner and mode: ls -l'],
  ELOOP: ['the links of this path lead in a circle', InputError, OutputError, 'name the file itself'],
  ENAMETOOLONG: ['the name is too long', InputError, OutputError, 'use a shorter path'],
  EEXIST: ['it exists already', InputError, OutputError, 'name another output'],
  ENOTEMPTY: ['the folder is not empty', InputError, OutputError, 'name another output'],
  EROFS: ['the file system is read-only', InputError, OutputError, 'name an output on another disk'],
  EMFILE: ['too many open files', IoError, IoError, 'raise the limit: ulimit -n 4096'],
  ENFILE: ['too many open files', IoError, IoError, 'close other programs'],
  ENOSPC: ['the disk is full', IoError, IoError, 'free some space: df -h'],
  EDQUOT: ['your disk quota is used up', IoError, IoError, 'free some space: quota'],
  EFBIG: ['the file would be larger than is allowed', IoError, IoError, 'raise the limit: ulimit -f unlimited'],
  EIO: ['the device reported an error', IoError, IoError, 'look at the system log; the disk may be failing'],
};

/**
 * A failed system call as an error of ours, with the code `SYSTEM-ENOSPC` and the like; errors of ours and bugs pass.
 * @param path as the user knows it
 */
export function systemError(error: unknown, path: string, use: 'read' | 'write'): unknown {
  const known = SYSTEM[errnoOf(error) ?? ''];
  if (known === undefined) return error;
  const [words, read, write, fix] = known;
  const Kind = use === 'read' ? read : write;
  const parts = { code: `SYSTEM-${errnoOf(error)}`, fix, cause: error };
  return new Kind(`${path}: cannot be ${use === 'read' ? 'read' : 'written'}: ${words}`, parts);
}

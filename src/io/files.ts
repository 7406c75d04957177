import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type BertgradError, DataError, type ErrorParts } from '../core/errors.js';
import { isObject, type Json, type JsonObject, JsonSyntaxError, parseJson } from './json.js';
import { errnoOf, systemError } from './system-errors.js';

/** A file being written. */
export interface OutputFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Returns when the bytes are on the disk, not only in the system's cache. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The calls through which everything goes that must survive a crash, so that a test can fail or stop each of them. */
export interface Disk {
  /** Makes the folder and those above it; there already is fine. */
  makeFolder(path: string): Promise<void>;
  create(path: string): Promise<OutputFile>;
  /** Makes new names in a folder survive a loss of power. */
  syncFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file, or a folder with all in it; gone already is fine. */
  remove(path: string): Promise<void>;
  /** Names in a folder; none when it is not there. */
  list(path: string): Promise<string[]>;
}

/** Bytes of one call to the system, which takes less than 2 GiB. */
const LARGEST_CALL = 2 ** 28;

async function createFile(path: string): Promise<OutputFile> {
  const handle = await open(path, 'w');
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const part = Math.min(LARGEST_CALL, bytes.length - done);
        done += (await handle.write(bytes, done, part)).bytesWritten;
      }
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function list(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The machine's own disk. */
export const disk: Disk = {
  makeFolder: async (path) => void (await mkdir(path, { recursive: true })),
  create: createFile,
  syncFolder,
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  list,
};

/**
 * Writes a file whole and waits until it is on the disk.
 * @param chunks its bytes, in order; asked for one at a time
 */
export async function writeSynced(path: string, chunks: Iterable<Uint8Array>, on: Disk = disk): Promise<void> {
  const file = await on.create(path);
  try {
    for (const chunk of chunks) await file.write(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

const encoder = new TextEncoder();

/** What a file can be made of: text becomes UTF-8, pieces are asked for one at a time. */
export type Content = string | Uint8Array | Iterable<Uint8Array>;

export function toChunks(content: Content): Iterable<Uint8Array> {
  if (typeof content === 'string') return [encoder.encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

/** Files that a stopped process left half-written: `.name.123.tmp`. */
export const isLeftover = (name: string): boolean => /^\..+\.tmp$/.test(name);

/**
 * Replaces a file so that whoever reads it, at whatever moment, sees the old content or the new, whole.
 * @throws {IoError} a full disk, a failing device; {OutputError} no such folder, no permission: the old file stays
 */
export async function writeFileAtomic(path: string, content: Content, on: Disk = disk): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  try {
    await writeSynced(temporary, toChunks(content), on);
    await on.rename(temporary, path);
    await on.syncFolder(folder);
  } catch (error) {
    await on.remove(temporary).catch(() => undefined); // the first error is the one to tell
    throw systemError(error, path, 'write');
  }
}

/** Fills `target` with the bytes from `offset` on. @throws {DataError} the file ends before */
export async function readFully(handle: FileHandle, path: string, offset: number, target: Uint8Array): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const part = Math.min(LARGEST_CALL, target.length - done);
    const { bytesRead } = await handle.read(target, done, part, offset + done);
    if (bytesRead === 0) throw new DataError(`${path}: ends at byte ${offset + done}`, { code: 'FILE-SHORT' });
    done += bytesRead;
  }
}

/**
 * A UTF-8 text file; a byte order mark is dropped.
 * @param limit bytes; a longer file is refused before it is read
 * @throws {InputError} missing, no permission, a folder; {DataError} not UTF-8, too long
 */
export async function readTextFile(path: string, limit = 64e6): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > limit) {
      const what = `${path}: ${size} bytes are more than a file of this kind can have (${limit})`;
      throw new DataError(what, { code: 'FILE-TOO-LARGE', fix: 'check that this is the right file' });
    }
    const handle = await open(path, 'r');
    const bytes = await handle.readFile().finally(() => handle.close());
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (errnoOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      const fix = 'convert it to UTF-8, or fetch it again if it should be UTF-8 already';
      throw new DataError(`${path}: is not UTF-8 text`, { code: 'DATA-ENCODING', fix, cause: error });
    }
    throw systemError(error, path, 'read');
  }
}

/**
 * A file with one JSON object in it.
 * @param Kind whose fault a mistake is: ConfigError for a configuration, CheckpointError inside a checkpoint
 * @throws {InputError} missing or unreadable; otherwise Kind, with line and column
 */
export async function readJsonFile(
  path: string,
  Kind: new (what: string, parts?: ErrorParts) => BertgradError = DataError,
): Promise<JsonObject> {
  const text = await readTextFile(path, 16e6);
  let value: Json;
  try {
    value = parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const before = text.slice(0, error.offset).split('\n');
    const where = `${path}:${before.length}:${(before.at(-1) ?? '').length + 1}`;
    throw new Kind(`${path}: is not valid JSON: ${error.message}`, { code: 'JSON-SYNTAX', where, fix: FIX });
  }
  if (isObject(value)) return value;
  throw new Kind(`${path}: must hold one JSON object`, { code: 'JSON-OBJECT', where: path, fix: FIX });
}

const FIX = 'correct the file at that place, or fetch it again';

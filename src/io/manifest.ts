import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BertgradError, CheckpointError, DataError, InputError } from '../core/errors.js';
import { type Content, type Disk, readJsonFile, toChunks, writeSynced } from './files.js';
import { isObject } from './json.js';
import { errnoOf, systemError } from './system-errors.js';

export const MANIFEST = 'manifest.json';
const FORMAT = 1;

/** Size and SHA-256 of a file. */
export interface Fingerprint {
  readonly bytes: number;
  readonly sha256: string;
}

/** What a folder must hold, written last: a folder without one was never finished. */
export interface Manifest {
  readonly step: number;
  readonly files: Readonly<Record<string, Fingerprint>>;
}

/** Writes a folder's files and their manifest; each is on the disk when this returns. */
export async function writeFiles(
  folder: string,
  step: number,
  contents: Readonly<Record<string, Content>>,
  on: Disk,
): Promise<Manifest> {
  const { createHash } = await import('node:crypto'); // as below: most programs that load the library never need it
  const files: Record<string, Fingerprint> = {};
  for (const [name, content] of Object.entries(contents)) {
    const hash = createHash('sha256');
    let bytes = 0;
    function* measured(): Generator<Uint8Array> {
      for (const chunk of toChunks(content)) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
    await writeSynced(join(folder, name), measured(), on);
    files[name] = { bytes, sha256: hash.digest('hex') };
  }
  const text = JSON.stringify({ format: FORMAT, step, files }, null, 2); // no newline: the last byte matters, too
  await writeSynced(join(folder, MANIFEST), toChunks(text), on);
  return { step, files };
}

async function sha256Of(path: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  const handle = await open(path, 'r');
  const buffer = new Uint8Array(2 ** 20);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** @throws {CheckpointError} always */
export function damaged(path: string, what: string): never {
  throw new CheckpointError(`${path}: ${what}`, {
    code: 'CHECKPOINT-DAMAGED',
    where: path,
    fix: 'use an older checkpoint of the run; look at the disk if this happens again',
  });
}

async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  const { format, step, files, ...rest } = await readJsonFile(path, CheckpointError);
  if (format !== FORMAT) damaged(path, `format ${JSON.stringify(format)} instead of ${FORMAT}`);
  const [odd] = Object.keys(rest);
  if (odd !== undefined) damaged(path, `unknown key ${JSON.stringify(odd)}`);
  if (typeof step !== 'number' || !isObject(files)) return damaged(path, '"step" or "files" is missing');
  const entries = Object.entries(files).map(([name, value]): [string, Fingerprint] => {
    const { bytes, sha256 } = isObject(value) ? value : {};
    if (typeof bytes !== 'number' || typeof sha256 !== 'string') return damaged(path, `no fingerprint of ${name}`);
    return [name, { bytes, sha256 }];
  });
  return { step, files: Object.fromEntries(entries) };
}

/** Errors that say a file is damaged. Others, such as too many open files, say nothing about it. */
const DAMAGE: Readonly<Record<string, string>> = {
  ENOENT: 'is missing',
  ENOTDIR: 'is missing',
  EISDIR: 'is a folder',
  EIO: 'cannot be read: the device reports an error',
};

async function verifyFile(path: string, { bytes, sha256 }: Fingerprint): Promise<void> {
  const { size } = await stat(path);
  if (size !== bytes) damaged(path, `has ${size} bytes, ${bytes} were written`);
  if ((await sha256Of(path)) !== sha256) damaged(path, 'has changed since it was written (another SHA-256)');
}

/** Turns errors of reading into the finding that the file is damaged, where they are that. */
async function checking<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof BertgradError ? error.cause : error;
    const what = DAMAGE[errnoOf(cause) ?? ''];
    if (what !== undefined) return damaged(path, what);
    if (error instanceof DataError && !(error instanceof InputError)) return damaged(path, error.message); // not UTF-8
    throw systemError(error, path, 'read');
  }
}

/**
 * Reads every file of a checkpoint and compares it with the manifest.
 * @param required names that must be there
 * @throws {CheckpointError} the first file that is missing, cut short or changed
 */
export async function verifyFolder(folder: string, required: readonly string[]): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  const manifest = await checking(path, () => readManifest(folder));
  const missing = required.find((name) => !(name in manifest.files));
  if (missing !== undefined) damaged(path, `says nothing of ${missing}`);
  for (const [name, fingerprint] of Object.entries(manifest.files)) {
    if (!/^[\w.-]+$/.test(name)) damaged(path, `names ${JSON.stringify(name)}, which is no file of this folder`);
    const file = join(folder, name);
    await checking(file, () => verifyFile(file, fingerprint));
  }
  return manifest;
}

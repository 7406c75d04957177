import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, IoError } from '../core/errors.js';
import { disk } from './files.js';
import { type Answer, type HubClient, networkError } from './hub-request.js';
import { systemError } from './system-errors.js';

/** A file of a model as the hub describes it. */
export interface HubFile {
  readonly name: string;
  /** Name of its content: SHA-256 of a large file, git's SHA-1 of a small one. */
  readonly etag: string;
  readonly size: number;
}

/** Times in a row that a download is taken up again without a byte having come, each time a little later. */
const ATTEMPTS = 5;

export type Progress = (name: string, done: number, total: number) => void;

/** SHA-256 for 64 digits, git's SHA-1 of a blob for 40; anything else says nothing about the content. */
async function hashFor({ etag, size }: HubFile): Promise<Hash | null> {
  const { createHash } = await import('node:crypto');
  if (/^[0-9a-f]{64}$/.test(etag)) return createHash('sha256');
  return /^[0-9a-f]{40}$/.test(etag) ? createHash('sha1').update(`blob ${size}\0`) : null;
}

async function verify(path: string, file: HubFile, url: string): Promise<void> {
  const hash = await hashFor(file);
  if (hash === null) return;
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  if (hash.digest('hex') === file.etag) return;
  await rm(path, { force: true });
  throw new DataError(`${file.name}: what arrived is not what the hub has (another checksum)`, {
    code: 'HUB-CHECKSUM',
    where: url,
    fix: 'try again; if it happens again, the mirror or a proxy changes files',
  });
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0;

/** Appends the body of an answer. @throws {IoError} the connection was lost, {DataError} more bytes than there should be */
async function append(path: string, answer: Answer, from: number, file: HubFile, progress: Progress): Promise<void> {
  const handle = await open(path, from > 0 ? 'a' : 'w');
  let done = from;
  try {
    progress(file.name, done, file.size);
    for await (const chunk of answer.response.body ?? []) {
      answer.alive();
      done += chunk.length;
      if (done > file.size) throw tooLong(file);
      await handle.write(chunk);
      progress(file.name, done, file.size);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const tooLong = ({ name, size }: HubFile): DataError =>
  new DataError(`${name}: more than the ${size} bytes that were announced`, { code: 'HUB-PROTOCOL', fix: 'try again' });

/** One try, from where the last one ended. @returns whether all is there */
async function attempt(
  client: HubClient,
  path: string,
  incomplete: string,
  file: HubFile,
  progress: Progress,
): Promise<boolean> {
  let from = await sizeOf(incomplete);
  if (from > file.size) {
    await rm(incomplete, { force: true });
    from = 0;
  }
  if (from === file.size && file.size > 0) return true;
  const answer = await client.send(path, { from });
  try {
    // A server that does not know ranges sends everything; one that has nothing more answers 416.
    if (answer.response.status === 416) await rm(incomplete, { force: true });
    else await append(incomplete, answer, answer.response.status === 206 ? from : 0, file, progress);
  } finally {
    answer.close();
  }
  return (await sizeOf(incomplete)) === file.size;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Fetches a file into `blobs` under its etag. What a lost connection left is gone on from, also by a later process.
 * @param path on the hub
 * @returns the path of the blob
 * @throws {IoError} the connection was lost again and again; {DataError} another checksum; what `send` throws
 */
export async function fetchBlob(
  client: HubClient,
  path: string,
  file: HubFile,
  blobs: string,
  progress: Progress,
  wait = 1000,
): Promise<string> {
  const target = join(blobs, file.etag);
  const incomplete = `${target}.incomplete`;
  const url = `${client.settings.endpoint}${path}`;
  if ((await disk.list(blobs)).includes(file.etag) && (await sizeOf(target)) === file.size) return target;
  let lost: unknown = new Error('the file ended early');
  let reached = await sizeOf(incomplete);
  for (let failed = 0; failed < ATTEMPTS; failed++) {
    if (failed > 0) await pause(wait * 2 ** (failed - 1));
    try {
      if (await attempt(client, path, incomplete, file, progress)) {
        await verify(incomplete, file, url);
        await rename(incomplete, target);
        return target;
      }
    } catch (error) {
      const ours = systemError(error, incomplete, 'write');
      const isLost = !(ours instanceof DataError) && (!(ours instanceof IoError) || ours.code === 'HUB-NETWORK');
      if (!isLost) throw ours;
      lost = ours;
    }
    const size = await sizeOf(incomplete);
    if (size > reached) failed = -1; // bytes came: this connection is worth another try
    reached = size;
  }
  throw networkError(url, lost);
}

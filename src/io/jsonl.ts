import { closeSync, createReadStream, ftruncateSync, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { AppendFile, type Write } from './append-file.js';
import { isObject, type JsonObject } from './json.js';
import { errnoOf, systemError } from './system-errors.js';

const NEWLINE = 0x0a;

/** Lines of a file with the offset at which each ends; a last line without an end is not among them. */
function* lines(fd: number): Generator<{ text: string; end: number }> {
  const chunk = new Uint8Array(2 ** 20);
  let rest = new Uint8Array(0);
  let at = 0;
  for (;;) {
    const count = readSync(fd, chunk, 0, chunk.length, at + rest.length);
    if (count === 0) return;
    const bytes = Buffer.concat([rest, chunk.subarray(0, count)]);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      yield { text: bytes.toString('utf8', from, end), end: at + end + 1 };
      from = end + 1;
    }
    rest = bytes.subarray(from);
    at += from;
  }
}

/**
 * Cuts a log so that a run going on from `step` does not write its lines twice: from the first line of a later step, or
 * without a step, or without an end, nothing stays.
 */
function cutAfter(path: string, step: number): void {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw systemError(error, path, 'write');
  }
  try {
    let keep = 0;
    for (const { text, end } of lines(fd)) {
      const found = /^\{"step":(\d+)(?:,.*)?\}$/.exec(text);
      if (found === null || Number(found[1]) > step) break;
      keep = end;
    }
    ftruncateSync(fd, keep);
  } finally {
    closeSync(fd);
  }
}

/** A record of a step; its other fields are whatever JSON can hold. */
export interface StepRecord {
  readonly step: number;
}

const encoder = new TextEncoder();

/** A file of records, one JSON object a line, each of a step. Numbers that are not finite are written as null. */
export class JsonLog {
  private readonly file: AppendFile;

  /**
   * @param resumedStep the last step whose lines stay; a new run has 0 or none
   * @param warn is told when nothing can be written
   */
  constructor(path: string, resumedStep: number, warn: (text: string) => void, write?: Write) {
    cutAfter(path, resumedStep);
    this.file = new AppendFile(path, warn, write);
  }

  append(record: StepRecord): void {
    const { step, ...rest } = record;
    this.file.append(encoder.encode(`${JSON.stringify({ step, ...rest })}\n`)); // `step` first: cutAfter looks for it
  }

  /** @throws {IoError} records wait for room on the disk */
  flush(): void {
    this.file.flush();
  }

  /** @throws {IoError} records wait for room on the disk */
  close(): void {
    this.file.close();
  }
}

/** Records of such a file, in order; none when it is not there. Lines that were cut short are left out. */
export async function* readJsonl(path: string): AsyncGenerator<JsonObject> {
  const stream = createReadStream(path, 'utf8');
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      const record = parseLine(line);
      if (record !== null) yield record;
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw systemError(error, path, 'read');
  }
}

/** The fast parser of the engine: these are our own lines, and there may be a million. */
function parseLine(line: string): JsonObject | null {
  try {
    const value: JsonObject = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

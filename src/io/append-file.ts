import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { systemError } from './system-errors.js';

/** Bytes that wait while nothing can be written; beyond, the oldest go. */
const MOST_WAITING = 16e6;

export type Write = (fd: number, bytes: Uint8Array) => number;

/**
 * A file that records are added to. A record is there whole or not at all; while the disk is full, records wait and
 * the caller goes on. Calls are synchronous: a record of a step costs one system call of some microseconds.
 */
export class AppendFile {
  private readonly fd: number;
  /** Bytes up to the end of the last whole record. */
  private length: number;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private failure: unknown = null;

  /**
   * @param warn is told once of every time that nothing can be written
   * @throws {OutputError} no such folder, no permission
   */
  constructor(
    readonly path: string,
    private readonly warn: (text: string) => void,
    private readonly write: Write = writeSync,
  ) {
    try {
      this.fd = openSync(path, 'a');
    } catch (error) {
      throw systemError(error, path, 'write');
    }
    this.length = fstatSync(this.fd).size;
  }

  append(record: Uint8Array): void {
    this.waiting.push(record);
    this.waitingBytes += record.length;
    this.drain();
    while (this.waitingBytes > MOST_WAITING) this.waitingBytes -= this.waiting.shift()?.length ?? 0;
  }

  private drain(): void {
    try {
      while (this.waiting.length > 0) {
        const [record] = this.waiting;
        for (let done = 0; done < record.length; ) done += this.write(this.fd, record.subarray(done));
        this.waiting.shift();
        this.waitingBytes -= record.length;
        this.length += record.length;
      }
      this.failure = null;
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const first = this.failure === null;
    this.failure = systemError(error, this.path, 'write');
    try {
      ftruncateSync(this.fd, this.length); // no half records
    } catch {
      // as full as before; the reader drops a last line without an end
    }
    if (first) this.warn(`${(this.failure as Error).message}; new records wait in memory until they can be written`);
  }

  /** Waits until all records are on the disk. @throws {IoError} some could not be written */
  flush(): void {
    this.drain();
    if (this.failure instanceof Error) throw this.failure;
    try {
      fsyncSync(this.fd);
    } catch (error) {
      throw systemError(error, this.path, 'write');
    }
  }

  /** @throws {IoError} some records could not be written */
  close(): void {
    try {
      this.flush();
    } finally {
      closeSync(this.fd);
    }
  }
}

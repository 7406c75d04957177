import { bytesPer, type DType, dtypeOf, type TypedData } from '../core/dtype.js';
import { BackendError, DtypeError } from '../core/errors.js';
import type { Buf } from './backend.js';

/** Memory that one or more buffers look at; it counts as live until the last of them is freed. */
export interface Share {
  readonly bytes: number;
  users: number;
}

/** A buffer: a window of a share. */
export class Window<S extends Share> implements Buf {
  freed = false;

  constructor(
    readonly memory: WindowMemory<S>,
    readonly share: S,
    readonly dtype: DType,
    /** First element within the share. */
    readonly at: number,
    readonly length: number,
  ) {}
}

/**
 * Buffers whose memory the garbage collector does not see: opens windows, refuses those that are gone or of another
 * backend, and counts. What lies behind a share is up to the backend.
 */
export abstract class WindowMemory<S extends Share> {
  liveBytes = 0;
  peakBytes = 0;

  /** @param backend its name, for messages */
  protected constructor(private readonly backend: string) {}

  /** @throws {BackendError} no room, or larger than can be */
  protected abstract take(length: number, bytes: number): S;
  /** Nobody looks at it any more. */
  protected abstract giveBack(share: S): void;

  /** Whether a share is memory that counts as live. */
  protected counts(_share: S): boolean {
    return true;
  }

  alloc(length: number, dtype: DType): Window<S> {
    if (dtype === 'f64') {
      throw new DtypeError(`${this.backend}: no f64; f32 and i32 are what it computes with`, {
        fix: "use the js backend with 'f64'",
      });
    }
    const bytes = length * bytesPer(dtype);
    const share = this.take(length, bytes);
    if (this.counts(share)) this.liveBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    return new Window(this, share, dtype, 0, length);
  }

  view(buf: Buf, offset: number, length: number): Window<S> {
    const { share, dtype, at } = this.own(buf);
    if (!(offset >= 0 && length >= 0 && offset + length <= buf.length)) {
      throw new BackendError(`${this.backend}: a view of ${offset} .. ${offset + length} into ${buf.length} elements`);
    }
    share.users++;
    return new Window(this, share, dtype, at + offset, length);
  }

  free(buf: Buf): void {
    if (buf instanceof Window && buf.freed) {
      throw new BackendError(`${this.backend}: a buffer was freed twice`, { code: 'BACKEND-FREED' });
    }
    const owned = this.own(buf);
    const { share } = owned;
    owned.freed = true;
    share.users--;
    if (share.users > 0) return;
    if (this.counts(share)) this.liveBytes -= share.bytes;
    this.giveBack(share);
  }

  /** @throws {BackendError} freed, or of another backend */
  own(buf: Buf): Window<S> {
    if (!(buf instanceof Window) || buf.memory !== this) {
      throw new BackendError(`${this.backend}: a buffer of another backend`, { code: 'BACKEND-MIXED' });
    }
    if (buf.freed) {
      throw new BackendError(`${this.backend}: a kernel was given a buffer that was freed`, { code: 'BACKEND-FREED' });
    }
    return buf;
  }

  /** The buffer, which shall take these values. @throws {BackendError} another length; {DtypeError} another type */
  accepts(buf: Buf, data: TypedData): Window<S> {
    const owned = this.own(buf);
    if (data.length !== buf.length) {
      throw new BackendError(`${this.backend}: ${data.length} values written to a buffer of ${buf.length}`);
    }
    if (dtypeOf(data) !== owned.dtype) {
      throw new DtypeError(`${this.backend}: ${dtypeOf(data)} values written to a buffer of ${owned.dtype}`);
    }
    return owned;
  }
}

/** For messages. */
export const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 0)} MiB`;

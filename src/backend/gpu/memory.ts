import { bytesPer, type DType, dtypeOf, type TypedData } from '../../core/dtype.js';
import { BackendError, DtypeError } from '../../core/errors.js';
import type { Buf } from '../backend.js';
import type { Limits } from './device.js';
import type { Pool, Slab } from './pool.js';

/** Memory that one or more buffers look at; it counts as live until the last of them is freed. */
interface Share {
  readonly slab: Slab;
  readonly bytes: number;
  users: number;
}

/** A buffer of this backend: a window of a slab. */
export class GpuBuf implements Buf {
  freed = false;

  constructor(
    readonly memory: GpuMemory,
    readonly share: Share,
    readonly dtype: DType,
    /** First element within the slab. */
    readonly at: number,
    readonly length: number,
  ) {}
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 0)} MiB`;

/** Buffers: who uses which slab, and how many bytes there are. */
export class GpuMemory {
  liveBytes = 0;
  peakBytes = 0;

  constructor(
    private readonly pool: Pool,
    private readonly limits: Limits,
  ) {}

  alloc(length: number, dtype: DType): GpuBuf {
    if (dtype === 'f64') {
      throw new DtypeError('gpu: no f64; f32 and i32 are what it computes with', {
        fix: "use the js backend with 'f64'",
      });
    }
    const bytes = length * bytesPer(dtype);
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > this.limits.buffer) throw this.tooLarge(length, bytes);
    const share = { slab: this.pool.take(bytes), bytes, users: 1 };
    this.liveBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    return new GpuBuf(this, share, dtype, 0, length);
  }

  view(buf: Buf, offset: number, length: number): GpuBuf {
    const { share, dtype, at } = this.own(buf);
    if (!(offset >= 0 && length >= 0 && offset + length <= buf.length)) {
      throw new BackendError(`gpu: a view of ${offset} .. ${offset + length} into ${buf.length} elements`);
    }
    share.users++;
    return new GpuBuf(this, share, dtype, at + offset, length);
  }

  free(buf: Buf): void {
    if (buf instanceof GpuBuf && buf.freed) {
      throw new BackendError('gpu: a buffer was freed twice', { code: 'BACKEND-FREED' });
    }
    const owned = this.own(buf);
    const { share } = owned;
    owned.freed = true;
    share.users--;
    if (share.users > 0) return;
    this.liveBytes -= share.bytes;
    this.pool.give(share.slab);
  }

  /** @throws {BackendError} freed, or of another backend */
  own(buf: Buf): GpuBuf {
    if (!(buf instanceof GpuBuf) || buf.memory !== this) {
      throw new BackendError('gpu: a buffer of another backend', { code: 'BACKEND-MIXED' });
    }
    if (buf.freed) throw new BackendError('gpu: a kernel was given a buffer that was freed', { code: 'BACKEND-FREED' });
    return buf;
  }

  /** The buffer, which shall take these values. @throws {BackendError} another length; {DtypeError} another type */
  accepts(buf: Buf, data: TypedData): GpuBuf {
    const owned = this.own(buf);
    if (data.length !== buf.length) {
      throw new BackendError(`gpu: ${data.length} values written to a buffer of ${buf.length}`);
    }
    if (dtypeOf(data) !== owned.dtype) {
      throw new DtypeError(`gpu: ${dtypeOf(data)} values written to a buffer of ${owned.dtype}`);
    }
    return owned;
  }

  private tooLarge(length: number, bytes: number): BackendError {
    return new BackendError(
      `gpu: a tensor of ${length} elements (${mib(bytes)}) is beyond what the adapter holds in one`,
      {
        code: 'BACKEND-GPU-LIMIT',
        where: `maxBufferSize ${mib(this.limits.buffer)}, ${mib(this.liveBytes)} in use`,
        fix: 'use a smaller batch or model, or the native backend',
      },
    );
  }
}

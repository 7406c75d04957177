import { bytesPer, type DType, newData, type TypedData } from '../../core/dtype.js';
import { BackendError } from '../../core/errors.js';
import type { Buf } from '../backend.js';

/** Memory that one or more buffers look at; it counts as live until the last of them is freed. */
interface Block {
  readonly bytes: number;
  users: number;
}

/** A buffer of this backend: a typed array that kernels index directly. */
export class JsBuf implements Buf {
  freed = false;

  constructor(
    readonly data: TypedData,
    readonly dtype: DType,
    readonly block: Block,
  ) {}

  get length(): number {
    return this.data.length;
  }
}

/** The typed array behind a buffer. @throws {BackendError} after it was freed, or when another backend made it */
export function dataOf(buf: Buf): TypedData {
  if (!(buf instanceof JsBuf)) throw new BackendError('js: a buffer of another backend', { code: 'BACKEND-MIXED' });
  if (buf.freed) throw new BackendError('js: a kernel was given a buffer that was freed', { code: 'BACKEND-FREED' });
  return buf.data;
}

/** Hands out typed arrays and counts what is alive. The garbage collector does the rest. */
export class JsMemory {
  liveBytes = 0;
  peakBytes = 0;

  alloc(length: number, dtype: DType): JsBuf {
    return this.own(this.allocate(length, dtype), dtype);
  }

  upload(data: TypedData, dtype: DType): JsBuf {
    const buf = this.alloc(data.length, dtype);
    buf.data.set(data);
    return buf;
  }

  view(buf: Buf, offset: number, length: number): JsBuf {
    const data = dataOf(buf);
    if (offset < 0 || length < 0 || offset + length > data.length) {
      throw new BackendError(`js: a view of ${offset} .. ${offset + length} into ${data.length} elements`);
    }
    const { block, dtype } = buf as JsBuf;
    block.users++;
    return new JsBuf(data.subarray(offset, offset + length), dtype, block);
  }

  free(buf: Buf): void {
    if ((buf as JsBuf).freed) throw new BackendError('js: a buffer was freed twice', { code: 'BACKEND-FREED' });
    const { block } = buf as JsBuf;
    (buf as JsBuf).freed = true;
    block.users--;
    if (block.users === 0) this.liveBytes -= block.bytes;
  }

  private own(data: TypedData, dtype: DType): JsBuf {
    const bytes = data.length * bytesPer(dtype);
    this.liveBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    return new JsBuf(data, dtype, { bytes, users: 1 });
  }

  private allocate(length: number, dtype: DType): TypedData {
    try {
      return newData(dtype, length);
    } catch (cause) {
      throw new BackendError(`out of memory: ${length} elements of ${dtype}`, {
        code: 'BACKEND-MEMORY',
        where: `js backend, ${(this.liveBytes / 2 ** 20).toFixed(0)} MiB in use`,
        fix: 'use a smaller batch, a shorter sequence or a smaller model',
        cause,
      });
    }
  }
}

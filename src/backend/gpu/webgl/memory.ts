import { bytesPer, type DType } from '../../../core/dtype.js';
import { BackendError, DtypeError } from '../../../core/errors.js';
import type { Buf } from '../../backend.js';
import type { Grid, Textures } from './textures.js';

/** Memory that one or more buffers look at. A texture is there from the first write on. */
interface Share {
  grid: Grid | null;
  readonly length: number;
  readonly bytes: number;
  users: number;
}

/** A buffer of this backend: a window of a texture. Integers are kept as floats, exact up to 2^24. */
export class GlBuf implements Buf {
  freed = false;

  constructor(
    readonly memory: GlMemory,
    readonly share: Share,
    readonly dtype: DType,
    /** First element within the texture. */
    readonly at: number,
    readonly length: number,
  ) {}

  /** Whether there is nothing else in the texture. */
  get whole(): boolean {
    return this.length === this.share.length;
  }
}

/** Buffers: who uses which texture, and how many bytes there are. */
export class GlMemory {
  liveBytes = 0;
  peakBytes = 0;

  constructor(readonly textures: Textures) {}

  alloc(length: number, dtype: DType): GlBuf {
    if (dtype === 'f64') {
      throw new DtypeError('gpu: no f64; f32 and i32 are what it computes with', {
        fix: "use the js backend with 'f64'",
      });
    }
    const bytes = length * bytesPer(dtype);
    this.liveBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    return new GlBuf(this, { grid: null, length, bytes, users: 1 }, dtype, 0, length);
  }

  view(buf: Buf, offset: number, length: number): GlBuf {
    const { share, dtype, at } = this.own(buf);
    if (!(offset >= 0 && length >= 0 && offset + length <= buf.length)) {
      throw new BackendError(`gpu: a view of ${offset} .. ${offset + length} into ${buf.length} elements`);
    }
    share.users++;
    return new GlBuf(this, share, dtype, at + offset, length);
  }

  free(buf: Buf): void {
    if (buf instanceof GlBuf && buf.freed) {
      throw new BackendError('gpu: a buffer was freed twice', { code: 'BACKEND-FREED' });
    }
    const owned = this.own(buf);
    const { share } = owned;
    owned.freed = true;
    share.users--;
    if (share.users > 0) return;
    this.liveBytes -= share.bytes;
    if (share.grid !== null) this.textures.give(share.grid);
    share.grid = null;
  }

  /** @throws {BackendError} freed, or of another backend */
  own(buf: Buf): GlBuf {
    if (!(buf instanceof GlBuf) || buf.memory !== this) {
      throw new BackendError('gpu: a buffer of another backend', { code: 'BACKEND-MIXED' });
    }
    if (buf.freed) throw new BackendError('gpu: a kernel was given a buffer that was freed', { code: 'BACKEND-FREED' });
    return buf;
  }

  /** The texture, made where nothing was written yet: what it holds then is anything. */
  gridOf({ share }: GlBuf): Grid {
    share.grid ??= this.textures.take(share.length);
    return share.grid;
  }

  /** Another texture takes the place of the present one. */
  replace({ share }: GlBuf, grid: Grid): void {
    if (share.grid !== null) this.textures.give(share.grid);
    share.grid = grid;
  }
}

import { BackendError } from '../../core/errors.js';
import { mib, type Share, Window, WindowMemory } from '../windows.js';
import type { Limits } from './device.js';
import type { Pool, Slab } from './pool.js';

interface SlabShare extends Share {
  readonly slab: Slab;
  readonly pool: Pool;
  /** Whether it is the user's: not of a recording, nor of the backend itself. */
  readonly counts: boolean;
}

/** A buffer of this backend: a window of a slab. */
export type GpuBuf = Window<SlabShare>;

/** Buffers in slabs of a pool; those of recordings in a room of their own, which all share: they run one after the other. */
export class GpuMemory extends WindowMemory<SlabShare> {
  private recording = false;

  constructor(
    private readonly pool: Pool,
    private readonly room: Pool,
    private readonly limits: Limits,
  ) {
    super('gpu');
  }

  /** A few integers of the backend's own, which nobody frees. */
  ownInts(length: number): GpuBuf {
    const bytes = 4 * length;
    const share = { slab: this.pool.take(bytes), pool: this.pool, bytes, users: 1, counts: false };
    return new Window(this, share, 'i32', 0, length);
  }

  /** Whatever is made in `body` lies in the room of recordings, or outside of it. */
  within<T>(recording: boolean, body: () => T): T {
    const before = this.recording;
    this.recording = recording;
    try {
      return body();
    } finally {
      this.recording = before;
    }
  }

  protected take(length: number, bytes: number): SlabShare {
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > this.limits.buffer) throw this.tooLarge(length, bytes);
    const pool = this.recording ? this.room : this.pool;
    return { slab: pool.take(bytes), pool, bytes, users: 1, counts: !this.recording };
  }

  protected giveBack({ slab, pool }: SlabShare): void {
    pool.give(slab);
  }

  protected override counts({ counts }: SlabShare): boolean {
    return counts;
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

import { BackendError } from '../../core/errors.js';
import { mib, type Share, type Window, WindowMemory } from '../windows.js';
import type { Limits } from './device.js';
import type { Pool, Slab } from './pool.js';

interface SlabShare extends Share {
  readonly slab: Slab;
}

/** A buffer of this backend: a window of a slab. */
export type GpuBuf = Window<SlabShare>;

/** Buffers in slabs of a pool. */
export class GpuMemory extends WindowMemory<SlabShare> {
  constructor(
    private readonly pool: Pool,
    private readonly limits: Limits,
  ) {
    super('gpu');
  }

  protected take(length: number, bytes: number): SlabShare {
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > this.limits.buffer) throw this.tooLarge(length, bytes);
    return { slab: this.pool.take(bytes), bytes, users: 1 };
  }

  protected giveBack({ slab }: SlabShare): void {
    this.pool.give(slab);
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

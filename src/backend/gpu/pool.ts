import type { Device } from './device.js';

/** STORAGE, COPY_SRC and COPY_DST of the WebGPU specification; Node has no globals of these names. */
const USAGE = 0x80 | 0x04 | 0x08;
const LEAST = 256;
/** A free block serves up to this many classes below its own: at most twice what was asked for. */
const REACH = 8;

/** Memory of the device: one buffer, lent as a whole. */
export interface Slab {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  /** The last batch of the queue that touches it. */
  batch: number;
  /** How often it was written to. */
  writes: number;
  /** Whether the device had no memory for it. */
  failed: boolean;
}

/** Sizes are rounded up to an eighth of a power of two, so that sequences of other lengths find their blocks again. */
function sizeClass(bytes: number): number {
  if (bytes <= LEAST) return LEAST;
  const step = Math.max(LEAST, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}

/**
 * Buffers are handed out again as soon as they are given back: kernels run in the order of their calls. After the first
 * step of a run with fixed shapes no buffer is created any more.
 */
export class Pool {
  /** Bytes taken from the device, in use or not. */
  heldBytes = 0;
  private readonly free = new Map<number, Slab[]>();

  constructor(private readonly device: Device) {}

  take(bytes: number): Slab {
    const size = sizeClass(bytes);
    let candidate = size;
    for (let i = 0; i <= REACH && candidate <= 2 * size; i++) {
      const slab = this.free.get(candidate)?.pop();
      if (slab !== undefined) return slab;
      candidate = sizeClass(candidate + 1);
    }
    return this.create(Math.min(size, Math.max(bytes, this.device.limits.buffer)));
  }

  give(slab: Slab): void {
    if (slab.failed) {
      this.heldBytes -= slab.bytes;
      return;
    }
    const list = this.free.get(slab.bytes);
    if (list === undefined) this.free.set(slab.bytes, [slab]);
    else list.push(slab);
  }

  /** Gives all that is free back to the device. */
  trim(): void {
    for (const slab of [...this.free.values()].flat()) {
      slab.buffer.destroy();
      this.heldBytes -= slab.bytes;
    }
    this.free.clear();
  }

  private create(bytes: number): Slab {
    const { gpu } = this.device;
    gpu.pushErrorScope('out-of-memory');
    const buffer = gpu.createBuffer({ size: bytes, usage: USAGE });
    const slab = { buffer, bytes, batch: -1, writes: 0, failed: false };
    gpu.popErrorScope().then(
      (error) => {
        if (error === null) return;
        slab.failed = true;
        this.device.report(error);
      },
      () => undefined, // the device is gone, which is reported by itself
    );
    this.heldBytes += bytes;
    return slab;
  }
}

import type { Device } from './device.js';

/** MAP_READ, COPY_SRC and COPY_DST of the WebGPU specification, and the map mode READ. */
const MAP_READ = 0x01;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;
const READ = 1;
/** Smaller reads share a size, so that their buffers come back. */
const LEAST = 4096;
/** Larger ones are not kept. */
const MOST_KEPT = 2 ** 22;

/** Buffers that values pass through on the way to the device and back. */
export class Staging {
  private readonly free = new Map<number, GPUBuffer[]>();

  constructor(private readonly gpu: GPUDevice) {}

  /** A buffer that holds `data`, to be copied from. */
  filled(data: Float32Array | Int32Array): GPUBuffer {
    const buffer = this.gpu.createBuffer({ size: data.byteLength, usage: COPY_SRC, mappedAtCreation: true });
    const words = data instanceof Int32Array ? Int32Array : Float32Array;
    new words(buffer.getMappedRange()).set(data);
    buffer.unmap();
    return buffer;
  }

  /** Gives back a buffer that was copied from, once that is under way. */
  retire(buffer: GPUBuffer, submitted: Promise<void>): void {
    submitted.then(() => buffer.destroy());
  }

  /** A buffer to read back through. */
  take(bytes: number): GPUBuffer {
    const size = Math.max(LEAST, 2 ** Math.ceil(Math.log2(Math.max(1, bytes))));
    return this.free.get(size)?.pop() ?? this.gpu.createBuffer({ size, usage: MAP_READ | COPY_DST });
  }

  /** What was copied to a buffer of `take`, which is free again afterwards. */
  async read(buffer: GPUBuffer, bytes: number, device: Device): Promise<ArrayBuffer> {
    try {
      await buffer.mapAsync(READ, 0, Math.max(4, bytes));
    } catch (cause) {
      device.check();
      throw cause;
    }
    const copied = buffer.getMappedRange(0, Math.max(4, bytes)).slice(0, bytes);
    buffer.unmap();
    if (buffer.size > MOST_KEPT) buffer.destroy();
    else this.free.set(buffer.size, [...(this.free.get(buffer.size) ?? []), buffer]);
    device.check();
    return copied;
  }
}

import { BackendError } from '../../core/errors.js';
import type { Compiled } from './compile.js';
import type { Device } from './device.js';
import type { GpuBuf } from './memory.js';
import type { Slab } from './pool.js';

/** Bind groups that a kernel keeps; a training step with fixed shapes needs a few per kernel. */
const MOST_GROUPS = 512;

/** A part of a slab as a binding: from an aligned byte, and the elements between there and the first one. */
export interface Place {
  readonly slab: Slab;
  readonly byte: number;
  readonly bytes: number;
  readonly skip: number;
}

/** Finds the bind group of a launch, or makes it: those of a step with fixed shapes are made once. */
export class Binder {
  constructor(
    private readonly device: Device,
    private readonly params: GPUBuffer,
  ) {}

  /** @param width elements that an element of the shader's array holds */
  placeOf(buf: GpuBuf, width: 1 | 4): Place {
    const { alignment, binding } = this.device.limits;
    const first = buf.at * 4;
    const byte = Math.floor(first / alignment) * alignment;
    const end = first + Math.max(16, Math.ceil(buf.length / 4) * 16);
    const bytes = Math.min(end, buf.share.slab.bytes) - byte;
    if (bytes > binding) throw tooLarge(buf.length, binding);
    return { slab: buf.share.slab, byte, bytes, skip: (first - byte) / 4 / width };
  }

  /** @param places of the arrays in their order, the first result last; null for one that is the result itself */
  groupOf(kernel: Compiled, places: readonly (Place | null)[]): GPUBindGroup {
    const keys: (Slab | number)[] = [];
    for (const place of places) if (place !== null) keys.push(place.slab, place.byte, place.bytes);
    if (kernel.bindGroups.size > MOST_GROUPS) kernel.bindGroups.clear();
    return kernel.bindGroups.get(keys, () => this.group(kernel, places));
  }

  private group(kernel: Compiled, places: readonly (Place | null)[]): GPUBindGroup {
    const resource = { buffer: this.params, offset: 0, size: kernel.paramBytes };
    const entries: GPUBindGroupEntry[] = [{ binding: 0, resource }];
    for (const [i, place] of places.entries()) {
      if (place === null) continue;
      const { slab, byte, bytes } = place;
      entries.push({ binding: i + 1, resource: { buffer: slab.buffer, offset: byte, size: bytes } });
    }
    return this.device.gpu.createBindGroup({ layout: kernel.layout, entries });
  }
}

const tooLarge = (length: number, limit: number): BackendError =>
  new BackendError(`gpu: a kernel cannot be given ${length} elements at once`, {
    code: 'BACKEND-GPU-LIMIT',
    where: `maxStorageBufferBindingSize ${limit} bytes`,
    fix: 'use a smaller batch or model, or the native backend',
  });

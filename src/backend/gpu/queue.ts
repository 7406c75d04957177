import { BackendError } from '../../core/errors.js';
import type { Compiled } from './compile.js';
import type { Device } from './device.js';
import type { GpuBuf, GpuMemory } from './memory.js';
import type { Slab } from './pool.js';
import type { Args, Operand } from './spec.js';
import { Staging } from './staging.js';

/** COPY_DST and UNIFORM of the WebGPU specification. */
const UNIFORM = 0x40 | 0x08;
/** A batch is submitted by itself when it has so many launches, so that the device starts while more are enqueued. */
const LONGEST = 256;
/** Bytes from the parameters of one launch to those of the next: minUniformBufferOffsetAlignment. */
const SLICE = 256;
/** Where the dims of the first array begin in the parameters, in words. */
const DIMS = 4;
/** Bind groups that a kernel keeps; a training step with fixed shapes needs a few per kernel. */
const MOST_GROUPS = 512;

type Groups = readonly [x: number, y: number, z: number];

/** One launch, ready to be encoded. */
interface Launch {
  readonly kernel: Compiled;
  readonly group: GPUBindGroup;
  readonly slice: number;
  readonly groups: Groups;
}

/** A copy between buffers, at its place among the launches. */
interface Copy {
  readonly from: GPUBuffer;
  readonly fromByte: number;
  readonly to: GPUBuffer;
  readonly toByte: number;
  readonly bytes: number;
}

/** Commands that go to the device together. Used again and again: its parameters are copied when it is submitted. */
class Batch {
  id = 0;
  commands: (Launch | Copy)[] = [];
  readonly params = new ArrayBuffer(LONGEST * SLICE);
  readonly words = new Uint32Array(this.params);
  readonly floats = new Float32Array(this.params);
  readonly waitFor = new Set<Promise<void>>();
  launches = 0;

  begin(id: number): this {
    this.id = id;
    this.commands = [];
    this.waitFor.clear();
    this.launches = 0;
    return this;
  }
}

/** A part of a slab as a binding: from an aligned byte, and the elements between there and the first one. */
interface Window {
  readonly slab: Slab;
  readonly byte: number;
  readonly bytes: number;
  readonly skip: number;
}

/**
 * Kernel calls in the order in which they were made. A batch is one command encoder and one submit, with the parameters of
 * all its launches in one buffer, a slice each.
 */
export class Queue {
  private batch = new Batch();
  private readonly spare: Batch[] = [];
  /** Settles when all batches so far have been submitted. */
  private tail: Promise<void> = Promise.resolve();
  private waiting = 0;
  private soon: Promise<void> | null = null;
  /** Copies that the launch at hand reads. */
  private borrowed: GpuBuf[] = [];
  private readonly paramBuffer: GPUBuffer;
  private readonly staging: Staging;

  constructor(
    private readonly device: Device,
    private readonly memory: GpuMemory,
  ) {
    this.paramBuffer = device.gpu.createBuffer({ size: LONGEST * SLICE, usage: UNIFORM });
    this.staging = new Staging(device.gpu);
  }

  /**
   * Enqueues one launch.
   * @param args what the kernel's parameters stand for, in their order
   * @param outputs the results: the first is gpu.js's own, which has `outputDims` elements for a plain kernel
   */
  launch(kernel: Compiled, args: Args, outputs: readonly Operand[], groups: Groups, outputDims?: Groups): void {
    if (groups[0] * groups[1] * groups[2] === 0) return;
    if (this.batch.launches === LONGEST) this.submit();
    const { batch } = this;
    const slice = (batch.launches * SLICE) / 4;
    const targets = outputs.map((output) => this.memory.own(output.buf));
    this.fillParams(kernel, args, batch, slice, targets);
    const windows = this.windows(kernel, args, targets, slice);
    const [x, y, z] = outputDims ?? groups;
    batch.words.set([x, y, z, groups[0] * (kernel.workgroup[0] ?? 1)], slice);
    if (kernel.pipeline === null) batch.waitFor.add(kernel.ready);
    for (const window of windows) if (window !== null) window.slab.batch = batch.id;
    batch.commands.push({ kernel, group: this.groupOf(kernel, windows), slice: batch.launches * SLICE, groups });
    batch.launches++;
    for (const buf of this.borrowed) this.memory.free(buf);
    this.borrowed = [];
  }

  /** Replaces a buffer's content, after all that was enqueued so far. */
  write(buf: GpuBuf, data: Float32Array | Int32Array): void {
    const { slab } = buf.share;
    if (data.length === 0) return;
    if (this.waiting === 0 && slab.batch !== this.batch.id) {
      this.device.gpu.queue.writeBuffer(slab.buffer, buf.at * 4, data as Float32Array<ArrayBuffer>);
      return;
    }
    const from = this.staging.filled(data);
    this.copy({ from, fromByte: 0, to: slab.buffer, toByte: buf.at * 4, bytes: data.byteLength }, slab);
    this.staging.retire(from, this.submitted());
  }

  /** The content as it is after all that was enqueued so far. */
  async read(buf: GpuBuf): Promise<Float32Array | Int32Array> {
    const bytes = buf.length * 4;
    const target = this.staging.take(bytes);
    const { slab } = buf.share;
    if (bytes > 0) this.copy({ from: slab.buffer, fromByte: buf.at * 4, to: target, toByte: 0, bytes }, slab);
    await this.flushSoon();
    const copied = await this.staging.read(target, bytes, this.device);
    return buf.dtype === 'i32' ? new Int32Array(copied) : new Float32Array(copied);
  }

  /** Submits, and waits until everything has run. */
  async flush(): Promise<void> {
    await this.submit();
    await this.device.gpu.queue.onSubmittedWorkDone();
    this.device.check();
  }

  /** Submits all that was enqueued, at once where its kernels are compiled, else as soon as they are. */
  submit(): Promise<void> {
    const { batch } = this;
    if (batch.commands.length === 0) return this.tail;
    this.batch = (this.spare.pop() ?? new Batch()).begin(batch.id + 1);
    if (this.waiting === 0 && batch.waitFor.size === 0) {
      this.encode(batch);
      return this.tail;
    }
    this.waiting++;
    const run = this.tail.then(async () => {
      try {
        await Promise.all(batch.waitFor);
        this.encode(batch);
      } finally {
        this.waiting--;
      }
    });
    // A batch that fails is reported once, and the queue goes on.
    this.tail = run.catch(() => undefined);
    return run;
  }

  /** Reads that are asked for together share one submit. */
  private flushSoon(): Promise<void> {
    this.soon ??= Promise.resolve().then(() => {
      this.soon = null;
      return this.submit();
    });
    return this.soon;
  }

  /** Settles when what is enqueued now has been submitted. */
  private async submitted(): Promise<void> {
    await this.flushSoon().catch(() => undefined);
  }

  private copy(copy: Copy, slab: Slab): void {
    slab.batch = this.batch.id;
    this.batch.commands.push(copy);
  }

  private fillParams(kernel: Compiled, args: Args, batch: Batch, slice: number, targets: readonly GpuBuf[]): void {
    let array = 0;
    let scalar = 0;
    for (const arg of args) {
      if (typeof arg === 'object') batch.words.set(arg.dims, slice + DIMS + 4 * array++);
      else {
        const { word, float } = kernel.scalars[scalar++];
        if (float) batch.floats[slice + word] = arg;
        else batch.words[slice + word] = arg;
      }
    }
    for (const target of targets.slice(1)) batch.words.set([target.length, 1, 1], slice + DIMS + 4 * array++);
    if (array !== kernel.arrays.length || scalar !== kernel.scalars.length) {
      throw new BackendError(`gpu: kernel ${kernel.name} was given ${array} arrays and ${scalar} numbers`);
    }
  }

  /** Where each array lies, inputs first and the first result last; null for one that is the result itself. */
  private windows(kernel: Compiled, args: Args, targets: readonly GpuBuf[], slice: number): (Window | null)[] {
    const inputs = args.filter((arg) => typeof arg === 'object');
    const all = [...inputs.map(({ buf }) => this.memory.own(buf)), ...targets.slice(1)];
    const windows = all.map((buf, i) => {
      const { bound, writable, width } = kernel.arrays[i];
      if (!bound) return null;
      const window = this.window(writable ? buf : this.apart(buf, targets), width);
      this.batch.words[slice + DIMS + 4 * i + 3] = window.skip;
      return window;
    });
    const result = this.window(targets[0], kernel.resultWidth);
    this.batch.words[slice + kernel.resultWord] = result.skip;
    return [...windows, result];
  }

  /**
   * A buffer that is read, in a slab that no result lies in: WebGPU lets a launch either read a buffer or write it, even
   * where the two parts do not meet. Where they share a slab, the part is copied.
   */
  private apart(buf: GpuBuf, targets: readonly GpuBuf[]): GpuBuf {
    if (targets.every((target) => target.share.slab !== buf.share.slab)) return buf;
    const other = this.memory.alloc(buf.length, buf.dtype);
    const [from, to, bytes] = [buf.share.slab.buffer, other.share.slab.buffer, buf.length * 4];
    this.copy({ from, fromByte: buf.at * 4, to, toByte: 0, bytes }, other.share.slab);
    this.borrowed.push(other);
    return other;
  }

  private window(buf: GpuBuf, width: 1 | 4): Window {
    const { alignment, binding } = this.device.limits;
    const first = buf.at * 4;
    const byte = Math.floor(first / alignment) * alignment;
    const end = first + Math.max(16, Math.ceil(buf.length / 4) * 16);
    const bytes = Math.min(end, buf.share.slab.bytes) - byte;
    if (bytes > binding) throw tooLarge(buf.length, binding);
    return { slab: buf.share.slab, byte, bytes, skip: (first - byte) / 4 / width };
  }

  private groupOf(kernel: Compiled, windows: readonly (Window | null)[]): GPUBindGroup {
    let key = '';
    for (const window of windows) if (window !== null) key += `${window.slab.id},${window.byte},${window.bytes};`;
    const found = kernel.bindGroups.get(key);
    if (found !== undefined) return found;
    const params = { buffer: this.paramBuffer, offset: 0, size: kernel.paramBytes };
    const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: params }];
    for (const [i, window] of windows.entries()) {
      if (window === null) continue;
      const resource = { buffer: window.slab.buffer, offset: window.byte, size: window.bytes };
      entries.push({ binding: i + 1, resource });
    }
    const group = this.device.gpu.createBindGroup({ layout: kernel.layout, entries });
    if (kernel.bindGroups.size >= MOST_GROUPS) kernel.bindGroups.clear();
    kernel.bindGroups.set(key, group);
    return group;
  }

  private encode(batch: Batch): void {
    const { gpu } = this.device;
    this.device.check();
    gpu.queue.writeBuffer(this.paramBuffer, 0, batch.params, 0, batch.launches * SLICE);
    const encoder = gpu.createCommandEncoder();
    let pass: GPUComputePassEncoder | null = null;
    let pipeline: GPUComputePipeline | null = null;
    for (const command of batch.commands) {
      if ('kernel' in command) {
        if (pass === null) [pass, pipeline] = [encoder.beginComputePass(), null];
        if (command.kernel.pipeline !== pipeline) {
          pipeline = command.kernel.pipeline;
          pass.setPipeline(pipeline as GPUComputePipeline);
        }
        pass.setBindGroup(0, command.group, [command.slice]);
        pass.dispatchWorkgroups(...command.groups);
      } else {
        pass?.end();
        pass = null;
        encoder.copyBufferToBuffer(command.from, command.fromByte, command.to, command.toByte, command.bytes);
      }
    }
    pass?.end();
    gpu.queue.submit([encoder.finish()]);
    this.spare.push(batch);
  }
}

const tooLarge = (length: number, limit: number): BackendError =>
  new BackendError(`gpu: a kernel cannot be given ${length} elements at once`, {
    code: 'BACKEND-GPU-LIMIT',
    where: `maxStorageBufferBindingSize ${limit} bytes`,
    fix: 'use a smaller batch or model, or the native backend',
  });

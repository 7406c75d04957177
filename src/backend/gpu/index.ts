import { openWebGpu, tileMemory } from '#gpu';
import { type DType, dtypeOf, type TypedData } from '../../core/dtype.js';
import { DtypeError } from '../../core/errors.js';
import type { AdamWCall, Backend, Buf, Kernels, MatmulCall, Recording } from '../backend.js';
import { Compiler } from './compile.js';
import { type Device, openDevice } from './device.js';
import { keepKernel, keepThreads, keyNumbers } from './fast/dropout.js';
import { fastKernels } from './fast/index.js';
import type { FastRunner } from './fast/runner.js';
import { TILES } from './fast/tiles.js';
import { CHECK_IDS } from './ids.js';
import { GpuMemory } from './memory.js';
import { firstBound } from './parts.js';
import { plainKernels } from './plain.js';
import { Pool } from './pool.js';
import { Queue } from './queue.js';
import { GpuRecording, Room } from './recording.js';
import { fastRoofs, plainRoofs } from './roof.js';
import { type Dims, line, workOf } from './spec.js';
import type { TileMemory } from './tile-memory.js';
import { Tuner } from './tuner.js';

/** `fast`: our own shaders where there are some; `plain`: only what gpu.js translates, for comparison. */
export type Tier = 'fast' | 'plain';

export interface GpuOptions {
  readonly tier?: Tier;
  /** Name of the tile of all products (fast/tiles.ts), for comparison; absent: the fastest for each shape. */
  readonly tile?: string;
  /** Multiplications and additions of one launch at most, for tests; absent: by what the adapter is, and by trials. */
  readonly mostWork?: number;
}

/** Workgroups for a plain kernel; a line that is too long for one axis is folded over two, as gpu.js has it. */
function groupsOf(rank: number, [wx = 64, wy = 1]: readonly number[], [x, y, z]: Dims): Dims {
  const most = 65535;
  const wide = Math.ceil(x / wx);
  if (rank > 1 || wide <= most) return [wide, Math.ceil(y / wy), z];
  const rows = Math.ceil(wide / most);
  return [Math.ceil(wide / rows), rows, 1];
}

/** WebGPU through gpu.js: kernels over buffers of one device, in the order of their calls. */
export class GpuBackend implements Backend {
  readonly name = 'gpu';
  readonly float = 'f32';
  readonly runsOn: string;
  readonly kernels: Kernels;
  private readonly pool: Pool;
  private readonly roomPool: Pool;
  private readonly room: Room;
  private readonly memory: GpuMemory;
  readonly queue: Queue;
  private readonly tuner: Tuner;
  /** What trials have chosen on this adapter. */
  readonly trialMemory: TileMemory;
  readonly deviceRoofs: NonNullable<Backend['deviceRoofs']>;
  /** What is uploaded while a recording is made. */
  private uploads: Map<TypedData, Buf> | null = null;

  constructor(
    readonly device: Device,
    readonly compiler: Compiler,
    options: GpuOptions,
  ) {
    const tier = options.tier ?? 'fast';
    this.pool = new Pool(device);
    this.roomPool = new Pool(device);
    this.room = new Room(this.roomPool);
    this.memory = new GpuMemory(this.pool, this.roomPool, device.limits);
    this.queue = new Queue(device, this.memory, options.mostWork ?? firstBound(device.software));
    this.runsOn = `${device.adapter}, webgpu, ${device.software ? 'software' : 'hardware'}${tier === 'plain' ? ', plain kernels' : ''}`;
    const runner = this.runner();
    const flush = (): Promise<void> => this.queue.flush();
    this.deviceRoofs = tier === 'plain' ? plainRoofs(runner, flush, device.software) : fastRoofs(runner, flush);
    this.trialMemory = tileMemory(`${device.adapter}: ${TILES.map(({ name }) => name).join(', ')}`);
    // A quarter of what the best product reaches is what other kernels may be trusted with.
    const measured = (rate: number): void => {
      if (options.mostWork === undefined) this.queue.mostWork = Math.max(this.queue.mostWork, rate / 8);
    };
    this.tuner = new Tuner(runner, flush, options.tile ?? null, this.trialMemory, measured);
    const kernels = tier === 'plain' ? plainKernels(runner) : fastKernels(runner, (call) => this.tuner.tileOf(call));
    this.kernels = { ...kernels, adamw: (call) => kernels.adamw(this.withLiveRates(call)) };
  }

  get liveBytes(): number {
    return this.memory.liveBytes;
  }

  get peakBytes(): number {
    return this.memory.peakBytes;
  }

  get limits(): Readonly<Record<string, number>> {
    const { buffer, binding, workgroupMemory } = this.device.limits;
    return { 'largest tensor': buffer, 'largest operand': binding, 'workgroup memory': workgroupMemory };
  }

  get trials(): string {
    const { size, place } = this.trialMemory;
    return this.device.software ? 'none: a processor plays the GPU' : `${size} in ${place}`;
  }

  /** Name of the tile that a product is cut up into from now on (fast/tiles.ts), for those who compare. */
  tileOf(call: MatmulCall): string {
    return this.tuner.tileOf(call).name;
  }

  /** Bytes taken from the device, those that wait for their next use included. */
  get heldBytes(): number {
    return this.pool.heldBytes + this.roomPool.heldBytes;
  }

  alloc(length: number, dtype: DType): Buf {
    return this.memory.alloc(length, dtype);
  }

  upload(data: TypedData): Buf {
    const buf = this.memory.within(false, () => this.memory.alloc(data.length, dtypeOf(data)));
    this.write(buf, data);
    this.uploads?.set(data, this.memory.view(buf, 0, buf.length)); // outlives what is done with it in the recording
    return buf;
  }

  record(body: () => void): Recording {
    if (this.queue.isIdle) this.trim(); // what runs from now on has a room of its own
    const inputs = new Map<TypedData, Buf>();
    this.uploads = inputs;
    try {
      const recorded = this.memory.within(true, () => this.queue.record(body));
      return new GpuRecording(this.queue, this.memory, this.room, recorded, inputs);
    } catch (error) {
      for (const buf of inputs.values()) this.memory.free(buf);
      throw error;
    } finally {
      this.uploads = null;
    }
  }

  write(buf: Buf, data: TypedData): void {
    const owned = this.memory.accepts(buf, data);
    if (data instanceof Float64Array) throw new DtypeError('gpu: no f64');
    this.queue.write(owned, data);
  }

  async read(buf: Buf): Promise<Float32Array | Int32Array> {
    const data = await this.queue.read(this.memory.own(buf));
    await this.tuner.settle();
    return data;
  }

  view(buf: Buf, offset: number, length: number): Buf {
    return this.memory.view(buf, offset, length);
  }

  free(buf: Buf): void {
    this.memory.free(buf);
  }

  async flush(): Promise<void> {
    await this.queue.flush();
    await this.tuner.settle();
  }

  /** Gives memory that waits for its next use back to the device; not while launches that use it are queued. */
  trim(): void {
    if (!this.queue.isIdle) return;
    this.compiler.forgetBuffers();
    this.pool.trim();
  }

  private withLiveRates(call: AdamWCall): AdamWCall {
    const { lr, correction1, correction2 } = call;
    return {
      ...call,
      lr: this.queue.liveNumber('lr', lr),
      correction1: this.queue.liveNumber('correction1', correction1),
      correction2: this.queue.liveNumber('correction2', correction2),
    };
  }

  private runner(): FastRunner {
    return {
      limits: this.device.limits,
      software: this.device.software,
      placeOf: (buf) => this.memory.own(buf).at,
      launch: (kernel, args, outputs, groups, work = 0) =>
        this.queue.launch(this.compiler.get(kernel), args, outputs, groups, { work }),
      liveNumber: (name, value) => this.queue.liveNumber(name, value),
      run: (kernel, args, output, y) => {
        const compiled = this.compiler.get(kernel);
        const groups = groupsOf(kernel.rank, compiled.workgroup, output);
        const work = workOf(kernel, args, output);
        this.queue.launch(compiled, args, [{ buf: y, dims: output }], groups, { output, work });
      },
      alloc: (length, dtype) => this.alloc(length, dtype),
      free: (buf) => this.free(buf),
      upload: (data) => this.upload(data),
      window: (buf, offset, length, use) => {
        const window = this.view(buf, offset, length);
        use(window);
        this.free(window);
      },
      checkIds: (ids, count, limit, other = 0) => {
        const list = this.memory.view(ids, 0, count);
        this.queue.checkIds(this.compiler.get(CHECK_IDS), list, limit, other);
        this.memory.free(list);
      },
      keepFactors: (keep, rows, cols, rate, key, places) => {
        const kernel = this.compiler.get(keepKernel(places !== null));
        const args = [...(places === null ? [] : [line(places)]), rows, cols, ...keyNumbers(this.queue, rate, key)];
        this.queue.launch(kernel, args, [line(keep)], groupsOf(1, [64], [keepThreads(rows, cols), 1, 1]));
      },
    };
  }
}

/**
 * A backend on the GPU that WebGPU offers first.
 * @throws {BackendError} when there is no adapter, or gpu.js is not the version that this was made for
 */
export async function createGpuBackend(options: GpuOptions = {}): Promise<GpuBackend> {
  const { default: gpujs } = await import('gpu.js');
  const { device, gpu } = await openDevice(await openWebGpu(), gpujs);
  return new GpuBackend(device, new Compiler(gpu, gpujs.WebGPUKernel, device), options);
}

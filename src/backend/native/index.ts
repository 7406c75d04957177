import type { DType, TypedData } from '../../core/dtype.js';
import { BackendError } from '../../core/errors.js';
import type { Backend, Buf, Kernels, Precision, Recording } from '../backend.js';
import type { CallLog } from '../trace.js';
import { NativeKernels } from './kernels.js';
import { type Addon, type Engine, loadAddon } from './load.js';
import { NativeMemory } from './memory.js';
import { type NativeOptions, settingsOf } from './options.js';
import { Queue } from './queue.js';
import { NativeRecording, RecordingRoom } from './recording.js';

export type { NativeOptions } from './options.js';

const BITS: Readonly<Record<Precision, number>> = { f32: 32, bf16: 16, int8: 8 };

/** SIMD kernels of native/ on a pool of threads, over memory that the garbage collector does not see. */
export class NativeBackend implements Backend {
  readonly name = 'native';
  readonly float = 'f32';
  readonly borrows = true;
  readonly runsOn: string;
  readonly kernels: Kernels;
  readonly multipliers: NonNullable<Backend['multipliers']>;
  private readonly queue: Queue;
  private readonly memory: NativeMemory;
  private readonly room: RecordingRoom;
  /** What is uploaded while a recording is made. */
  private uploads: Map<TypedData, Buf> | null = null;

  constructor(
    private readonly engine: Engine,
    /** Threads that compute. */
    readonly threads: number,
    /** Instruction sets that this machine runs, best first. */
    readonly isas: readonly string[],
    poison: boolean,
  ) {
    this.queue = new Queue(engine);
    this.memory = new NativeMemory(engine, this.queue, poison);
    this.room = new RecordingRoom(this.memory);
    this.multipliers = { bf16: engine.bf16, int8: engine.int8 };
    this.kernels = new NativeKernels(this.memory, this.queue, this.multipliers);
    this.runsOn = `${engine.isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  }

  /** Instruction set of the kernels. */
  get isa(): string {
    return this.engine.isa;
  }

  get liveBytes(): number {
    return this.memory.liveBytes;
  }

  get peakBytes(): number {
    return this.memory.peakBytes;
  }

  alloc(length: number, dtype: DType): Buf {
    return this.memory.alloc(length, dtype);
  }

  upload(data: TypedData): Buf {
    const buf = this.memory.upload(data);
    this.uploads?.set(data, this.memory.view(buf, 0, buf.length)); // outlives what is done with it in the recording
    return buf;
  }

  record(body: () => void, lent: readonly Buf[] = []): Recording {
    const inputs = new Map<TypedData, Buf>();
    this.uploads = inputs;
    try {
      let words: Float64Array = new Float64Array();
      const plan = this.memory.planned(() => {
        words = this.queue.record(body);
      }, lent);
      return new NativeRecording(this.queue, this.memory, this.room, plan, words, inputs);
    } catch (error) {
      for (const buf of inputs.values()) this.memory.free(buf);
      throw error;
    } finally {
      this.uploads = null;
    }
  }

  write(buf: Buf, data: TypedData): void {
    this.memory.write(buf, data);
  }

  async read(buf: Buf): Promise<Float32Array | Int32Array> {
    return this.memory.read(buf);
  }

  view(buf: Buf, offset: number, length: number): Buf {
    return this.memory.view(buf, offset, length);
  }

  free(buf: Buf): void {
    this.memory.free(buf);
  }

  trim(): void {
    this.memory.trim();
  }

  async flush(): Promise<void> {
    this.queue.run();
  }

  get trace(): CallLog | null {
    return this.queue.trace;
  }

  set trace(trace: CallLog | null) {
    this.queue.trace = trace;
  }

  fmaPeak(threads = this.threads, precision: Precision = 'f32'): number {
    return this.engine.fmaPeak(threads, BITS[precision]);
  }

  movePeak(bytes: number): number {
    const buf = this.memory.alloc(bytes / 4, 'f32');
    this.queue.run(); // what is enqueued may still use this memory
    const gbs = this.engine.bandwidth(this.memory.floats(buf, bytes / 4), bytes);
    this.memory.free(buf);
    return gbs;
  }
}

function startEngine(addon: Addon, bytes: number, isa: string, threads: number): Engine {
  try {
    return new addon.Engine(bytes, isa, threads);
  } catch (cause) {
    throw new BackendError(`native: ${cause instanceof Error ? cause.message : cause}`, {
      code: 'BACKEND-NATIVE',
      fix: 'raise the limit on address space (`ulimit -v`) or set BG_ARENA_GB to less',
      cause,
    });
  }
}

/**
 * A native backend with memory of its own. Threads are shared by all of a process: those that compute at the same time
 * (in workers) take turns.
 * @throws {BackendError} when the addon is not there; {UsageError} when an option or a variable of the environment
 *   (`BG_ISA`, `BG_THREADS`, `BG_ARENA_GB`, `BG_POISON`) is not one that this machine can run with
 */
export function createNativeBackend(options: NativeOptions = {}): NativeBackend {
  const addon = loadAddon();
  const { arenaBytes, isa, threads, poison } = settingsOf(options, addon);
  return new NativeBackend(startEngine(addon, arenaBytes, isa, threads), threads, addon.isas, poison);
}

import { bytesPer, type DType, dtypeOf, type TypedData } from '../../core/dtype.js';
import { BackendError, DtypeError } from '../../core/errors.js';
import type { Buf } from '../backend.js';
import { type Block, Heap } from './heap.js';
import type { Engine } from './load.js';
import { isPlanned, Plan } from './plan.js';
import type { Queue } from './queue.js';

/** Memory that one or more buffers look at; it counts as live until the last of them is freed. */
interface Share {
  readonly heap: Heap;
  readonly block: Block;
  readonly bytes: number;
  users: number;
}

/** A buffer of this backend: a window of the arena. */
class NativeBuf implements Buf {
  freed = false;

  constructor(
    readonly memory: NativeMemory,
    readonly share: Share,
    readonly dtype: DType,
    /** First byte in the arena. */
    readonly at: number,
    readonly length: number,
  ) {}
}

/** A cache line, and the widest vector. */
const LINE = 64;
/**
 * Large blocks begin at the same place within a page, whatever came between them. A kernel that writes one line ahead of
 * where it reads, modulo the page, loses up to 30 %: the processor compares 12 bits of two addresses before the rest, and
 * holds the load back until the store is done.
 */
const PAGE = 4096;
/** Smaller blocks lie in a range of their own, so that they leave no gaps between large ones. */
const LARGE = 32768;
const MOST_SMALL = 2 ** 26;
const MIB = 2 ** 20;
const mib = (bytes: number): string => `${(bytes / MIB).toFixed(bytes < MIB ? 3 : 0)} MiB`;
/** Bits of a NaN; as an i32 it is no id of any table. */
const POISON = 0x7fc00000;

/** Buffers in one arena: who uses which bytes, and how many there are. */
export class NativeMemory {
  liveBytes = 0;
  peakBytes = 0;
  private readonly small: Heap;
  private readonly large: Heap;
  /** Where buffers go while a recording is made. */
  private plan: Plan | null = null;

  /**
   * @param poison fills memory with NaN when it is handed out and when it is freed, so that a kernel that reads what
   *   nobody wrote, or what is gone, shows it
   */
  constructor(
    private readonly engine: Engine,
    private readonly queue: Queue,
    private readonly poison: boolean,
  ) {
    const border = Math.min(MOST_SMALL, Math.floor(engine.size / 16 / PAGE) * PAGE);
    this.small = new Heap(0, LINE, (end) => end <= border && engine.commit(end));
    this.large = new Heap(border, PAGE, (end) => engine.commit(end));
  }

  alloc(length: number, dtype: DType): NativeBuf {
    if (dtype === 'f64') {
      throw new DtypeError('native: no f64; f32 and i32 are what it computes with', {
        fix: "use the js backend with 'f64'",
      });
    }
    const bytes = length * bytesPer(dtype);
    const share = this.take(bytes);
    const { at } = share.block;
    this.spoil(share.block);
    if (!isPlanned(at)) this.liveBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    return new NativeBuf(this, share, dtype, at, length);
  }

  /**
   * Runs `body`, whose buffers get places in a plan instead of memory.
   * @throws {BackendError} when it leaves one of them behind
   */
  planned(body: () => void): Plan {
    const plan = new Plan(LINE, PAGE, LARGE);
    const before = this.plan;
    this.plan = plan;
    try {
      body();
    } finally {
      this.plan = before;
    }
    if (plan.live > 0) throw new BackendError(`native: a recording ends with ${plan.live} buffers that were not freed`);
    return plan;
  }

  /** Memory of its own for data, whatever is being recorded. */
  upload(data: TypedData): NativeBuf {
    const before = this.plan;
    this.plan = null;
    try {
      const buf = this.alloc(data.length, dtypeOf(data));
      this.write(buf, data);
      return buf;
    } finally {
      this.plan = before;
    }
  }

  view(buf: Buf, offset: number, length: number): NativeBuf {
    const { share, dtype, at } = this.own(buf);
    if (!(offset >= 0 && length >= 0 && offset + length <= buf.length)) {
      throw new BackendError(`native: a view of ${offset} .. ${offset + length} into ${buf.length} elements`);
    }
    share.users++;
    return new NativeBuf(this, share, dtype, at + offset * bytesPer(dtype), length);
  }

  free(buf: Buf): void {
    if (buf instanceof NativeBuf && buf.freed) {
      throw new BackendError('native: a buffer was freed twice', { code: 'BACKEND-FREED' });
    }
    const owned = this.own(buf);
    const { share } = owned;
    owned.freed = true;
    share.users--;
    if (share.users > 0) return;
    if (!isPlanned(share.block.at)) this.liveBytes -= share.bytes;
    else if (this.plan !== null) this.plan.live--;
    this.spoil(share.block);
    share.heap.give(share.block);
  }

  /**
   * Where the elements of a float buffer begin, of which a kernel will use `count`.
   * @throws {BackendError} freed, of another backend, or shorter; {DtypeError} another type
   */
  floats(buf: Buf, count: number): number {
    return this.place(buf, count, 'f32');
  }

  /** The same for ids. */
  ints(buf: Buf, count: number): number {
    return this.place(buf, count, 'i32');
  }

  /** Replaces the content, after all that was enqueued. */
  write(buf: Buf, data: TypedData): void {
    const { dtype, at } = this.own(buf);
    if (isPlanned(at)) throw new BackendError('native: a buffer of a recording has no content to replace');
    if (data.length !== buf.length) {
      throw new BackendError(`native: ${data.length} values written to a buffer of ${buf.length}`);
    }
    if (dtypeOf(data) !== dtype)
      throw new DtypeError(`native: ${dtypeOf(data)} values written to a buffer of ${dtype}`);
    // What is enqueued may still read the old content, or that of a freed buffer whose place this one took.
    this.queue.run();
    this.engine.copyIn(at, data);
  }

  read(buf: Buf): Float32Array | Int32Array {
    const { dtype, at, length } = this.own(buf);
    const data = dtype === 'i32' ? new Int32Array(length) : new Float32Array(length);
    this.queue.run();
    this.engine.copyOut(at, data);
    return data;
  }

  private take(bytes: number): Share {
    if (Number.isSafeInteger(bytes) && bytes >= 0) {
      if (this.plan !== null) {
        this.plan.live++;
        return { ...this.plan.take(bytes), bytes, users: 1 };
      }
      for (const heap of bytes < LARGE ? [this.small, this.large] : [this.large]) {
        const block = heap.take(bytes);
        if (block !== null) return { heap, block, bytes, users: 1 };
      }
    }
    throw this.outOfMemory(bytes);
  }

  private own(buf: Buf): NativeBuf {
    if (!(buf instanceof NativeBuf) || buf.memory !== this) {
      throw new BackendError('native: a buffer of another backend', { code: 'BACKEND-MIXED' });
    }
    if (buf.freed)
      throw new BackendError('native: a kernel was given a buffer that was freed', { code: 'BACKEND-FREED' });
    return buf;
  }

  private place(buf: Buf, count: number, wanted: DType): number {
    const { dtype, at, length } = this.own(buf);
    if (dtype !== wanted) throw new DtypeError(`native: a kernel wants ${wanted} and was given ${dtype}`);
    if (!(count >= 0 && count <= length)) {
      throw new BackendError(`native: a kernel wants ${count} elements of a buffer of ${length}`, {
        code: 'BACKEND-SIZE',
      });
    }
    this.queue.touched += count * bytesPer(dtype);
    return at;
  }

  private spoil(block: Block): void {
    // What is uploaded while a recording is made is written at once, not by a command of the recording.
    if (this.poison && (!this.queue.isRecording || isPlanned(block.at)))
      this.queue.push('fillI32', block.at, block.size / 4, POISON);
  }

  private outOfMemory(bytes: number): BackendError {
    return new BackendError(`out of memory: ${mib(bytes)} more wanted`, {
      code: 'BACKEND-MEMORY',
      where: `native backend, ${mib(this.liveBytes)} of ${mib(this.engine.size)} in use`,
      fix: 'use a smaller batch, a shorter sequence or a smaller model; BG_ARENA_GB sets the limit',
    });
  }
}

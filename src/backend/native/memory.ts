import { bytesPer, type DType, dtypeOf, type TypedData } from '../../core/dtype.js';
import { BackendError, DtypeError } from '../../core/errors.js';
import type { Buf } from '../backend.js';
import { mib, type Share, type Window, WindowMemory } from '../windows.js';
import { Heap } from './heap.js';
import { LentMemory } from './lent.js';
import type { Engine } from './load.js';
import { isPlanned, Plan } from './plan.js';
import type { Queue } from './queue.js';

interface BlockShare extends Share {
  /** Its first byte in the arena, or in a plan. */
  readonly at: number;
  /** Bytes that are its own. */
  readonly size: number;
  give(): void;
}

type NativeBuf = Window<BlockShare>;

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
/** Smaller gaps are not worth a call to the system. */
const LEAST_GAP = 2 ** 20;
/** Bits of a NaN; as an i32 it is no id of any table. */
const POISON = 0x7fc00000;

/** First byte in the arena; elements of both types have four. */
const placeOf = ({ share, at }: NativeBuf): number => share.at + 4 * at;

/** Buffers in one arena: who uses which bytes, and how many there are. */
export class NativeMemory extends WindowMemory<BlockShare> {
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
    super('native');
    const border = Math.min(MOST_SMALL, Math.floor(engine.size / 16 / PAGE) * PAGE);
    this.small = new Heap(0, LINE, (end) => end <= border && engine.commit(end));
    this.large = new Heap(border, PAGE, (end) => engine.commit(end));
  }

  /**
   * Runs `body`, whose buffers get places in a plan instead of memory.
   * @param lent buffers whose content is of no use until a command of `body` has written it
   * @throws {BackendError} when it leaves one of them behind
   */
  planned(body: () => void, lent: readonly Buf[]): Plan {
    const stretches = lent.map((buf) => {
      const from = placeOf(this.own(buf));
      return { from, to: from + 4 * buf.length };
    });
    const plan = new Plan(LINE, PAGE, LARGE, new LentMemory(stretches, PAGE), () => this.queue.recorded);
    const before = this.plan;
    this.plan = plan;
    try {
      body();
    } finally {
      this.plan = before;
    }
    if (plan.live > 0) throw new BackendError(`native: a recording ends with ${plan.live} buffers that were not freed`);
    plan.arrange();
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
    const at = placeOf(this.own(buf));
    if (isPlanned(at)) throw new BackendError('native: a buffer of a recording has no content to replace');
    this.accepts(buf, data);
    // What is enqueued may still read the old content, or that of a freed buffer whose place this one took.
    this.queue.run();
    this.engine.copyIn(at, data);
  }

  read(buf: Buf): Float32Array | Int32Array {
    const owned = this.own(buf);
    const { dtype, length } = owned;
    const data = dtype === 'i32' ? new Int32Array(length) : new Float32Array(length);
    this.queue.run();
    this.engine.copyOut(placeOf(owned), data);
    return data;
  }

  /** Gives free memory back to the system: what is allocated next may lie elsewhere, and nobody uses both. */
  trim(): void {
    this.queue.run(); // what is enqueued may still read buffers that have been freed
    for (const [from, to] of this.large.gaps(LEAST_GAP)) this.engine.discard(from, to);
  }

  protected take(_length: number, bytes: number): BlockShare {
    const share = this.find(bytes);
    if (share === null) throw this.outOfMemory(bytes);
    this.spoil(share);
    return share;
  }

  /** Places in a plan are no memory yet. */
  protected override counts({ at }: BlockShare): boolean {
    return !isPlanned(at);
  }

  protected giveBack(share: BlockShare): void {
    this.spoil(share);
    share.give();
  }

  private find(bytes: number): BlockShare | null {
    if (!(Number.isSafeInteger(bytes) && bytes >= 0)) return null;
    const { plan } = this;
    if (plan !== null) {
      const block = plan.take(bytes);
      return { at: block.at, size: block.size, bytes, users: 1, give: () => plan.give(block) };
    }
    for (const heap of bytes < LARGE ? [this.small, this.large] : [this.large]) {
      const block = heap.take(bytes);
      if (block !== null) return { at: block.at, size: block.size, bytes, users: 1, give: () => heap.give(block) };
    }
    return null;
  }

  private place(buf: Buf, count: number, wanted: DType): number {
    const owned = this.own(buf);
    const { dtype, length } = owned;
    if (dtype !== wanted) throw new DtypeError(`native: a kernel wants ${wanted} and was given ${dtype}`);
    if (!(count >= 0 && count <= length)) {
      throw new BackendError(`native: a kernel wants ${count} elements of a buffer of ${length}`, {
        code: 'BACKEND-SIZE',
      });
    }
    this.queue.touched += count * bytesPer(dtype);
    const at = placeOf(owned);
    this.plan?.lent.use(at, at + count * bytesPer(dtype), this.queue.recorded);
    return at;
  }

  private spoil({ at, size }: BlockShare): void {
    // What is uploaded while a recording is made is written at once, not by a command of the recording.
    if (this.poison && (!this.queue.isRecording || isPlanned(at))) this.queue.push('fillI32', at, size / 4, POISON);
  }

  private outOfMemory(bytes: number): BackendError {
    return new BackendError(`out of memory: ${mib(bytes)} more wanted`, {
      code: 'BACKEND-MEMORY',
      where: `native backend, ${mib(this.liveBytes)} of ${mib(this.engine.size)} in use`,
      fix: 'use a smaller batch, a shorter sequence or a smaller model; BG_ARENA_GB sets the limit',
    });
  }
}

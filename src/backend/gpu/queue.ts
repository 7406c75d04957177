import { BackendError } from '../../core/errors.js';
import type { Moment } from '../backend.js';
import { Batch, type Copy, LONGEST } from './batch.js';
import { Binder, type Place } from './binder.js';
import type { Compiled } from './compile.js';
import type { Device } from './device.js';
import { CheckedIds, judge, VERDICT } from './ids.js';
import type { GpuBuf, GpuMemory } from './memory.js';
import { Params, placeHolder, SLICE } from './params.js';
import { partsOf } from './parts.js';
import type { Slab } from './pool.js';
import { type Args, type Dims, line, type Operand } from './spec.js';
import { Staging } from './staging.js';

/** COPY_DST and UNIFORM of the WebGPU specification. */
const UNIFORM = 0x40 | 0x08;
/** No batch that is enqueued has this number. */
const RECORDED = -2;

/** What is known of a launch besides its workgroups. */
interface Extent {
  /** Elements of the result of a plain kernel along each axis. */
  readonly output?: Dims;
  /** Multiplications and additions, roughly; absent: few. */
  readonly work?: number;
}

/** Kernel calls that do not run but are kept. */
interface Recorded {
  readonly batches: Batch[];
  /** Whether ids are checked among them. */
  checks: boolean;
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
  private readonly params = new Params();
  private recorded: Recorded | null = null;
  private readonly paramBuffer: GPUBuffer;
  private readonly binder: Binder;
  private readonly staging: Staging;
  /** What the device found out about ids, how many lists it was asked about, and up to which of them it was heard. */
  private verdict: GpuBuf | null = null;
  private asked = 0;
  private heard = 0;
  private checked = new CheckedIds();

  /** @param mostWork of one launch, and of one submit */
  constructor(
    private readonly device: Device,
    private readonly memory: GpuMemory,
    public mostWork: number,
  ) {
    this.paramBuffer = device.gpu.createBuffer({ size: LONGEST * SLICE, usage: UNIFORM });
    this.binder = new Binder(device, this.paramBuffer);
    this.staging = new Staging(device.gpu);
  }

  /**
   * Enqueues one launch, in parts where it would take too long.
   * @param args what the kernel's parameters stand for, in their order
   * @param outputs the results, gpu.js's own first
   */
  launch(kernel: Compiled, args: Args, outputs: readonly Operand[], groups: Dims, extent: Extent = {}): void {
    if (groups[0] * groups[1] * groups[2] === 0) return;
    const { output = groups, work = 0 } = extent;
    const targets = outputs.map((operand) => this.memory.own(operand.buf));
    const all = [...args, ...outputs.slice(1)];
    const places = this.places(kernel, all, targets);
    this.params.fill(kernel, all, places, output, groups[0] * (kernel.workgroup[0] ?? 1));
    const group = this.binder.groupOf(kernel, places);
    const parts = partsOf(groups, work, this.mostWork);
    for (const part of parts) {
      this.makeRoom(work / parts.length);
      this.params.put(kernel.resultWord + 1, part.first);
      this.batch.launch(kernel, group, part.groups, this.params);
      this.touch(places, targets);
    }
    for (const buf of this.borrowed) this.memory.free(buf);
    this.borrowed = [];
  }

  /** Enqueues `kernel` (CHECK_IDS), whose verdict the next read or flush hears; nothing where the ids are known to fit. */
  checkIds(kernel: Compiled, ids: GpuBuf, limit: number, other: number): void {
    if (ids.length === 0 || !this.checked.isNew(ids.share.slab, ids, limit, other)) return;
    if (this.verdict === null) {
      this.verdict = this.memory.ownInts(VERDICT);
      this.write(this.verdict, new Int32Array(VERDICT));
    }
    this.launch(kernel, [line(ids), ids.length, limit, other], [line(this.verdict)], [1, 1, 1]);
    if (this.recorded === null) this.asked++;
    else this.recorded.checks = true;
  }

  /** Replaces a buffer's content, after all that was enqueued so far; at once, where that is being recorded. */
  write(buf: GpuBuf, data: Float32Array | Int32Array): void {
    const { slab } = buf.share;
    if (data.length === 0) return;
    slab.writes++;
    const { queue } = this.device.gpu;
    const put = (values: Float32Array | Int32Array): void =>
      queue.writeBuffer(slab.buffer, buf.at * 4, values as Float32Array<ArrayBuffer>);
    if (this.waiting === 0 && slab.batch !== this.batch.id) put(data);
    else if (this.recorded !== null) {
      const copied = data.slice();
      this.later(async () => put(copied));
    } else {
      const from = this.staging.filled(data);
      this.copy({ from, fromByte: 0, to: slab.buffer, toByte: buf.at * 4, bytes: data.byteLength }, slab);
      this.staging.retire(from, this.submitted());
    }
  }

  /** The content as it is after all that was enqueued so far. @throws {BackendError} also, where ids did not fit */
  async read(buf: GpuBuf): Promise<Float32Array | Int32Array> {
    const bytes = buf.length * 4;
    const verdict = this.asked > this.heard ? this.verdict : null;
    const upTo = this.asked;
    const target = this.staging.take(bytes + 4 * VERDICT);
    this.copyOut(buf, target, 0);
    if (verdict !== null) this.copyOut(verdict, target, bytes);
    await this.flushSoon();
    const all = await this.staging.read(target, bytes + (verdict === null ? 0 : 4 * VERDICT), this.device);
    if (verdict !== null) this.hear(new Int32Array(all, bytes), verdict, upTo);
    const copied = verdict === null ? all : all.slice(0, bytes);
    return buf.dtype === 'i32' ? new Int32Array(copied) : new Float32Array(copied);
  }

  /** Submits, and waits until everything has run. */
  async flush(): Promise<void> {
    if (this.verdict !== null && this.asked > this.heard) await this.read(this.verdict);
    await this.submit();
    await this.device.gpu.queue.onSubmittedWorkDone();
    this.device.check();
  }

  /** Submits all that was enqueued, at once where its kernels are compiled, else as soon as they are. */
  submit(): Promise<void> {
    const { batch } = this;
    if (batch.isEmpty) return this.tail;
    this.batch = (this.spare.pop() ?? new Batch()).begin(batch.id + 1);
    return this.send(batch, () => this.spare.push(batch));
  }

  /** A number as a kernel takes it: `value`, or what stands for it while a recording is made. */
  liveNumber(name: keyof Moment, value: number): number {
    return this.recorded === null ? value : placeHolder(name);
  }

  /** What `body` enqueues, which does not run. @throws whatever `body` throws */
  record(body: () => void): Recorded {
    this.submit();
    const { batch } = this;
    const recorded: Recorded = { batches: [], checks: false };
    this.recorded = recorded;
    this.batch = new Batch().begin(RECORDED);
    this.checked = new CheckedIds();
    try {
      body();
      if (!this.batch.isEmpty) recorded.batches.push(this.batch);
      return recorded;
    } finally {
      this.recorded = null;
      this.batch = batch;
      this.checked = new CheckedIds();
    }
  }

  /** Runs what was recorded, after all that was enqueued. */
  replay({ batches, checks }: Recorded, moment: Moment): void {
    this.submit();
    if (checks) this.asked++;
    for (const batch of batches) {
      for (const slab of batch.written) slab.writes++;
      this.send(batch, () => batch.waitFor.clear(), { ...moment }).catch(() => undefined); // the next read tells
    }
  }

  /** Whether nothing waits for being submitted. */
  get isIdle(): boolean {
    return this.waiting === 0 && this.batch.isEmpty;
  }

  /** Settles when all that was submitted so far is on its way to the device. */
  get settled(): Promise<void> {
    return this.tail;
  }

  /** @param moment of a recording */
  private send(batch: Batch, done: () => void, moment?: Moment): Promise<void> {
    if (this.waiting > 0 || batch.waitFor.size > 0) {
      return this.later(async () => {
        await Promise.all(batch.waitFor);
        this.encode(batch, moment);
        done();
      });
    }
    this.encode(batch, moment);
    done();
    return this.tail;
  }

  /** Runs `task` when all batches so far have been submitted. */
  private later(task: () => Promise<void>): Promise<void> {
    this.waiting++;
    const run = this.tail.then(async () => {
      try {
        await task();
      } finally {
        this.waiting--;
      }
    });
    // What fails is reported once, and the queue goes on.
    this.tail = run.catch(() => undefined);
    return run;
  }

  private encode(batch: Batch, moment?: Moment): void {
    const { gpu } = this.device;
    this.device.check();
    if (moment !== undefined) batch.settle(moment);
    gpu.queue.writeBuffer(this.paramBuffer, 0, batch.params, 0, batch.launches * SLICE);
    gpu.queue.submit([batch.encode(gpu)]);
  }

  /** Begins another batch where this one has launches, or work, enough. */
  private makeRoom(work: number): void {
    const { batch } = this;
    const full = batch.launches === LONGEST || (batch.work > 0 && batch.work + work > this.mostWork);
    if (full && this.recorded === null) this.submit();
    else if (full) {
      this.recorded?.batches.push(batch);
      this.batch = new Batch().begin(RECORDED);
    }
    this.batch.work += work;
  }

  private touch(places: readonly (Place | null)[], targets: readonly GpuBuf[]): void {
    for (const place of places) if (place !== null) place.slab.batch = this.batch.id;
    for (const { share } of targets) {
      share.slab.writes++;
      if (this.recorded !== null) this.batch.written.add(share.slab);
    }
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

  /** @throws {BackendError} an id that does not fit; the queue goes on, with a clean slate */
  private hear(words: Int32Array, verdict: GpuBuf, upTo: number): void {
    const first = upTo > this.heard;
    this.heard = Math.max(this.heard, upTo);
    if (first && words[0] !== 0) this.write(verdict, new Int32Array(VERDICT));
    judge(words);
  }

  private copyOut({ share, at, length }: GpuBuf, to: GPUBuffer, toByte: number): void {
    if (length === 0) return;
    this.copy({ from: share.slab.buffer, fromByte: at * 4, to, toByte, bytes: 4 * length }, share.slab);
  }

  private copy(copy: Copy, slab: Slab): void {
    slab.batch = this.batch.id;
    this.batch.copy(copy);
  }

  /** Where each array lies, the first result last; null for one that is the result itself. */
  private places(kernel: Compiled, args: Args, targets: readonly GpuBuf[]): (Place | null)[] {
    if (args.length !== kernel.arrays.length + kernel.scalars.length) {
      throw new BackendError(`gpu: kernel ${kernel.name} was given ${args.length} arrays and numbers`);
    }
    const places: (Place | null)[] = [];
    for (const arg of args) {
      if (typeof arg === 'number') continue;
      const { bound, writable, width } = kernel.arrays[places.length];
      const buf = this.memory.own(arg.buf);
      places.push(bound ? this.binder.placeOf(writable ? buf : this.apart(buf, targets), width) : null);
    }
    places.push(this.binder.placeOf(targets[0], kernel.resultWidth));
    return places;
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
}

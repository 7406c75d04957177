/** What a kernel call was part of. */
export type Phase = 'forward' | 'backward';

/** One kernel call as it ran. */
export interface KernelCall {
  readonly kernel: string;
  /** The op whose forward or backward pass called it; empty where none did. */
  readonly op: string;
  readonly phase: Phase;
  /** Milliseconds of `performance.now()`. */
  readonly begin: number;
  readonly ms: number;
  /** Of multiplications of matrices and of attention; 0 for all other kernels, whose time is that of their memory. */
  readonly flops: number;
  /** Buffers read and written, each counted once. */
  readonly bytes: number;
}

/** All calls of one kernel for one op, in one direction. */
export interface Total {
  readonly kernel: string;
  readonly op: string;
  readonly phase: Phase;
  calls: number;
  ms: number;
  flops: number;
  bytes: number;
}

/** What is known of a kernel call when it is enqueued. */
export type Label = Pick<KernelCall, 'op' | 'phase' | 'bytes'>;

/** A backend that holds one times every kernel. */
export interface CallLog {
  /** From now on kernels belong to this op, unless to one that called it. @returns what `leave` takes */
  enter(op: string, phase?: Phase): Label;
  leave(before: Label): void;
  /** What a kernel that is enqueued now belongs to. */
  label(bytes: number): Label;
  add(call: KernelCall): void;
}

/** Where the time went. */
export class Trace implements CallLog {
  /** The first calls, as they came. */
  readonly calls: KernelCall[] = [];
  private readonly sums = new Map<string, Total>();
  private op = '';
  private phase: Phase = 'forward';

  /** @param limit calls that are kept one by one; later ones only count in the totals */
  constructor(private readonly limit = 200_000) {}

  /** All that ran, the longest first. */
  get totals(): readonly Total[] {
    return [...this.sums.values()].sort((a, b) => b.ms - a.ms);
  }

  /** Milliseconds in kernels. */
  get ms(): number {
    return this.totals.reduce((sum, { ms }) => sum + ms, 0);
  }

  enter(op: string, phase: Phase = 'forward'): Label {
    const before = this.label(0);
    if (this.op === '') {
      this.op = op;
      this.phase = phase;
    }
    return before;
  }

  leave({ op, phase }: Label): void {
    this.op = op;
    this.phase = phase;
  }

  label(bytes: number): Label {
    return { op: this.op, phase: this.phase, bytes };
  }

  add(call: KernelCall): void {
    const { kernel, op, phase, ms, flops, bytes } = call;
    if (this.calls.length < this.limit) this.calls.push(call);
    const key = `${kernel} ${op} ${phase}`;
    const total = this.sums.get(key) ?? { kernel, op, phase, calls: 0, ms: 0, flops: 0, bytes: 0 };
    total.calls++;
    total.ms += ms;
    total.flops += flops;
    total.bytes += bytes;
    this.sums.set(key, total);
  }
}

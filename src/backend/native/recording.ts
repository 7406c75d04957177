import type { TypedData } from '../../core/dtype.js';
import type { Buf, Moment, Recording } from '../backend.js';
import type { NativeMemory } from './memory.js';
import { isPlanned, type Plan } from './plan.js';
import { LIVE, liveIndex, type Queue } from './queue.js';

/** Memory that all recordings share, for they run one after the other: as large as the largest of them needs. */
export class RecordingRoom {
  private buf: Buf | null = null;
  private users = 0;

  constructor(private readonly memory: NativeMemory) {}

  /** Sees to it that there are `bytes` of it. */
  enter(bytes: number): void {
    this.users++;
    const length = Math.ceil(bytes / 4);
    if (this.buf !== null && this.buf.length >= length) return;
    if (this.buf !== null) this.memory.free(this.buf);
    // The step that is recorded ran before, in memory that is free now and may be too scattered for a room.
    this.memory.trim();
    this.buf = this.memory.alloc(length, 'f32');
  }

  /** Where it begins; it may move when a larger recording is made. */
  get base(): number {
    return this.buf === null ? 0 : this.memory.floats(this.buf, 0);
  }

  leave(): void {
    this.users--;
    if (this.users > 0 || this.buf === null) return;
    this.memory.free(this.buf);
    this.buf = null;
  }
}

/** Commands with their places and numbers left open. */
export class NativeRecording implements Recording {
  /** The commands as they ran last. */
  private readonly words: Float64Array;
  /** Which of the words are places in the plan, and these places. */
  private readonly addresses: Int32Array;
  private readonly places: Float64Array;
  /** Which of the words are numbers of a moment: an entry of `LIVE` each. */
  private readonly moving: readonly Int32Array[];
  private base = -1;
  private freed = false;

  constructor(
    private readonly queue: Queue,
    private readonly memory: NativeMemory,
    private readonly room: RecordingRoom,
    private readonly plan: Plan,
    recorded: Float64Array,
    readonly inputs: ReadonlyMap<TypedData, Buf>,
  ) {
    this.words = recorded;
    const all = Array.from(recorded.keys());
    this.addresses = Int32Array.from(all.filter((i) => isPlanned(recorded[i])));
    this.places = Float64Array.from(this.addresses, (i) => recorded[i]);
    this.moving = LIVE.map((_, name) => Int32Array.from(all.filter((i) => liveIndex(recorded[i]) === name)));
    room.enter(plan.bytes);
  }

  run(moment: Moment): void {
    const { words, base } = this;
    if (this.room.base !== base) this.settle(this.room.base);
    for (const [i, name] of LIVE.entries()) for (const at of this.moving[i]) words[at] = moment[name];
    this.queue.replay(words);
  }

  free(): void {
    if (this.freed) return;
    this.freed = true;
    for (const buf of this.inputs.values()) this.memory.free(buf);
    this.room.leave();
  }

  private settle(base: number): void {
    this.base = base;
    for (const [i, at] of this.addresses.entries()) this.words[at] = this.plan.resolve(this.places[i], base);
  }
}

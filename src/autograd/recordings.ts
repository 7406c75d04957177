import type { Backend, Buf, Moment, Recording } from '../backend/backend.js';
import type { TypedData } from '../core/dtype.js';
import { Recent } from '../core/recent.js';

/** Recordings that are kept; the one that was used longest ago goes first. */
const MOST = 16;

/** A recording, and where the content of each input goes. */
export interface Known {
  readonly recording: Recording;
  readonly slots: readonly (Buf | undefined)[];
}

/** Records `body` on a backend that can. @throws an array is two of the inputs */
export function recordKnown(
  backend: Backend,
  inputs: readonly TypedData[],
  body: () => void,
  lent: readonly Buf[] = [],
): Known {
  const recording = (backend.record as NonNullable<Backend['record']>).call(backend, body, lent);
  const slots = inputs.map((data) => recording.inputs.get(data));
  if (slots.every((slot, i) => slot === undefined || slots.indexOf(slot) === i)) return { recording, slots };
  recording.free();
  throw new Error('an array is two of the inputs of a recorded step');
}

/** Runs a recording on other inputs of the same sizes. */
export function replayKnown(backend: Backend, known: Known, inputs: readonly TypedData[], moment: Moment): void {
  for (const [i, slot] of known.slots.entries()) if (slot !== undefined) backend.write(slot, inputs[i]);
  known.recording.run(moment);
}

/**
 * Runs steps of one computation. One whose shapes come again is recorded, and from then on its kernels run without the
 * program that enqueued them: the same bits, for hardly any JavaScript. Others run as they are, and so does everything
 * on a backend that cannot record. Where recordings take less memory, the first step of all is recorded, too: most
 * often all that follow are like it.
 */
export class Recordings {
  /** By key, the newest last; null: met once, not yet recorded. */
  private readonly known = new Recent<Known | null>(MOST, (entry) => entry?.recording.free());
  /** The key of the first step, until another step comes. */
  private first: string | null = null;

  constructor(private readonly backend: Backend) {}

  /** How many steps can be replayed. */
  get size(): number {
    return [...this.known.values()].filter((entry) => entry !== null).length;
  }

  /**
   * Enqueues what `body` enqueues. It leaves its results in buffers that were there before and that stay.
   * @param key names everything that decides which kernels `body` enqueues: shapes, and numbers that are no input
   * @param inputs all arrays that `body` uploads, in an order of their own, the same for each key
   * @param moment the step of all random numbers and the rates of an optimizer, where `body` uses them
   * @param lent buffers that `body` writes before it reads them, and that outlive the recordings
   */
  run(key: string, inputs: readonly TypedData[], moment: Moment, body: () => void, lent: readonly Buf[] = []): void {
    this.settleFirst(key);
    const entry = this.startsWith(key, lent) ? null : this.known.get(key);
    // Kernels of a recording have no names for a trace.
    if (entry === undefined || this.backend.record === undefined || this.backend.trace) {
      this.known.keep(key, entry ?? null);
      body();
      return;
    }
    const known = entry ?? this.record(inputs, body, lent);
    this.known.keep(key, known);
    replayKnown(this.backend, known, inputs, moment);
  }

  /** Gives all memory back. */
  dispose(): void {
    this.known.forget();
  }

  /** Whether this is the first step, and is recorded although nobody knows whether it comes again. */
  private startsWith(key: string, lent: readonly Buf[]): boolean {
    if (this.known.size > 0 || lent.length === 0 || this.backend.borrows !== true) return false;
    this.first = key;
    return true;
  }

  /** The second step tells whether the first one's recording is of use. */
  private settleFirst(key: string): void {
    const { first } = this;
    this.first = null;
    if (first === null || first === key) return;
    this.known.get(first)?.recording.free();
    this.known.set(first, null);
  }

  private record(inputs: readonly TypedData[], body: () => void, lent: readonly Buf[]): Known {
    const known = recordKnown(this.backend, inputs, body, lent);
    const found = known.slots.filter((slot) => slot !== undefined);
    if (found.length === known.recording.inputs.size) return known;
    known.recording.free();
    throw new Error('a recorded step uploads an array that is none of its inputs');
  }
}

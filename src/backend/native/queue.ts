import { BackendError } from '../../core/errors.js';
import type { Moment } from '../backend.js';
import type { CallLog, Label } from '../trace.js';
import { COMMAND_CODES, COMMANDS, type Command } from './codes.js';
import type { Engine } from './load.js';

/** Beyond this many numbers a queue runs by itself: about a thousand commands, far more than make one crossing cheap. */
const LONGEST = 16384;

/** Numbers that native/profile.h leaves for a command: its code, begin and end in milliseconds, and its flops. */
const MARKS = 4;

/** Numbers that differ from one run of a recording to the next; while one is made, place-holders stand for them. */
export const LIVE: readonly (keyof Moment)[] = ['step', 'lr', 'correction1', 'correction2'];
/** No command takes a number as far below 0. */
const PLACE_HOLDER = -(2 ** 60);
const PLACE_HOLDERS = LIVE.map((_, i) => PLACE_HOLDER - i * 2 ** 10);

/** Which of `LIVE` a number stands for; -1: it is itself. */
export const liveIndex = (word: number): number => (word <= PLACE_HOLDER ? PLACE_HOLDERS.indexOf(word) : -1);

/**
 * Kernel calls as numbers. Crossing into C++ costs about as much as a small kernel, so many commands go over at once,
 * and run there in the order of their calls.
 */
export class Queue {
  private words = new Float64Array(2 * LONGEST);
  private length = 0;
  /** Bytes of the buffers that were placed since the last command. */
  touched = 0;
  private timing: CallLog | null = null;
  /** What the enqueued commands belong to, while they are timed. */
  private labels: Label[] = [];
  private recording = false;

  constructor(private readonly engine: Engine) {}

  get trace(): CallLog | null {
    return this.timing;
  }

  set trace(trace: CallLog | null) {
    this.run();
    this.timing = trace;
  }

  /** Appends one command; `values` are what native/commands.h reads, in its order. */
  push(command: Command, ...values: readonly number[]): void {
    if (this.length >= LONGEST) this.makeRoom();
    if (this.timing !== null) this.labels.push(this.timing.label(bytesOf(command, values) ?? this.touched));
    if (command !== 'checkIds') this.touched = 0; // it stands before the command whose ids it looks at
    const { words } = this;
    let { length } = this;
    words[length++] = COMMAND_CODES[command];
    for (let i = 0; i < values.length; i++) words[length++] = values[i];
    this.length = length;
  }

  /** Numbers that have been recorded so far. */
  get recorded(): number {
    return this.length;
  }

  get isRecording(): boolean {
    return this.recording;
  }

  /** A number as a command takes it: `value`, or what stands for it while a recording is made. */
  live(name: keyof Moment, value: number): number {
    return this.recording ? PLACE_HOLDERS[LIVE.indexOf(name)] : value;
  }

  /** The commands that `body` enqueues, which do not run; no trace may be on. @throws whatever `body` throws */
  record(body: () => void): Float64Array {
    this.run();
    this.recording = true;
    try {
      body();
      return this.words.slice(0, this.length);
    } finally {
      this.recording = false;
      this.length = 0;
    }
  }

  /** Runs all that was enqueued. @throws {BackendError} when a command is refused; the rest of the queue is dropped */
  run(): void {
    if (this.length === 0 || this.recording) return;
    const count = this.length;
    this.length = 0;
    this.execute(this.words, count, this.labels);
  }

  /** Runs recorded commands, after all that was enqueued. @throws as `run` */
  replay(words: Float64Array): void {
    this.run();
    this.execute(words, words.length, []);
  }

  /** Runs what is there, or makes the queue longer while it is being recorded. */
  private makeRoom(): void {
    if (!this.recording) this.run();
    else if (this.length + LONGEST > this.words.length) {
      const longer = new Float64Array(2 * this.words.length);
      longer.set(this.words);
      this.words = longer;
    }
  }

  private execute(words: Float64Array, count: number, labels: readonly Label[]): void {
    try {
      this.time(words, count, labels);
    } catch (cause) {
      throw new BackendError(`native: ${cause instanceof Error ? cause.message : cause}`, {
        code: 'BACKEND-COMMAND',
        fix: 'check indices against the size of what they index',
        cause,
      });
    }
  }

  /** Runs commands, timed where a trace wants to know. */
  private time(words: Float64Array, count: number, labels: readonly Label[]): void {
    const { timing } = this;
    if (timing === null) {
      this.engine.exec(words, count);
      return;
    }
    this.labels = [];
    const marks = new Float64Array(MARKS * labels.length);
    const start = performance.now();
    this.engine.exec(words, count, marks);
    for (const [i, label] of labels.entries()) {
      const [code, begin, end, flops] = marks.subarray(MARKS * i);
      timing.add({ kernel: COMMANDS[code], ...label, begin: start + begin, ms: end - begin, flops });
    }
  }
}

/** Bytes of commands that read a few rows of a table, or look at ids alone; null where whole buffers are worked on. */
function bytesOf(command: Command, values: readonly number[]): number | null {
  if (command === 'checkIds') return 4 * values[1];
  if (command === 'gather') return 4 * values[3] * (2 * values[4] + 1);
  return command === 'scatterAdd' ? 4 * values[3] * (3 * values[4] + 1) : null;
}

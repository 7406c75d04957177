import { BackendError } from '../../core/errors.js';
import { COMMAND_CODES, type Command } from './codes.js';
import type { Engine } from './load.js';

/** Beyond this many numbers a queue runs by itself: about a thousand commands, far more than make one crossing cheap. */
const LONGEST = 16384;

/**
 * Kernel calls as numbers. Crossing into C++ costs about as much as a small kernel, so many commands go over at once,
 * and run there in the order of their calls.
 */
export class Queue {
  private words = new Float64Array(2 * LONGEST);
  private length = 0;

  constructor(private readonly engine: Engine) {}

  /** Appends one command; `values` are what native/commands.h reads, in its order. */
  push(command: Command, ...values: readonly number[]): void {
    if (this.length >= LONGEST) this.run();
    const { words } = this;
    let { length } = this;
    words[length++] = COMMAND_CODES[command];
    for (let i = 0; i < values.length; i++) words[length++] = values[i];
    this.length = length;
  }

  /** Runs all that was enqueued. @throws {BackendError} when a command is refused; the rest of the queue is dropped */
  run(): void {
    if (this.length === 0) return;
    const count = this.length;
    this.length = 0;
    try {
      this.engine.exec(this.words, count);
    } catch (cause) {
      throw new BackendError(`native: ${cause instanceof Error ? cause.message : cause}`, {
        code: 'BACKEND-COMMAND',
        fix: 'check indices against the size of what they index',
        cause,
      });
    }
  }
}

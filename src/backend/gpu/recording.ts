import type { TypedData } from '../../core/dtype.js';
import type { Buf, Moment, Recording } from '../backend.js';
import type { GpuMemory } from './memory.js';
import type { Pool } from './pool.js';
import type { Queue } from './queue.js';

/** Batches that go to the device again and again: a step costs its commands' encoding, and nothing above it. */
export class GpuRecording implements Recording {
  private freed = false;

  constructor(
    private readonly queue: Queue,
    private readonly memory: GpuMemory,
    private readonly room: Room,
    private readonly recorded: ReturnType<Queue['record']>,
    readonly inputs: ReadonlyMap<TypedData, Buf>,
  ) {
    room.enter();
  }

  run(moment: Moment): void {
    this.queue.replay(this.recorded, moment);
  }

  free(): void {
    if (this.freed) return;
    this.freed = true;
    for (const buf of this.inputs.values()) this.memory.free(buf);
    this.room.leave(this.queue.settled);
  }
}

/** The memory that all recordings share; it goes back to the device with the last of them. */
export class Room {
  private users = 0;

  constructor(private readonly pool: Pool) {}

  enter(): void {
    this.users++;
  }

  leave(submitted: Promise<void>): void {
    this.users--;
    submitted.then(() => {
      if (this.users === 0) this.pool.trim();
    });
  }
}

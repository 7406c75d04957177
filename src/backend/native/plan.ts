import { type Block, Heap } from './heap.js';

/** Addresses from here on are places in a plan, not in the arena: no arena is a petabyte large. */
const PLANNED = 2 ** 50;
/** Half of the places: those of large blocks. */
const PLANNED_LARGE = 2 ** 51;

/**
 * Places for the buffers of a recording, given out before it is known how much memory they take together and where it
 * will lie: small and large ones apart, as in the arena itself.
 */
export class Plan {
  private readonly small: Heap;
  private readonly large: Heap;
  private smallEnd = PLANNED;
  private largeEnd = PLANNED_LARGE;
  /** Buffers that have not been freed. */
  live = 0;

  /**
   * @param line, page granules of small and of large blocks
   * @param smallest bytes from which a block is a large one
   */
  constructor(
    line: number,
    private readonly page: number,
    private readonly smallest: number,
  ) {
    this.small = new Heap(PLANNED, line, () => true);
    this.large = new Heap(PLANNED_LARGE, page, () => true);
  }

  take(bytes: number): { heap: Heap; block: Block } {
    const heap = bytes < this.smallest ? this.small : this.large;
    const block = heap.take(bytes) as Block;
    this.smallEnd = Math.max(this.smallEnd, this.small.top);
    this.largeEnd = Math.max(this.largeEnd, this.large.top);
    return { heap, block };
  }

  /** Bytes of all of it, small blocks first. */
  get bytes(): number {
    return this.smallBytes + this.largeEnd - PLANNED_LARGE;
  }

  /** Where a place lies once the memory begins at `base`. */
  resolve(place: number, base: number): number {
    return place >= PLANNED_LARGE ? place - PLANNED_LARGE + this.smallBytes + base : place - PLANNED + base;
  }

  private get smallBytes(): number {
    return Math.ceil((this.smallEnd - PLANNED) / this.page) * this.page;
  }
}

/** Whether a number of a command is a place in a plan: nothing else is as large. */
export const isPlanned = (word: number): boolean => word >= PLANNED;

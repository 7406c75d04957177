import { type Block, Heap } from './heap.js';
import type { LentMemory } from './lent.js';

/** Addresses from here on are those of a plan, not of the arena: no arena is a petabyte large. */
const PLANNED = 2 ** 50;

/** A buffer of a recording, with an address that no other one has. Times are places in the list of commands. */
export interface PlannedBlock {
  readonly at: number;
  readonly size: number;
  readonly birth: number;
  death: number;
  /** Where it lies, once that is known: a byte of the arena, or one of the room. */
  home: number;
  readonly large: boolean;
  lent: boolean;
}

/**
 * The buffers of a recording: which of them are there at the same time is known when all of it is recorded, and only
 * then they get places, in memory that is lent to them or else in one room. It is not known yet where that will be.
 */
export class Plan {
  private readonly blocks: PlannedBlock[] = [];
  private end = PLANNED;
  private smallBytes = 0;
  private largeBytes = 0;
  /** Buffers that have not been freed. */
  live = 0;

  /**
   * @param line, page granules of small and of large blocks
   * @param smallest bytes from which a block is a large one
   * @param now how many numbers have been recorded
   */
  constructor(
    private readonly line: number,
    private readonly page: number,
    private readonly smallest: number,
    readonly lent: LentMemory,
    private readonly now: () => number,
  ) {}

  take(bytes: number): PlannedBlock {
    const large = bytes >= this.smallest;
    const granule = large ? this.page : this.line;
    const size = Math.max(1, Math.ceil(bytes / granule)) * granule;
    const death = Number.POSITIVE_INFINITY;
    const block = { at: this.end, size, birth: this.now(), death, home: 0, large, lent: false };
    this.blocks.push(block);
    this.end += size;
    this.live++;
    return block;
  }

  give(block: PlannedBlock): void {
    block.death = this.now();
    this.live--;
  }

  /** Gives each buffer its place: after the last command. */
  arrange(): void {
    const heaps = [this.line, this.page].map((granule) => new Heap(0, granule, () => true));
    let held: { readonly block: PlannedBlock; readonly place: Block }[] = [];
    const heapOf = ({ large }: PlannedBlock): Heap => heaps[Number(large)];
    for (const block of this.blocks) {
      for (const { block: other, place } of held) if (other.death <= block.birth) heapOf(other).give(place);
      held = held.filter((other) => other.block.death > block.birth);
      const guest = block.large ? this.lent.take(block.size, block.birth, block.death) : null;
      block.lent = guest !== null;
      block.home = guest ?? this.stay(block, heapOf(block), held);
    }
  }

  private stay(block: PlannedBlock, heap: Heap, held: { block: PlannedBlock; place: Block }[]): number {
    const place = heap.take(block.size) as Block;
    held.push({ block, place });
    if (block.large) this.largeBytes = Math.max(this.largeBytes, heap.top);
    else this.smallBytes = Math.max(this.smallBytes, Math.ceil(heap.top / this.page) * this.page);
    return place.at;
  }

  /** Bytes of the room, small blocks first. */
  get bytes(): number {
    return this.smallBytes + this.largeBytes;
  }

  /** Where an address lies once the room begins at `base`. */
  resolve(address: number, base: number): number {
    const { at, home, large, lent } = this.blockOf(address);
    const start = lent ? home : base + home + (large ? this.smallBytes : 0);
    return start + address - at;
  }

  /** The last block that begins at or before an address. */
  private blockOf(address: number): PlannedBlock {
    let [low, high] = [0, this.blocks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.blocks[middle].at <= address) low = middle + 1;
      else high = middle;
    }
    return this.blocks[low - 1];
  }
}

/** Whether a number of a command is an address in a plan: nothing else is as large. */
export const isPlanned = (word: number): boolean => word >= PLANNED;

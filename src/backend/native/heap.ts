/** A stretch of the arena, in use or free. Neighbours know each other, so that free ones can be joined. */
export interface Block {
  /** First byte. */
  at: number;
  /** Bytes, a multiple of the heap's granule. */
  size: number;
  before: Block | null;
  after: Block | null;
  /** Place in the list of free blocks of its size; -1 while in use. */
  slot: number;
}

/**
 * Places in one growing range of bytes: best fit, joined with free neighbours at once. Where a step asks for the same
 * sizes each time, every request after the first step finds a block of its size, and the range grows no more.
 */
export class Heap {
  /** End of the last block in use. */
  top: number;
  private last: Block | null = null;
  /** Free blocks by size. */
  private readonly free = new Map<number, Block[]>();
  /** Sizes of which there are free blocks, rising. */
  private readonly sizes: number[] = [];

  /**
   * @param first where the range begins
   * @param granule blocks begin and end at multiples of it
   * @param grow asks for the range up to `end`; false: it does not go so far
   */
  constructor(
    first: number,
    private readonly granule: number,
    private readonly grow: (end: number) => boolean,
  ) {
    this.top = first;
  }

  /** A block of at least `bytes`, or null when there is no room. */
  take(bytes: number): Block | null {
    const size = Math.max(1, Math.ceil(bytes / this.granule)) * this.granule;
    const place = this.lowerBound(size);
    if (place === this.sizes.length) return this.extend(size);
    // The list's last block was freed last: it is likeliest to be in a cache.
    const block = this.free.get(this.sizes[place])?.at(-1) as Block;
    this.unlist(block);
    if (block.size > size) this.split(block, size);
    return block;
  }

  /** Takes back a block that `take` gave. */
  give(block: Block): void {
    const { before, after } = block;
    if (after !== null && after.slot >= 0) {
      this.unlist(after);
      this.absorb(block, after);
    }
    let joined = block;
    if (before !== null && before.slot >= 0) {
      this.unlist(before);
      this.absorb(before, block);
      joined = before;
    }
    if (joined.after === null) {
      // Nothing in use lies behind it: the range ends here now.
      this.last = joined.before;
      if (this.last !== null) this.last.after = null;
      this.top = joined.at;
    } else this.list(joined);
  }

  /** Free blocks of at least `bytes`, in no order, and what lies behind the last block in use. */
  *gaps(bytes: number): Generator<readonly [from: number, to: number]> {
    for (const size of this.sizes.slice(this.lowerBound(bytes)))
      for (const { at } of this.free.get(size) as Block[]) yield [at, at + size];
    yield [this.top, Number.MAX_SAFE_INTEGER];
  }

  private extend(size: number): Block | null {
    if (!this.grow(this.top + size)) return null;
    const block: Block = { at: this.top, size, before: this.last, after: null, slot: -1 };
    if (this.last !== null) this.last.after = block;
    this.last = block;
    this.top += size;
    return block;
  }

  /** Cuts a block that is in use; what is left over becomes free. */
  private split(block: Block, size: number): void {
    const rest: Block = { at: block.at + size, size: block.size - size, before: block, after: block.after, slot: -1 };
    if (block.after !== null) block.after.before = rest;
    block.after = rest;
    block.size = size;
    this.list(rest);
  }

  private absorb(block: Block, next: Block): void {
    block.size += next.size;
    block.after = next.after;
    if (next.after !== null) next.after.before = block;
    else this.last = block;
  }

  private list(block: Block): void {
    const list = this.free.get(block.size);
    if (list === undefined) {
      this.free.set(block.size, [block]);
      this.sizes.splice(this.lowerBound(block.size), 0, block.size);
      block.slot = 0;
    } else block.slot = list.push(block) - 1;
  }

  private unlist(block: Block): void {
    const list = this.free.get(block.size) as Block[];
    const moved = list.pop() as Block;
    if (moved !== block) {
      list[block.slot] = moved;
      moved.slot = block.slot;
    }
    block.slot = -1;
    if (list.length === 0) {
      this.free.delete(block.size);
      this.sizes.splice(this.lowerBound(block.size), 1);
    }
  }

  /** Place of the first of `sizes` that is not below `size`. */
  private lowerBound(size: number): number {
    let low = 0;
    let high = this.sizes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sizes[middle] < size) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

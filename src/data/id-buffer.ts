/** Ids one after the other in memory that grows: what a corpus is encoded into. */
export class IdBuffer {
  /** [capacity]: only the first `length` count. Replaced when it grows, so do not keep it. */
  data: Int32Array;
  length = 0;

  constructor(capacity = 1024) {
    this.data = new Int32Array(Math.max(1, capacity));
  }

  /** Makes room for `extra` more ids. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.data.length) return;
    const bigger = new Int32Array(Math.max(needed, 2 * this.data.length));
    bigger.set(this.data.subarray(0, this.length));
    this.data = bigger;
  }

  push(id: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = id;
  }

  /** Forgets the ids and keeps the memory. */
  clear(): void {
    this.length = 0;
  }

  /** [length]: the ids, without a copy; valid until the next `reserve` or `push`. */
  view(): Int32Array {
    return this.data.subarray(0, this.length);
  }
}

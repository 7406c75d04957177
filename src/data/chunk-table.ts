/**
 * Strings as numbers: chunks of text (up to 64 units) in one pool, found by a hash that the caller computes while it
 * scans, so that looking a word up makes no string. Open addressing, at most half full.
 */
export class ChunkTable {
  size = 0;
  #slots = new Int32Array(1 << 12).fill(-1);
  #hashes = new Int32Array(1 << 11);
  /** Chunk k is #pool[#starts[k], #starts[k + 1]). */
  #starts = new Int32Array((1 << 11) + 1);
  #pool = new Uint16Array(1 << 14);

  /** The number of text[start, end), which is added if it is new: then it equals the old `size`. */
  intern(text: string, start: number, end: number, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = spread(hash) & mask;
    for (let k = this.#slots[slot]; k >= 0; k = this.#slots[slot]) {
      if (this.#hashes[k] === hash && this.#equals(k, text, start, end)) return k;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = this.size;
    return this.#append(text, start, end, hash);
  }

  /** The text of chunk k. */
  text(k: number): string {
    return String.fromCharCode(...this.#pool.subarray(this.#starts[k], this.#starts[k + 1]));
  }

  /** UTF-16 units of all chunks together. */
  get units(): number {
    return this.#starts[this.size];
  }

  clear(): void {
    this.size = 0;
    this.#slots.fill(-1);
  }

  #equals(k: number, text: string, start: number, end: number): boolean {
    const from = this.#starts[k];
    if (this.#starts[k + 1] - from !== end - start) return false;
    for (let i = start, j = from; i < end; i++, j++) if (this.#pool[j] !== text.charCodeAt(i)) return false;
    return true;
  }

  #append(text: string, start: number, end: number, hash: number): number {
    const k = this.size++;
    let at = this.#starts[k];
    if (at + end - start > this.#pool.length) this.#pool = enlarged(this.#pool, new Uint16Array(2 * this.#pool.length));
    for (let i = start; i < end; i++) this.#pool[at++] = text.charCodeAt(i);
    this.#starts[k + 1] = at;
    this.#hashes[k] = hash;
    if (this.size === this.#hashes.length) this.#grow();
    return k;
  }

  #grow(): void {
    const capacity = 2 * this.#hashes.length;
    this.#hashes = enlarged(this.#hashes, new Int32Array(capacity));
    this.#starts = enlarged(this.#starts, new Int32Array(capacity + 1));
    this.#slots = new Int32Array(2 * capacity).fill(-1);
    const mask = this.#slots.length - 1;
    for (let k = 0; k < this.size; k++) {
      let slot = spread(this.#hashes[k]) & mask;
      while (this.#slots[slot] >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = k;
    }
  }
}

const spread = (hash: number): number => hash ^ (hash >>> 15);

function enlarged<A extends Int32Array | Uint16Array>(old: A, bigger: A): A {
  bigger.set(old);
  return bigger;
}

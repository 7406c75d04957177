/**
 * The sequences of one pass over a corpus, before masking: each is a label and a few ranges of tokens ("pieces"), which
 * stand between [CLS], [SEP]s and the end. Nothing is copied, so a pass over 100 million tokens takes some 20 MB.
 */
export class Layout {
  /** Sequences. */
  count = 0;
  /** [count + 1]: first piece of each sequence, and the end. */
  firstPiece = new Uint32Array(64);
  /** [pieces]: first token of each. */
  starts = new Uint32Array(64);
  /** [pieces]: tokens of each. */
  lengths = new Uint32Array(64);
  /** [count]: NSP 0 next, 1 random; SOP 0 in order, 1 swapped; -1 without a sentence task. */
  labels = new Int8Array(64);
  #pieces = 0;

  /** Adds a range of tokens to the sequence that `close` ends. */
  piece(start: number, length: number): void {
    const at = this.#pieces++;
    if (at === this.starts.length) {
      this.starts = twice(this.starts, Uint32Array);
      this.lengths = twice(this.lengths, Uint32Array);
    }
    this.starts[at] = start;
    this.lengths[at] = length;
  }

  close(label: number): void {
    if (this.count + 1 === this.firstPiece.length) {
      this.firstPiece = twice(this.firstPiece, Uint32Array);
      this.labels = twice(this.labels, Int8Array);
    }
    this.labels[this.count++] = label;
    this.firstPiece[this.count] = this.#pieces;
  }

  /** Tokens of a sequence with its [CLS] and [SEP]s. */
  length(sequence: number): number {
    let sum = 1;
    for (let p = this.firstPiece[sequence]; p < this.firstPiece[sequence + 1]; p++) sum += this.lengths[p] + 1;
    return sum;
  }
}

function twice<T extends Uint32Array | Int8Array>(array: T, kind: new (length: number) => T): T {
  const larger = new kind(2 * array.length);
  larger.set(array);
  return larger;
}

/** What decides how a pass is laid out. */
export interface PassKey {
  readonly seed: number;
  /** Number of the pass over the corpus. */
  readonly pass: number;
}

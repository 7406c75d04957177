/**
 * Counter-based random numbers: a value is a function of (seed, stream, step, position) and of nothing else, so a
 * resumed run, a run cut into micro-batches and a run on another backend all draw the same numbers, and no generator
 * state has to be saved. The generator is Philox4x32 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3",
 * sec. 3.3); its constants below are those of the paper.
 */

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9; // golden ratio
const WEYL_1 = 0xbb67ae85; // sqrt(3) - 1
/** The paper's own choice, with a margin for safety. */
const ROUNDS = 10;
/** The fewest rounds that pass all tests of BigCrush in the paper (table 2): for dropout, which draws by the million. */
export const DROPOUT_ROUNDS = 7;

/** High 32 bits of the product of two unsigned 32-bit numbers, by 16-bit halves (JavaScript has only the low bits). */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/** One Philox block: four 32-bit words from a 128-bit counter and a 64-bit key, written to `out`. */
export function philox(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  key0: number,
  key1: number,
  rounds = ROUNDS,
): void {
  let x0 = c0 >>> 0;
  let x1 = c1 >>> 0;
  let x2 = c2 >>> 0;
  let x3 = c3 >>> 0;
  let k0 = key0 >>> 0;
  let k1 = key1 >>> 0;
  for (let round = 0; round < rounds; round++) {
    const high0 = mulHigh(MULTIPLIER_0, x0);
    const low0 = Math.imul(MULTIPLIER_0, x0) >>> 0;
    const high1 = mulHigh(MULTIPLIER_1, x2);
    const low1 = Math.imul(MULTIPLIER_1, x2) >>> 0;
    x0 = (high1 ^ x1 ^ k0) >>> 0;
    x1 = low1;
    x2 = (high0 ^ x3 ^ k1) >>> 0;
    x3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** Names a sequence of random numbers that belong to elements of one tensor. */
export interface RandomKey {
  /** Seed of the run, an integer in 0 .. 2^53 - 1. */
  readonly seed: number;
  /** Which use of randomness: one number per dropout site. */
  readonly stream: number;
  /** Training step. */
  readonly step: number;
  /** Index of the tensor's first row within the global batch, so that micro-batches continue one another. */
  readonly row: number;
}

/** The two key words of a seed. */
export const seedWords = (seed: number): [low: number, high: number] => [
  (seed % 2 ** 32) >>> 0,
  Math.floor(seed / 2 ** 32) >>> 0,
];

/** Rows of random numbers start at multiples of 128 elements, so that kernels draw whole blocks for every row. */
export const randomRowStride = (cols: number): number => Math.ceil(cols / 128) * 128;

/**
 * Fills `out` with the random numbers of one row, 16 bits an element: element j belongs to word (j / 16) % 4 of counter
 * (row * stride / 8 + floor(j / 128) * 16 + j % 16), to its lower half where j % 128 < 64, else to its upper one. Blocks
 * of 128 elements take 16 counters, so a vector of 4, 8 or 16 lanes is drawn at once without shuffling. C++ and WGSL
 * follow the same layout.
 */
export function randomRow(out: Uint16Array, cols: number, row: number, key: RandomKey): void {
  const [k0, k1] = seedWords(key.seed);
  const words = new Uint32Array(4);
  const first = ((key.row + row) * randomRowStride(cols)) / 8; // counter of the row's first block
  for (let block = 0; block * 128 < cols; block++) {
    for (let lane = 0; lane < 16; lane++) {
      const counter = first + block * 16 + lane;
      philox(words, counter % 2 ** 32, Math.floor(counter / 2 ** 32), key.step, key.stream, k0, k1, DROPOUT_ROUNDS);
      for (let i = 0; i < 8; i++) {
        const j = block * 128 + i * 16 + lane;
        if (j < cols) out[j] = words[i % 4] >>> (i < 4 ? 0 : 16); // the array keeps 16 bits
      }
    }
  }
}

/**
 * An element is dropped when its random number is below this: a rate is rounded to a multiple of 2^-16, so the share that
 * is dropped is off by 2^-17 at most (0.1 becomes 0.100006).
 * @param rate in [0, 1)
 */
export const dropThreshold = (rate: number): number => Math.min(Math.round(rate * 2 ** 16), 2 ** 16 - 1);

/** What a sequence of draws is for; part of its key, so that two uses never share numbers. */
export const STREAM = { init: 1, order: 2, pairs: 3, mask: 4, shuffle: 5, dropout: 1024 } as const;

/** A sequence of draws for host code (initial weights, masking, order of data), keyed by (seed, stream, a, b). */
export class Rng {
  private readonly words = new Uint32Array(4);
  private readonly key: [number, number];
  private counter = 0;
  private left = 0;

  constructor(
    seed: number,
    private readonly stream: number,
    private readonly a = 0,
    private readonly b = 0,
  ) {
    this.key = seedWords(seed);
  }

  /** An unsigned 32-bit integer. */
  next(): number {
    if (this.left === 0) {
      philox(this.words, this.counter++, this.a, this.b, this.stream, this.key[0], this.key[1]);
      this.left = 4;
    }
    return this.words[4 - this.left--] as number;
  }

  /** Uniform in [0, 1), with 53 bits. */
  uniform(): number {
    return ((this.next() >>> 5) * 67108864 + (this.next() >>> 6)) / 9007199254740992;
  }

  /** Uniform integer in [0, n), without bias (rejection). @param n in 1 .. 2^32 */
  int(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    let word = this.next();
    while (word >= limit) word = this.next();
    return word % n;
  }

  /** Standard normal (Box and Muller 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Puts `items` into random order in place (Fisher and Yates; Knuth, TAOCP 2, algorithm P). */
  shuffle<T extends { [index: number]: unknown; length: number }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = items[i];
      items[i] = items[j];
      items[j] = held;
    }
    return items;
  }
}

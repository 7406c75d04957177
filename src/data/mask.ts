import type { Rng } from '../core/random.js';

/** What is hidden at once: a piece, a word, or one to three words. */
export type MaskUnit = 'token' | 'word' | 'ngram';

export interface MaskOptions {
  /** Share of the tokens to predict: 0.15 in the paper. */
  readonly rate: number;
  /** Most places in a sequence. */
  readonly maxPredictions: number;
  readonly unit: MaskUnit;
  /** Random words are drawn from ids [0, vocabSize). */
  readonly vocabSize: number;
  readonly maskId: number;
}

/** What a place of a sequence holds. */
export const SPECIAL = 0;
export const WORD_START = 1;
export const WORD_INSIDE = 2;

/** Longest n-gram, in words (ALBERT, Lan et al. 2020, sec. 4.1). */
const LONGEST = 3;

/** Rounds as Python does, halves to the even neighbour: 4.5 to 4, where Math.round gives 5. */
export function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Places to predict in a sequence of `length`, its special tokens counted (create_pretraining_data.py:369). */
export const predictions = (length: number, { rate, maxPredictions }: MaskOptions): number =>
  Math.min(maxPredictions, Math.max(1, roundHalfEven(length * rate)));

/** An n in 1..most with a probability in proportion to 1/n. */
function drawLength(most: number, rng: Rng): number {
  let total = 0;
  for (let n = 1; n <= most; n++) total += 1 / n;
  let left = rng.uniform() * total;
  for (let n = 1; n < most; n++) {
    left -= 1 / n;
    if (left < 0) return n;
  }
  return most;
}

/** Where masked places and their labels go, across the sequences of a batch. */
export class MaskedPlaces {
  count = 0;
  readonly positions: Int32Array;
  readonly labels: Int32Array;

  constructor(capacity: number) {
    this.positions = new Int32Array(capacity);
    this.labels = new Int32Array(capacity);
  }
}

/**
 * Hides tokens as google-research/bert does (create_pretraining_data.py:342-415): units in random order until the number
 * is reached, a unit that does not fit is passed over; each piece becomes [MASK] (80 %), stays (10 %) or becomes a random
 * token (10 %), drawn from the whole vocabulary, special and unused ones included. Never [CLS] or [SEP].
 *
 * Words are known by marks, not by their `##`: where B begins in the middle of a word, google's string test joins it to
 * the last word of A. N-grams follow ALBERT, but end at a [SEP].
 */
export class Masker {
  /** [maxSeq] what `hide` is told about the sequence: SPECIAL, WORD_START, WORD_INSIDE. */
  readonly kinds: Uint8Array;
  /** [units] first place and end of each unit; the order in which they are tried. */
  readonly #first: Int32Array;
  readonly #end: Int32Array;
  readonly #order: Int32Array;
  readonly #hidden: Uint8Array;

  constructor(
    maxSeq: number,
    readonly options: MaskOptions,
  ) {
    this.kinds = new Uint8Array(maxSeq);
    this.#first = new Int32Array(maxSeq);
    this.#end = new Int32Array(maxSeq);
    this.#order = new Int32Array(maxSeq);
    this.#hidden = new Uint8Array(maxSeq);
  }

  /**
   * Hides places of the sequence ids[base, base + length), which `kinds` describes, and appends them to `out`, ascending.
   * @param rng of this sequence alone
   */
  hide(ids: Int32Array, base: number, length: number, rng: Rng, out: MaskedPlaces): void {
    const { vocabSize, maskId } = this.options;
    this.#choose(length, rng);
    for (let i = 0; i < length; i++) {
      if (this.#hidden[i] === 0) continue;
      out.positions[out.count] = base + i;
      out.labels[out.count++] = ids[base + i];
      const fate = rng.uniform();
      if (fate < 0.8) ids[base + i] = maskId;
      else if (fate >= 0.9) ids[base + i] = rng.int(vocabSize);
    }
  }

  /** Marks the places to hide. Units are shuffled only as far as they are needed. */
  #choose(length: number, rng: Rng): void {
    const units = this.#units(length);
    const order = this.#order;
    const wanted = predictions(length, this.options);
    this.#hidden.fill(0, 0, length);
    let chosen = 0;
    for (let i = 0; i < units && chosen < wanted; i++) {
      const j = i + rng.int(units - i);
      const unit = order[j];
      order[j] = order[i];
      const end = this.#fit(unit, units, wanted - chosen, rng);
      if (end < 0) continue;
      this.#hidden.fill(1, this.#first[unit], end);
      chosen += end - this.#first[unit];
    }
  }

  /** Cuts the sequence into units, and returns how many. */
  #units(length: number): number {
    const { kinds } = this;
    const whole = this.options.unit !== 'token';
    let units = 0;
    for (let i = 0; i < length; i++) {
      if (kinds[i] === SPECIAL) continue;
      if (whole && kinds[i] === WORD_INSIDE && units > 0 && this.#end[units - 1] === i) this.#end[units - 1]++;
      else {
        this.#first[units] = i;
        this.#end[units] = i + 1;
        this.#order[units] = units;
        units++;
      }
    }
    return units;
  }

  /**
   * End of what is hidden from `unit` on: one unit, or an n-gram, shorter when it would not fit into `room` places; -1
   * when even one unit is too long, or a place of it is hidden already.
   */
  #fit(unit: number, units: number, room: number, rng: Rng): number {
    const first = this.#first[unit];
    let n = this.options.unit === 'ngram' ? drawLength(this.#following(unit, units), rng) : 1;
    while (n > 1 && this.#end[unit + n - 1] - first > room) n--;
    const end = this.#end[unit + n - 1];
    if (end - first > room) return -1;
    for (let i = first; i < end; i++) if (this.#hidden[i] === 1) return -1;
    return end;
  }

  /** Words that follow one another without a [SEP] between, at most three. */
  #following(unit: number, units: number): number {
    let n = 1;
    while (n < LONGEST && unit + n < units && this.#first[unit + n] === this.#end[unit + n - 1]) n++;
    return n;
  }
}

import { CONTINUATION } from './vocab.js';
import type { CountedWord } from './wordpiece-train-alphabet.js';
import { IndexedHeap } from './wordpiece-train-heap.js';
import { likelihoodGain, type Rule } from './wordpiece-train-score.js';

/** A pair's key is left * KEY + right; ids stay below a million. */
const KEY = 2 ** 21;

/**
 * The words of a corpus, cut into pieces, and all pairs of neighbouring pieces with their counts. Joining a pair changes
 * only the words that hold it, so the counts are kept up to date instead of being taken again.
 */
export class PairTable {
  /** Text of each piece. The order is that of the vocabulary. */
  readonly pieces: string[];
  readonly #ids = new Map<string, number>();
  readonly #rule: Rule;
  readonly #minFrequency: number;
  /** [places]: the piece at a place of a word, -1 where it was joined to the one before. */
  readonly #symbols: Int32Array;
  /** [places]: neighbours in the same word, -1 at its ends. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** [places]: how often the word of this place occurs. */
  readonly #weights: Float64Array;
  /** [pieces]: how often each occurs; and all together. */
  readonly #counts: number[] = [];
  #total = 0;
  /** Pairs, numbered as they are met: pieces, count, and the places where they begin or once began. */
  readonly #pairs = new Map<number, number>();
  readonly #left: number[] = [];
  readonly #right: number[] = [];
  readonly #pairCounts: number[] = [];
  readonly #places: number[][] = [];
  /** [pieces]: pairs with this piece; only for the likelihood rule. */
  readonly #pairsOf: number[][] = [];
  readonly #heap: IndexedHeap;
  readonly #touched = new Set<number>();

  /**
   * @param alphabet pieces of one character, distinct
   * @param words each can be spelt with the alphabet: its first character as it is, the others after `##`
   * @param minFrequency a pair that occurs less often is never joined
   */
  constructor(alphabet: readonly string[], words: readonly CountedWord[], rule: Rule, minFrequency: number) {
    this.pieces = [...alphabet];
    for (const [id, piece] of alphabet.entries()) this.#ids.set(piece, id);
    this.#counts = alphabet.map(() => 0);
    this.#pairsOf = alphabet.map(() => []);
    this.#rule = rule;
    this.#minFrequency = Math.max(1, minFrequency);
    // At equal scores the pair whose left piece came first, then whose right piece came first.
    this.#heap = new IndexedHeap((a, b) => {
      return this.#left[a] < this.#left[b] || (this.#left[a] === this.#left[b] && this.#right[a] < this.#right[b]);
    });
    const places = words.reduce((sum, word) => sum + word.characters.length, 0);
    this.#symbols = new Int32Array(places);
    this.#next = new Int32Array(places);
    this.#previous = new Int32Array(places);
    this.#weights = new Float64Array(places);
    let at = 0;
    for (const word of words) at = this.#addWord(word, at);
    for (let pair = 0; pair < this.#left.length; pair++) this.#heap.set(pair, this.#score(pair));
  }

  /** Joins the best pair. Returns false if none is left that may be joined. */
  join(): boolean {
    const pair = this.#best();
    if (pair < 0) return false;
    const [a, b] = [this.#left[pair], this.#right[pair]];
    const z = this.#piece(this.pieces[a] + this.pieces[b].slice(CONTINUATION.length));
    const places = this.#places[pair];
    if (a === b) places.sort((x, y) => x - y); // in "aaa" the first two are joined, whatever came before
    this.#touched.clear();
    for (const place of places) {
      const next = this.#next[place];
      if (this.#symbols[place] === a && next >= 0 && this.#symbols[next] === b) this.#joinAt(place, next, z);
    }
    this.#pairCounts[pair] = 0;
    this.#places[pair] = [];
    this.#heap.remove(pair);
    this.#touched.delete(pair);
    if (this.#rule === 'likelihood') for (const piece of new Set([a, b, z])) this.#touchPairsOf(piece);
    for (const p of this.#touched) this.#rescore(p);
    return true;
  }

  /** The best pair, or -1. Scores in the heap may be too high, since the total has shrunk: the top one is checked. */
  #best(): number {
    for (;;) {
      const pair = this.#heap.top;
      if (pair < 0) return -1;
      const score = this.#score(pair);
      if (score === this.#heap.score(pair)) return score > 0 ? pair : -1;
      this.#heap.set(pair, score);
    }
  }

  #score(pair: number): number {
    const count = this.#pairCounts[pair];
    if (count < this.#minFrequency) return 0;
    if (this.#rule === 'frequency') return count;
    const [a, b] = [this.#left[pair], this.#right[pair]];
    return likelihoodGain(count, this.#counts[a], this.#counts[b], a === b, this.#total);
  }

  #rescore(pair: number): void {
    const score = this.#score(pair);
    if (this.#pairCounts[pair] > 0) this.#heap.set(pair, score);
    else this.#heap.remove(pair);
  }

  #joinAt(place: number, next: number, z: number): void {
    const weight = this.#weights[place];
    const before = this.#previous[place];
    const after = this.#next[next];
    const [a, b] = [this.#symbols[place], this.#symbols[next]];
    if (before >= 0) {
      this.#change(this.#symbols[before], a, -weight, before);
      this.#change(this.#symbols[before], z, weight, before);
    }
    if (after >= 0) {
      this.#change(b, this.#symbols[after], -weight, next);
      this.#change(z, this.#symbols[after], weight, place);
      this.#previous[after] = place;
    }
    this.#symbols[place] = z;
    this.#symbols[next] = -1;
    this.#next[place] = after;
    this.#counts[a] -= weight;
    this.#counts[b] -= weight;
    this.#counts[z] += weight;
    this.#total -= weight;
  }

  /** Adds to the count of a pair; where it grows, the pair begins at `place`. */
  #change(left: number, right: number, weight: number, place: number): void {
    const key = left * KEY + right;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = this.#left.length;
      this.#pairs.set(key, pair);
      this.#left.push(left);
      this.#right.push(right);
      this.#pairCounts.push(0);
      this.#places.push([]);
      if (this.#rule === 'likelihood') {
        this.#pairsOf[left].push(pair);
        if (left !== right) this.#pairsOf[right].push(pair);
      }
    }
    this.#pairCounts[pair] += weight;
    if (weight > 0) this.#places[pair].push(place);
    this.#touched.add(pair);
  }

  /** Notes the living pairs of a piece as touched, and forgets the dead. */
  #touchPairsOf(piece: number): void {
    const living = this.#pairsOf[piece].filter((pair) => this.#pairCounts[pair] > 0);
    this.#pairsOf[piece] = living;
    for (const pair of living) this.#touched.add(pair);
  }

  /** The id of a piece; two pairs may spell the same one. */
  #piece(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.pieces.length;
    this.pieces.push(text);
    this.#ids.set(text, id);
    this.#counts.push(0);
    this.#pairsOf.push([]);
    return id;
  }

  /** Writes a word's characters from place `start` on; returns where the next word begins. */
  #addWord({ characters, count }: CountedWord, start: number): number {
    let at = start;
    for (const character of characters) {
      const piece = this.#ids.get(at === start ? character : CONTINUATION + character) as number;
      this.#symbols[at] = piece;
      this.#weights[at] = count;
      this.#previous[at] = at === start ? -1 : at - 1;
      this.#next[at] = -1;
      this.#counts[piece] += count;
      this.#total += count;
      if (at > start) {
        this.#next[at - 1] = at;
        this.#change(this.#symbols[at - 1], piece, count, at - 1);
      }
      at++;
    }
    return at;
  }
}

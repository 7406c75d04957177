import type { TokenCorpus } from '../core/token-corpus.js';

/** Runs of tokens [from, end), to count and to measure on. */
export interface FloorText {
  readonly ids: TokenCorpus['ids'];
  readonly counted: readonly (readonly [from: number, end: number])[];
  readonly measured: readonly (readonly [from: number, end: number])[];
}

/** More tokens do not make the lines any sharper: their error is below 0.01 nats. */
const MOST_MEASURED = 200_000;
/** Neighbours are counted in a sample of runs above this many tokens: 100 million would take a start of a run seconds. */
const MOST_COUNTED = 20e6;
/** Weights of the unigram in the bigram that are tried. */
const WEIGHTS = Array.from({ length: 14 }, (_, i) => 2 ** i);

/** How often pairs of neighbours occur, of those that were asked for: a hash table in flat arrays. */
class PairCounts {
  readonly #keys: Float64Array;
  readonly #counts: Uint32Array;
  readonly #mask: number;

  constructor(
    most: number,
    private readonly size: number,
  ) {
    const slots = 2 ** Math.ceil(Math.log2(2 * most + 1));
    this.#keys = new Float64Array(slots).fill(-1);
    this.#counts = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  ask(before: number, token: number): void {
    this.#keys[this.#slot(before, token)] = before * this.size + token;
  }

  count(before: number, token: number): void {
    const slot = this.#slot(before, token);
    if (this.#keys[slot] >= 0) this.#counts[slot]++;
  }

  of(before: number, token: number): number {
    return this.#counts[this.#slot(before, token)];
  }

  #slot(before: number, token: number): number {
    const key = before * this.size + token;
    const hash = Math.imul(before, 0x9e3779b1) ^ Math.imul(token, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    while (this.#keys[slot] !== key && this.#keys[slot] >= 0) slot = (slot + 1) & this.#mask;
    return slot;
  }
}

/**
 * The lines a masked-word loss is measured against, in nats a token of the measured text:
 *
 * - uniform: ln V.
 * - unigram: p(w) = (c(w) + 1) / (N + V), counts of the counted text plus one (Laplace), so that unseen words are finite.
 * - bigram: p(w | v) = (c(v, w) + k p(w)) / (c(v) + k), c(v) the words that follow v, the unigram mixed in with weight k
 *   (MacKay and Peto 1995, "A hierarchical Dirichlet language model"), k the best power of two for the measured text. It
 *   sees the left neighbour only, never the right, and starts every run anew.
 * - mostFrequentShare: share in the measured text of the token that is most frequent in the counted one.
 */
export function measureFloors(text: FloorText, vocabSize: number) {
  const { ids, counted } = text;
  const counts = new Float64Array(vocabSize);
  let total = 0;
  for (const [from, end] of counted) {
    for (let i = from; i < end; i++) counts[ids[i]]++;
    total += end - from;
  }
  const measured = shorten(text.measured);
  const unigram = (id: number): number => (counts[id] + 1) / (total + vocabSize);
  const favourite = counts.indexOf(counts.reduce((most, count) => Math.max(most, count), 0));
  let [tokens, nats, hits] = [0, 0, 0];
  for (const [from, end] of measured) {
    for (let i = from; i < end; i++) {
      nats -= Math.log(unigram(ids[i]));
      if (ids[i] === favourite) hits++;
    }
    tokens += end - from;
  }
  return {
    uniform: Math.log(vocabSize),
    unigram: nats / tokens,
    bigram: bigramNats({ ids, counted, measured }, vocabSize, unigram) / tokens,
    mostFrequentShare: hits / tokens,
  };
}

/** The first MOST_MEASURED tokens, in whole runs but for the last. */
function shorten(runs: FloorText['measured']): FloorText['measured'] {
  let left = MOST_MEASURED;
  return runs.flatMap(([from, end]) => {
    const taken = Math.min(left, end - from);
    left -= taken;
    return taken > 0 ? [[from, from + taken] as const] : [];
  });
}

/** Sum over the measured text of -ln p(token | the one before), at the best weight of the unigram. */
function bigramNats({ ids, counted, measured }: FloorText, vocabSize: number, unigram: (id: number) => number): number {
  const start = vocabSize; // what stands before the first token of a run
  const befores = new Float64Array(vocabSize + 1);
  const pairs = new PairCounts(MOST_MEASURED, vocabSize + 1);
  eachPair(ids, measured, start, (before, token) => pairs.ask(before, token));
  eachPair(ids, sample(counted), start, (before, token) => {
    befores[before]++;
    pairs.count(before, token);
  });
  const nats = new Float64Array(WEIGHTS.length);
  eachPair(ids, measured, start, (before, token) => {
    const both = pairs.of(before, token);
    const p = unigram(token);
    for (let k = 0; k < nats.length; k++) nats[k] -= Math.log((both + WEIGHTS[k] * p) / (befores[before] + WEIGHTS[k]));
  });
  return nats.reduce((least, n) => Math.min(least, n), Number.POSITIVE_INFINITY);
}

/** Every so many runs one, so that some MOST_COUNTED tokens are left. */
function sample(runs: FloorText['counted']): FloorText['counted'] {
  const every = Math.ceil(runs.reduce((sum, [from, end]) => sum + end - from, 0) / MOST_COUNTED);
  return every <= 1 ? runs : runs.filter((_, i) => i % every === 0);
}

function eachPair(
  ids: TokenCorpus['ids'],
  runs: FloorText['counted'],
  start: number,
  see: (before: number, token: number) => void,
): void {
  for (const [from, end] of runs) {
    let before = start;
    for (let i = from; i < end; i++) {
      see(before, ids[i]);
      before = ids[i];
    }
  }
}

import { describe, expect, test } from '@jest/globals';
import { Rng } from '../../src/core/random.js';
import {
  MaskedPlaces,
  Masker,
  type MaskOptions,
  type MaskUnit,
  predictions,
  roundHalfEven,
  SPECIAL,
  WORD_INSIDE,
  WORD_START,
} from '../../src/data/mask.js';
import { expectShare, expectUniform, sigmas } from './sigma.js';

const MASK = 4;
const [S, W, I] = [SPECIAL, WORD_START, WORD_INSIDE];
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
const settings = (unit: MaskUnit, more: Partial<MaskOptions> = {}): MaskOptions => ({
  rate: 0.15,
  maxPredictions: 100,
  unit,
  vocabSize: 50_000,
  maskId: MASK,
  ...more,
});

/** Hides places of one sequence; `ids` are 1000 + place, but for the special ones. */
function hide(kinds: readonly number[], options: MaskOptions, draw: number) {
  const masker = new Masker(kinds.length, options);
  masker.kinds.set(kinds);
  const before = Int32Array.from(kinds, (kind, i) => (kind === S ? 2 : 1000 + i));
  const after = before.slice();
  const out = new MaskedPlaces(kinds.length);
  masker.hide(after, 0, kinds.length, new Rng(draw, 1), out);
  return { before, after, places: Array.from(out.positions.subarray(0, out.count)), out };
}

/** [CLS] A [SEP] B [SEP], all words of one piece. */
const plain = [S, ...times(62, () => W), S, ...times(63, () => W), S];

describe('how many', () => {
  test("halves go to the even neighbour, as Python's round has it", () => {
    expect([0.5, 1.5, 2.5, 4.5, 5.5, 4.4, 4.6, 19.2].map(roundHalfEven)).toEqual([0, 2, 2, 4, 6, 4, 5, 19]);
    expect(Math.round(4.5)).toBe(5); // what JavaScript would have made of 30 tokens
  });

  test('15 % of the length, special tokens counted, for every length', () => {
    const wrong = times(508, (i) => i + 5).filter((length) => {
      const twenty = 3 * length; // length * 0.15 in twentieths
      const down = Math.floor(twenty / 20);
      const rest = twenty % 20;
      const rounded = rest > 10 || (rest === 10 && down % 2 === 1) ? down + 1 : down;
      return predictions(length, settings('token')) !== Math.min(100, Math.max(1, rounded));
    });
    expect(wrong).toEqual([]);
    // 14.5 % would give other numbers.
    const off = times(508, (i) => i + 5).filter((n) => {
      return predictions(n, settings('token')) !== predictions(n, settings('token', { rate: 0.145 }));
    });
    expect(off.length).toBeGreaterThan(300);
  });

  test('at least one, and never more than the limit', () => {
    expect(predictions(5, settings('token', { rate: 0.01 }))).toBe(1);
    expect(predictions(512, settings('token', { maxPredictions: 20 }))).toBe(20);
    for (let draw = 0; draw < 50; draw++) expect(hide(plain, settings('token'), draw).places).toHaveLength(19);
  });
});

describe('single pieces', () => {
  test('labels are the ids that stood there, and nothing else is touched; never [CLS] or [SEP]', () => {
    for (let draw = 0; draw < 200; draw++) {
      const { before, after, places, out } = hide(plain, settings('token'), draw);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      expect(new Set(places).size).toBe(places.length);
      expect(places.map((i) => before[i])).toEqual(Array.from(out.labels.subarray(0, out.count)));
      const others = plain.flatMap((kind, i) => (places.includes(i) && kind !== S ? [] : [i]));
      expect(others.filter((i) => after[i] !== before[i])).toEqual([]);
      expect(places.filter((i) => plain[i] === S)).toEqual([]);
    }
  });

  test('80 % [MASK], 10 % kept, 10 % random', () => {
    let [masked, kept, random, n] = [0, 0, 0, 0];
    for (let draw = 0; draw < 4000; draw++) {
      const { before, after, places } = hide(plain, settings('token'), draw);
      for (const i of places) {
        n++;
        if (after[i] === MASK) masked++;
        else if (after[i] === before[i]) kept++;
        else random++;
      }
    }
    expect(n).toBe(4000 * 19);
    expectShare(masked, n, 0.8, 0.81);
    expectShare(kept, n, 0.1, 0.09);
    expectShare(random, n, 0.1, 0.09);
    expect(sigmas(masked, n, 0.81)).toBeGreaterThan(3); // 81/9/10 is found out
    expect(sigmas(kept, n, 0.09)).toBeGreaterThan(3);
  });

  test('every place is as likely as any other', () => {
    const counts = times(plain.length, () => 0);
    for (let draw = 0; draw < 3000; draw++) for (const i of hide(plain, settings('token'), draw).places) counts[i]++;
    const words = counts.filter((_, i) => plain[i] === W);
    // Places of one sequence exclude one another, which makes the counts a little more even than independent draws.
    expectUniform(words);
    expect(Math.max(...words)).toBeLessThan(1.2 * (words.reduce((a, b) => a + b) / words.length));
  });

  test('random words come from the whole vocabulary, special and unused ones too', () => {
    const counts = times(20, () => 0);
    for (let draw = 0; draw < 3000; draw++) {
      const { before, after, places } = hide(plain, settings('token', { vocabSize: 20, maskId: 19 }), draw);
      for (const i of places) if (after[i] !== before[i]) counts[after[i]]++;
    }
    expectUniform(counts.slice(0, 19)); // 19 is [MASK] itself
  });
});

/** Words of one to three pieces; the second part begins inside a word, as a part cut at its front does. */
const pieces = [S, W, W, I, W, I, I, W, W, I, W, I, I, W, I, W, W, I, S, I, I, W, W, I, W, W, I, I, W, I, S];

/** [first, end) of each word, by hand: a word ends where another begins, and at a special token. */
function wordsOf(kinds: readonly number[]): [number, number][] {
  const words: [number, number][] = [];
  kinds.forEach((kind, i) => {
    if (kind === S) return;
    if (kind === W || kinds[i - 1] === S) words.push([i, i + 1]);
    else words[words.length - 1][1]++;
  });
  return words;
}

describe('whole words', () => {
  test('all pieces of a word or none; not more than the number; the rest of a word after [SEP] stands alone', () => {
    const words = wordsOf(pieces);
    expect(words).toContainEqual([19, 21]); // google's test for "##" would join it to the word before [SEP]
    const whole = new Set<number>();
    for (let draw = 0; draw < 400; draw++) {
      const { places } = hide(pieces, settings('word', { rate: 0.2 }), draw);
      expect(places.length).toBeLessThanOrEqual(6);
      words.forEach(([first, end], w) => {
        const hit = places.filter((i) => i >= first && i < end).length;
        expect([0, end - first]).toContain(hit);
        if (hit > 0) whole.add(w);
      });
    }
    expect(whole.size).toBe(words.length);
  });

  test('a word that does not fit is passed over, and a shorter one is found', () => {
    const long = [S, W, I, I, I, I, I, I, I, W, S]; // two places to fill, words of eight pieces and of one
    for (let draw = 0; draw < 40; draw++) expect(hide(long, settings('word'), draw).places).toEqual([9]);
    const only = [S, W, I, I, I, I, I, I, I, S];
    expect(hide(only, settings('word'), 1).places).toEqual([]);
  });

  test('80/10/10 is drawn for each piece, not for each word', () => {
    const pairs = [S, ...times(40, () => [W, I]).flat(), S];
    let [both, n] = [0, 0];
    for (let draw = 0; draw < 2000; draw++) {
      const { after, places } = hide(pairs, settings('word'), draw);
      for (let k = 0; k < places.length; k += 2) {
        n++;
        if (after[places[k]] === MASK && after[places[k + 1]] === MASK) both++;
      }
    }
    expectShare(both, n, 0.64, 0.8); // 0.8 squared; 0.8 if a word had one fate
  });

  test('pieces of a word are hidden one by one with `token`', () => {
    let parts = 0;
    for (let draw = 0; draw < 200; draw++) {
      const { places } = hide(pieces, settings('token', { rate: 0.2 }), draw);
      if (wordsOf(pieces).some(([a, b]) => places.includes(a) && b - a > 1 && !places.includes(a + 1))) parts++;
    }
    expect(parts).toBeGreaterThan(150);
  });
});

describe('n-grams', () => {
  /** Lengths of the runs of hidden words, which never touch by chance in a sequence this long. */
  function runs(kinds: readonly number[], most: number, draw: number): number[] {
    const { places } = hide(kinds, settings('ngram', { rate: 0.5, maxPredictions: most }), draw);
    const found: number[] = [];
    places.forEach((place, k) => {
      if (k > 0 && places[k - 1] === place - 1) found[found.length - 1]++;
      else found.push(1);
    });
    return found.sort();
  }

  test('one, two and three words in proportion to 1, 1/2, 1/3', () => {
    const long = [S, ...times(2000, () => W), S];
    const n = 1500;
    const found = times(n, (draw) => runs(long, 3, draw).join(''));
    const share = (what: string): number => found.filter((f) => f === what).length;
    // Three places to fill. A first draw of 3 fills them; of 2 leaves one; of 1 leaves two, and then 2 or 3, cut to fit.
    expectShare(share('3'), n, 2 / 11, 1 / 3);
    expectShare(share('12'), n, 3 / 11 + (6 / 11) * (5 / 11), 1 / 3);
    expectShare(share('111'), n, (6 / 11) * (6 / 11), 4 / 9);
  });

  test('an n-gram is of whole words and ends at [SEP]', () => {
    const words = wordsOf(pieces);
    for (let draw = 0; draw < 300; draw++) {
      const { places } = hide(pieces, settings('ngram', { rate: 0.3 }), draw);
      expect(places.length).toBeLessThanOrEqual(roundHalfEven(pieces.length * 0.3));
      for (const [first, end] of words) {
        expect([0, end - first]).toContain(places.filter((i) => i >= first && i < end).length);
      }
    }
    // Both words beside the [SEP] are hidden no more often than any two words that are not neighbours.
    const short = [S, W, S, W, S];
    const both = times(300, (draw) => hide(short, settings('ngram', { rate: 0.4 }), draw).places.length);
    expect(both.every((length) => length === 2)).toBe(true); // two separate draws fill the number
    const one = times(300, (draw) => hide(short, settings('ngram', { rate: 0.2 }), draw).places.length);
    expect(one.every((length) => length === 1)).toBe(true);
  });
});

test('masks depend on the draws given and on nothing else', () => {
  const masker = new Masker(pieces.length, settings('ngram'));
  const run = (): number[] => {
    masker.kinds.set(pieces);
    const out = new MaskedPlaces(pieces.length);
    const ids = Int32Array.from(pieces, (_, i) => 1000 + i);
    masker.hide(ids, 0, pieces.length, new Rng(3, 1), out);
    return [...ids, ...out.positions];
  };
  const first = run();
  masker.kinds.fill(W);
  masker.hide(new Int32Array(pieces.length), 0, pieces.length, new Rng(4, 1), new MaskedPlaces(100));
  expect(run()).toEqual(first);
});

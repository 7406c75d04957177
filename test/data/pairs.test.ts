import { describe, expect, test } from '@jest/globals';
import { ConfigError, DataError } from '../../src/core/errors.js';
import { Rng, STREAM } from '../../src/core/random.js';
import type { TokenCorpus } from '../../src/core/token-corpus.js';
import { documentCount, startsWord } from '../../src/data/document.js';
import type { Layout } from '../../src/data/layout.js';
import { layoutPacked } from '../../src/data/packing.js';
import { layoutNsp, layoutSop } from '../../src/data/pairs.js';
import { corpusOf, randomDocuments } from './corpora.js';
import { expectShare, expectUniform, sigmas } from './sigma.js';

const KEY = { seed: 5, pass: 0 };
const everything = (corpus: TokenCorpus): Uint32Array =>
  Uint32Array.from({ length: documentCount(corpus) }, (_, d) => d);
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

interface Piece {
  readonly start: number;
  readonly length: number;
}
const piecesOf = (layout: Layout, sequence: number): Piece[] =>
  times(layout.firstPiece[sequence + 1] - layout.firstPiece[sequence], (i) => {
    const p = layout.firstPiece[sequence] + i;
    return { start: layout.starts[p], length: layout.lengths[p] };
  });
const sequences = (layout: Layout): Piece[][] => times(layout.count, (s) => piecesOf(layout, s));

/** The document a token stands in, and its sentence. */
function placesOf({ ids, sentenceStarts, documentStarts }: TokenCorpus): {
  document: Int32Array;
  sentence: Int32Array;
} {
  const document = new Int32Array(ids.length);
  const sentence = new Int32Array(ids.length);
  for (let d = 0; d + 1 < documentStarts.length; d++) {
    for (let s = documentStarts[d]; s < documentStarts[d + 1]; s++) {
      document.fill(d, sentenceStarts[s], sentenceStarts[s + 1]);
      sentence.fill(s, sentenceStarts[s], sentenceStarts[s + 1]);
    }
  }
  return { document, sentence };
}

/** Sentences of ten tokens, which fill a sequence of 123 exactly: twelve of them, and nothing is ever cut off. */
const even = corpusOf(times(300, (d) => times(100 + (d % 7), () => times(10, (i) => 5 + i))));
const EVEN = { maxSeq: 123, shortSeqProb: 0 };

/** google-research/bert create_pretraining_data.py:223-335, line by line, on lists of tokens. */
function google(documents: number[][][], index: number, rng: Rng, maxSeq: number, shortSeqProb: number) {
  const document = documents[index];
  const most = maxSeq - 3;
  let target = most;
  if (rng.uniform() < shortSeqProb) target = 2 + rng.int(most - 1); // rng.randint(2, max_num_tokens)
  const instances: { a: number[]; b: number[]; random: boolean }[] = [];
  let chunk: number[][] = [];
  let length = 0;
  let i = 0;
  while (i < document.length) {
    chunk.push(document[i]);
    length += document[i].length;
    if (i === document.length - 1 || length >= target) {
      let end = 1;
      if (chunk.length >= 2) end = 1 + rng.int(chunk.length - 1);
      const a = chunk.slice(0, end).flat();
      let b: number[] = [];
      let random = false;
      if (chunk.length === 1 || rng.uniform() < 0.5) {
        random = true;
        const wanted = target - a.length;
        let other = rng.int(documents.length - 1); // ours: the others only, where google draws up to ten times
        if (other >= index) other++;
        const start = rng.int(documents[other].length);
        for (let j = start; j < documents[other].length; j++) {
          b.push(...documents[other][j]);
          if (b.length >= wanted) break;
        }
        i -= chunk.length - end;
      } else b = chunk.slice(end).flat();
      while (a.length + b.length > most) {
        const longer = a.length > b.length ? a : b;
        if (rng.next() < 2 ** 31) longer.shift();
        else longer.pop();
      }
      instances.push({ a, b, random });
      chunk = [];
      length = 0;
    }
    i++;
  }
  return instances;
}

describe('next sentence prediction', () => {
  test.each([
    [64, 0.1],
    [16, 0.5],
    [8, 1],
    [512, 0],
  ])("makes google's instances, draw for draw: length %i, short %f", (maxSeq, shortSeqProb) => {
    const documents = randomDocuments(40, 1000);
    const corpus = corpusOf(documents);
    const layout = layoutNsp(corpus, everything(corpus), { seed: 9, pass: 3 }, { maxSeq, shortSeqProb });
    const wanted = documents.flatMap((_, d) =>
      google(documents, d, new Rng(9, STREAM.pairs, 3, d), maxSeq, shortSeqProb),
    );
    const found = sequences(layout).map(([a, b], s) => ({
      a: Array.from(corpus.ids.subarray(a.start, a.start + a.length)),
      b: Array.from(corpus.ids.subarray(b.start, b.start + b.length)),
      random: layout.labels[s] === 1,
    }));
    expect(found).toEqual(wanted);
    expect(found.length).toBeGreaterThan(50);
  });

  test('half of the pairs that have a choice are random; the random part is of another document', () => {
    const { document, sentence } = placesOf(even);
    let [choices, random, wrong] = [0, 0, 0];
    for (let pass = 0; pass < 8; pass++) {
      const layout = layoutNsp(even, everything(even), { seed: 1, pass }, EVEN);
      sequences(layout).forEach(([a, b], s) => {
        const own = document[a.start];
        const follows = b.start === a.start + a.length;
        if (layout.labels[s] === 1 ? document[b.start] === own : document[b.start] !== own || !follows) wrong++;
        // Only a chunk of one sentence begins at the last sentence of its document, and it has no choice.
        if (sentence[a.start] === even.documentStarts[own + 1] - 1) wrong += 1 - layout.labels[s];
        else {
          choices++;
          random += layout.labels[s];
        }
      });
    }
    expect(wrong).toBe(0);
    expectShare(random, choices, 0.5, 0.48);
  });

  test('A ends at a random sentence, and B begins in a random document, at a random sentence', () => {
    const { document, sentence } = placesOf(even);
    const cuts = times(11, () => 0);
    const partners = times(300, () => 0);
    const starts = times(4, () => 0);
    for (let pass = 0; pass < 4; pass++) {
      const layout = layoutNsp(even, everything(even), { seed: 2, pass }, EVEN);
      sequences(layout).forEach(([a, b], s) => {
        const own = document[a.start];
        const whole = sentence[a.start] + 12 <= even.documentStarts[own + 1]; // a full chunk, not the rest of a document
        if (whole) cuts[a.length / 10 - 1]++;
        if (layout.labels[s] === 0) return;
        const other = document[b.start];
        partners[other]++;
        const size = even.documentStarts[other + 1] - even.documentStarts[other];
        starts[Math.floor((4 * (sentence[b.start] - even.documentStarts[other])) / size)]++;
      });
    }
    expectUniform(cuts);
    expectUniform(partners);
    expectUniform(starts);
  });

  test('sentences that a random partner displaced are put back: each is used once a pass', () => {
    const used = new Uint8Array(even.ids.length);
    const layout = layoutNsp(even, everything(even), KEY, EVEN);
    sequences(layout).forEach(([a, b], s) => {
      for (let i = a.start; i < a.start + a.length; i++) used[i]++;
      if (layout.labels[s] === 0) for (let i = b.start; i < b.start + b.length; i++) used[i]++;
    });
    expect(used.every((n) => n === 1)).toBe(true);
  });

  test('one document in ten is cut to a shorter target, drawn from 2 up', () => {
    // Sentences of one token: a pair that follows is as long as the target, to the token.
    const corpus = corpusOf(times(6000, () => times(60, () => [7])));
    const layout = layoutNsp(corpus, everything(corpus), KEY, { maxSeq: 33, shortSeqProb: 0.1 });
    const { document } = placesOf(corpus);
    const targets: number[] = [];
    let last = -1;
    sequences(layout).forEach(([a, b], s) => {
      if (document[a.start] !== last && layout.labels[s] === 0) targets.push(a.length + b.length);
      last = document[a.start];
    });
    const short = targets.filter((length) => length < 30);
    expectShare(short.length, targets.length, 0.1 * (28 / 29), 0.14);
    expectUniform(times(28, (i) => short.filter((length) => length === i + 2).length));
  });

  test('what is too long is cut at the front and at the back by a coin, the longer part first', () => {
    const corpus = corpusOf(times(100, () => [times(300, () => 5)]));
    const layout = layoutNsp(corpus, everything(corpus), KEY, { maxSeq: 64, shortSeqProb: 0 });
    let [front, cut] = [0, 0];
    for (const [a, b] of sequences(layout)) {
      expect([a.length, b.length].sort()).toEqual([30, 31]);
      for (const { start, length } of [a, b]) {
        front += start % 300;
        cut += 300 - length;
      }
    }
    expectShare(front, cut, 0.5, 0.48);
  });

  test('refuses what cannot make pairs', () => {
    const one = corpusOf([[[5, 6], [7]]]);
    expect(() => layoutNsp(one, everything(one), KEY, EVEN)).toThrow(DataError);
    expect(() => layoutNsp(one, everything(one), KEY, EVEN)).toThrow(/two documents/);
    expect(() => layoutNsp(even, everything(even), KEY, { maxSeq: 4, shortSeqProb: 0 })).toThrow(ConfigError);
  });
});

describe('sentence order prediction', () => {
  test('A and B follow one another, in order or swapped, half of each', () => {
    let [swapped, n, wrong] = [0, 0, 0];
    for (let pass = 0; pass < 5; pass++) {
      const layout = layoutSop(even, everything(even), { seed: 3, pass }, EVEN);
      sequences(layout).forEach(([a, b], s) => {
        const [first, second] = layout.labels[s] === 1 ? [b, a] : [a, b];
        if (second.start !== first.start + first.length) wrong++;
        swapped += layout.labels[s];
        n++;
      });
    }
    expect(wrong).toBe(0);
    expectShare(swapped, n, 0.5, 0.47);
  });

  test('a lone sentence is cut at a word; a lone word is left out; no document is mixed with another', () => {
    const INSIDE = 100; // ids from here on continue a word
    const corpus = corpusOf([[[5, 100, 6, 101, 102, 7]], [[8, 100, 101]], [[9, 10]]], INSIDE);
    const { document } = placesOf(corpus);
    const cuts = new Set<number>();
    for (let pass = 0; pass < 40; pass++) {
      const layout = layoutSop(corpus, everything(corpus), { seed: 4, pass }, { maxSeq: 32, shortSeqProb: 0 });
      expect(layout.count).toBe(2);
      for (const [a, b] of sequences(layout)) {
        expect(document[a.start]).toBe(document[b.start]);
        expect(document[a.start]).not.toBe(1);
        expect(startsWord(corpus, Math.max(a.start, b.start))).toBe(true);
        if (document[a.start] === 0) cuts.add(Math.max(a.start, b.start));
      }
    }
    expect([...cuts].sort()).toEqual([2, 5]);
  });
});

describe('packing', () => {
  const documents = randomDocuments(60, 500, 20, 8);
  documents.push([times(300, (i) => 5 + (i % 490))]); // longer than any sequence
  const corpus = corpusOf(documents);
  const { document, sentence } = placesOf(corpus);

  test('every token stands in exactly one sequence, in order, and none is too long', () => {
    const layout = layoutPacked(corpus, everything(corpus), KEY, 64);
    const used = new Uint8Array(corpus.ids.length);
    const next = new Map<number, number>();
    sequences(layout).forEach((pieces, s) => {
      expect(layout.length(s)).toBeLessThanOrEqual(64);
      expect(layout.labels[s]).toBe(-1);
      const of = pieces.map(({ start }) => document[start]);
      expect(new Set(of).size).toBe(of.length); // one piece, and one [SEP], per document
      for (const { start, length } of pieces) {
        expect(document[start + length - 1]).toBe(document[start]);
        const expected = next.get(document[start]) ?? corpus.sentenceStarts[corpus.documentStarts[document[start]]];
        expect(start).toBe(expected);
        next.set(document[start], start + length);
        for (let i = start; i < start + length; i++) used[i]++;
      }
    });
    expect(used.every((n) => n === 1)).toBe(true);
  });

  test('only whole sentences, but for one that no sequence can hold; and as many as fit', () => {
    const layout = layoutPacked(corpus, everything(corpus), KEY, 64);
    const all = sequences(layout);
    const length = (s: number): number => corpus.sentenceStarts[s + 1] - corpus.sentenceStarts[s];
    all.forEach((pieces, s) => {
      for (const { start, length: tokens } of pieces) {
        for (const edge of [start, start + tokens]) {
          const inside = edge < corpus.ids.length && edge !== corpus.sentenceStarts[sentence[edge]];
          if (inside) expect(length(sentence[edge])).toBeGreaterThan(62);
        }
      }
      if (s === 0 || s === all.length - 1) return; // the first is of random length, the last is what is left
      const [following] = all[s + 1];
      const same = document[following.start] === document[pieces[pieces.length - 1].start];
      const needed = Math.min(length(sentence[following.start]), 62) + (same ? 0 : 1);
      expect(layout.length(s) + needed).toBeGreaterThan(64);
    });
  });

  test('the order of documents and the place of the cuts change from pass to pass', () => {
    const orders = times(3, (pass) => {
      const layout = layoutPacked(corpus, everything(corpus), { seed: 1, pass }, 64);
      return sequences(layout).map(([first]) => first.start);
    });
    expect(orders[0]).not.toEqual(orders[1]);
    expect(orders[1]).not.toEqual(orders[2]);
    const one = corpusOf([times(200, () => times(7, () => 5))]);
    const cuts = times(5, (pass) => sequences(layoutPacked(one, everything(one), { seed: 1, pass }, 64))[1][0].start);
    expect(new Set(cuts).size).toBeGreaterThan(1);
  });
});

test('three standard deviations find a share that is off by two in a hundred', () => {
  expect(sigmas(10_400, 20_000, 0.5)).toBeGreaterThan(3); // 52 to 48
  expect(sigmas(10_100, 20_000, 0.5)).toBeLessThan(3);
});

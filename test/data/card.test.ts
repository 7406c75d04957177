import { describe, expect, test } from '@jest/globals';
import { PretrainDataset } from '../../src/data/dataset.js';
import { measureFloors } from '../../src/data/floors.js';
import { corpusOf, randomDocuments, vocabOf } from './corpora.js';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe('floors', () => {
  const ids = Uint32Array.from([5, 6, 5, 6, 7, 5, 6, 5, /* measured */ 6, 5, 6, 8, 5]);
  const text = { ids, counted: [[0, 5] as const, [5, 8] as const], measured: [[8, 13] as const] };

  test('by hand: 8 tokens counted, 5 measured, a vocabulary of 10', () => {
    const counts = [0, 0, 0, 0, 0, 4, 3, 1, 0, 0];
    const unigram = (id: number): number => (counts[id] + 1) / (8 + 10);
    const mean = (ps: number[]): number => -ps.reduce((sum, p) => sum + Math.log(p), 0) / ps.length;
    const floors = measureFloors(text, 10);
    expect(floors.uniform).toBeCloseTo(Math.log(10), 12);
    expect(floors.unigram).toBeCloseTo(mean([6, 5, 6, 8, 5].map(unigram)), 12);
    expect(floors.mostFrequentShare).toBeCloseTo(2 / 5, 12); // token 5
    // Pairs of the counted runs: start-5 twice, 5-6 three times, 6-5 twice, 6-7 once: 2, 3 and 3 of start, 5 and 6.
    const pairs = new Map([
      ['10,6', 0],
      ['6,5', 2],
      ['5,6', 3],
      ['6,8', 0],
      ['8,5', 0],
    ]);
    const before = new Map([
      [10, 2],
      [6, 3],
      [5, 3],
      [8, 0],
    ]);
    const smoothed = (k: number): number =>
      mean(
        [
          [10, 6],
          [6, 5],
          [5, 6],
          [6, 8],
          [8, 5],
        ].map(([v, w]) => {
          return ((pairs.get(`${v},${w}`) ?? 0) + k * unigram(w)) / ((before.get(v) ?? 0) + k);
        }),
      );
    expect(floors.bigram).toBeCloseTo(Math.min(...range(14).map((i) => smoothed(2 ** i))), 12);
  });

  test('a text whose next word is known has a bigram floor near zero, an even one has none below the unigram', () => {
    const cycle = Uint32Array.from(range(20_000), (i) => 5 + (i % 40));
    const known = measureFloors({ ids: cycle, counted: [[0, 16_000]], measured: [[16_000, 20_000]] }, 45);
    expect(known.unigram).toBeCloseTo(Math.log(40), 1);
    expect(known.bigram).toBeLessThan(0.02);
    const even = corpusOf(randomDocuments(200, 45));
    const half = even.ids.length >> 1;
    const none = measureFloors({ ids: even.ids, counted: [[0, half]], measured: [[half, even.ids.length]] }, 45);
    expect(none.bigram).toBeGreaterThan(none.unigram - 0.02);
  });
});

describe('card', () => {
  const documents = randomDocuments(80, 100);
  documents[0][0] = [1, 1, 7]; // [UNK] twice
  documents[3][1] = documents[9][1]; // a sentence that comes back
  documents[4][1] = documents[9][1];
  const corpus = corpusOf(documents);
  const options = { vocab: vocabOf(100), seed: 2, batch: 1, maxSeq: 48, sentenceTask: 'nsp' } as const;
  const data = new PretrainDataset(corpus, options);

  test('counts documents, sentences, tokens, [UNK] and sentences that stood there before', () => {
    const sentences = documents.flat();
    const { card } = data;
    expect([card.documents, card.heldOutDocuments, card.heldOutNote]).toEqual([80, 4, null]);
    expect([card.sentences, card.tokens]).toEqual([sentences.length, corpus.ids.length]);
    expect(card.unkShare).toBeCloseTo(2 / corpus.ids.length, 12);
    expect(card.duplicateLineShare).toBeCloseTo(1 - new Set(sentences.map(String)).size / sentences.length, 12);
    expect(card.duplicateLineShare).toBeGreaterThan(0);
  });

  test('counts the tokens of the documents to learn from', () => {
    const counts = range(100).map(() => 0);
    for (const d of data.split.train) for (const id of documents[d].flat()) counts[id]++;
    expect(Array.from(data.card.unigramCounts)).toEqual(counts);
  });

  test('labels and padding are those of the first pass', () => {
    let [ones, tokens, n] = [0, 0, 0];
    for (; data.passesAt(n) < 1; n++) {
      const { sentenceLabels, lengths } = data.batchAt(n);
      ones += sentenceLabels[0];
      tokens += lengths[0];
    }
    expect(data.card.label1Share).toBeCloseTo(ones / n, 12);
    expect(data.card.paddingShare).toBeCloseTo(1 - tokens / (48 * n), 12);
    const none = new PretrainDataset(corpus, { ...options, sentenceTask: 'none' });
    expect(none.card.label1Share).toBe(0);
    expect(none.card.paddingShare).toBeGreaterThan(0);
  });
});

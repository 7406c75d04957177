import { describe, expect, test } from '@jest/globals';
import { ConfigError, DataError } from '../../src/core/errors.js';
import type { PretrainBatch } from '../../src/data/batch.js';
import { type PretrainDataOptions, PretrainDataset } from '../../src/data/dataset.js';
import { documentTokens, splitDocuments } from '../../src/data/document.js';
import { predictions } from '../../src/data/mask.js';
import { corpusOf, randomDocuments, vocabOf } from './corpora.js';
import { expectShare } from './sigma.js';

const SIZE = 300;
const INSIDE = 250;
const corpus = corpusOf(randomDocuments(60, SIZE), INSIDE);
const make = (more: Partial<PretrainDataOptions> = {}): PretrainDataset =>
  new PretrainDataset(corpus, {
    vocab: vocabOf(SIZE),
    seed: 11,
    batch: 8,
    maxSeq: 64,
    sentenceTask: 'nsp',
    ...more,
  });
/** What the settings of `make` come to. */
const mask = { rate: 0.15, unit: 'token', vocabSize: SIZE, maskId: 4 } as const;
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The sequences of a batch as text stood: masked places filled in again, padding cut off. */
function rows({ batch, seq, inputIds, lengths, maskedPositions, maskedLabels }: PretrainBatch): number[][] {
  const ids = inputIds.slice();
  maskedPositions.forEach((place, i) => {
    ids[place] = maskedLabels[i];
  });
  return range(batch).map((b) => Array.from(ids.subarray(b * seq, b * seq + lengths[b])));
}

/** The batches of one pass; the batch is one sequence, so that passes and steps end together. */
function onePass(data: PretrainDataset, pass: number): PretrainBatch[] {
  let first = 0;
  while (data.passesAt(first) < pass) first++;
  let end = first;
  while (data.passesAt(end) < pass + 1) end++;
  return range(end - first).map((i) => data.batchAt(first + i));
}

describe('a batch', () => {
  test('is [CLS] A [SEP] B [SEP] and padding, with types, lengths, labels and masked places', () => {
    const { cls, sep, pad } = vocabOf(SIZE);
    for (const step of range(40)) {
      const batch = make().batchAt(step);
      expect([batch.batch, batch.seq, batch.inputIds.length, batch.tokenTypeIds.length]).toEqual([8, 64, 512, 512]);
      rows(batch).forEach((row, b) => {
        const types = Array.from(batch.tokenTypeIds.subarray(b * 64, b * 64 + 64));
        const middle = row.indexOf(sep);
        expect([row[0], row.at(-1), row.filter((id) => id === cls).length]).toEqual([cls, sep, 1]);
        expect(row.filter((id) => id === sep)).toHaveLength(2);
        expect(types).toEqual(range(64).map((i) => (i > middle && i < row.length ? 1 : 0)));
        expect(batch.inputIds.subarray(b * 64 + row.length, b * 64 + 64).every((id) => id === pad)).toBe(true);
        expect([0, 1]).toContain(batch.sentenceLabels[b]);
        const masked = batch.maskedPositions.filter((p) => p >= b * 64 && p < b * 64 + 64);
        expect(masked.length).toBe(predictions(row.length, { ...mask, maxPredictions: 10 }));
      });
      expect(batch.maskedPositions).toEqual(batch.maskedPositions.slice().sort());
      expect(batch.maskedLabels.every((id) => id >= 5)).toBe(true);
    }
  });

  test('without a sentence task: label -1, type 0, a [SEP] after each document', () => {
    const batch = make({ sentenceTask: 'none' }).batchAt(3);
    expect([...batch.sentenceLabels]).toEqual(range(8).map(() => -1));
    expect(batch.tokenTypeIds.every((type) => type === 0)).toBe(true);
    for (const row of rows(batch)) expect(row.at(-1)).toBe(vocabOf(SIZE).sep);
  });

  test('label 0 is what follows, label 1 is not', () => {
    const text = Array.from(corpus.ids).join(' ');
    for (const step of range(20)) {
      const batch = make().batchAt(step);
      rows(batch).forEach((row, b) => {
        const middle = row.indexOf(3);
        const [a, next] = [row.slice(1, middle), row.slice(middle + 1, -1)];
        const follows = text.includes(` ${[...a, ...next].join(' ')} `);
        if (batch.sentenceLabels[b] === 1 || a.length + next.length < 61)
          expect(follows).toBe(batch.sentenceLabels[b] === 0);
      });
    }
  });

  test('words are hidden whole, by the marks of the corpus', () => {
    const data = make({ maskUnit: 'word' });
    for (const step of range(30)) {
      const batch = data.batchAt(step);
      const hidden = new Set(batch.maskedPositions);
      rows(batch).forEach((row, b) => {
        for (let i = 2; i < row.length; i++) {
          if (row[i] < INSIDE || row[i - 1] === 3) continue;
          expect(hidden.has(b * 64 + i)).toBe(hidden.has(b * 64 + i - 1) && row[i - 1] >= 5);
        }
      });
    }
  });
});

describe('order', () => {
  test('the batch of a step is a function of seed and step, whatever was asked before', () => {
    const [data, other] = [make(), make()];
    const straight = range(150).map((step) => data.batchAt(step));
    expect(data.passesAt(149)).toBeGreaterThan(2);
    for (const step of [70, 3, 149, 3, 40]) expect(other.batchAt(step)).toEqual(straight[step]);
    expect(range(10).map((i) => make().batchAt(140 + i))).toEqual(straight.slice(140)); // goes on as if never stopped
    expect(make({ seed: 12 }).batchAt(0)).not.toEqual(straight[0]);
  });

  test('one batch of 16 is two of 8', () => {
    const [small, large] = [make(), make({ batch: 16 })];
    for (const step of range(40)) {
      const parts = [small.batchAt(2 * step), small.batchAt(2 * step + 1)];
      const ids = parts.flatMap(({ inputIds }) => Array.from(inputIds));
      expect(Array.from(large.batchAt(step).inputIds)).toEqual(ids);
    }
  });

  test('a pass has each sentence once, in an order and with masks of its own', () => {
    const data = make({ batch: 1, sentenceTask: 'none' });
    const text = (batches: PretrainBatch[]): string[] => batches.flatMap((b) => rows(b).map(String));
    const [first, second] = [onePass(data, 0), onePass(data, 1)];
    const words = (batches: PretrainBatch[]): number[] =>
      batches.flatMap((b) =>
        rows(b)
          .flat()
          .filter((id) => id >= 5),
      );
    const all = data.split.train.length;
    expect(all).toBe(57);
    const tokens = Array.from(data.split.train, (d) => documentTokens(corpus, d)).reduce((a, b) => a + b);
    for (const pass of [first, second]) expect(words(pass)).toHaveLength(tokens);
    expect(words(first).sort()).toEqual(words(second).sort());
    expect(text(first)).not.toEqual(text(second));
  });

  test('static masks come back in every pass, in another order; copies differ from one another', () => {
    const data = make({ batch: 1, staticCopies: 2 });
    const dynamic = make({ batch: 1 });
    const [first, second] = [onePass(data, 0), onePass(data, 1)].map((pass) => pass.map((b) => String(b.inputIds)));
    expect(first).not.toEqual(second);
    expect([...first].sort()).toEqual([...second].sort());
    expect(new Set(first).size).toBe(first.length); // two copies, with masks and pairs of their own
    const single = [onePass(dynamic, 0), onePass(dynamic, 1)].map((pass) => pass.map((b) => String(b.inputIds)));
    expect([...single[0]].sort()).not.toEqual([...single[1]].sort());
    // The copies are the first passes of a dynamic run.
    expect([...first].sort()).toEqual([...single[0], ...single[1]].sort());
  });
});

describe('documents held back', () => {
  // Every document has ids of its own, so that one token betrays where it comes from.
  const own = corpusOf(range(80).map((d) => range(12).map(() => range(9).map(() => 5 + d))));
  const settings = { vocab: vocabOf(90), batch: 16, maxSeq: 32, sentenceTask: 'nsp' } as const;

  test('are never trained on, nor are others evaluated', () => {
    const data = new PretrainDataset(own, { ...settings, seed: 3 });
    const held = new Set(Array.from(data.split.heldOut, (d) => 5 + d));
    expect(held.size).toBe(4);
    expect([data.card.heldOutDocuments, data.card.documents]).toEqual([4, 80]);
    const seen = range(100).flatMap((step) => rows(data.batchAt(step)).flat());
    expect(seen.filter((id) => held.has(id))).toEqual([]);
    const evaluated = [...data.evalBatches()].flatMap((batch) => rows(batch).flat());
    expect(evaluated.filter((id) => id >= 5 && !held.has(id))).toEqual([]);
    expect(new Set(evaluated.filter((id) => id >= 5))).toEqual(held);
  });

  test('an evaluation never changes: not with the seed, the masking, or the batch', () => {
    const evaluation = (more: object): PretrainBatch[] => [
      ...new PretrainDataset(own, { ...settings, seed: 3, ...more }).evalBatches(),
    ];
    const wanted = evaluation({});
    expect(evaluation({ seed: 4, maskUnit: 'ngram', maskRate: 0.4 })).toEqual(wanted);
    expect(evaluation({ batch: 7 }).flatMap(rows)).toEqual(wanted.flatMap(rows));
    expect(evaluation({ heldOutSeed: 1 })).not.toEqual(wanted);
    expect(evaluation({ evalSequences: 5 }).flatMap(rows)).toEqual(wanted.flatMap(rows).slice(0, 5));
    expect(evaluation({ heldOut: 0 })).toEqual([]);
  });

  test('are chosen at random, and a document that is a quarter of the text is not', () => {
    const big = corpusOf([range(400).map(() => [5, 6, 7]), ...range(79).map(() => [[8, 9, 10]])]);
    for (const seed of range(20)) expect(splitDocuments(big, 0.5, 'none', seed).heldOut).not.toContain(0);
    const counts = range(80).map(() => 0);
    for (const seed of range(200)) for (const d of splitDocuments(own, 0.05, 'nsp', seed).heldOut) counts[d]++;
    expectShare(
      counts.slice(0, 40).reduce((a, b) => a + b),
      800,
      0.5,
      0.62,
    );
    expect(counts.every((n) => n > 0)).toBe(true);
  });

  test('too few documents: none is held back, and it says so', () => {
    const few = corpusOf(
      range(7).map(() => [
        [5, 6],
        [7, 8],
        [9, 10],
      ]),
    );
    expect(splitDocuments(few, 0.05, 'nsp', 0)).toMatchObject({ note: expect.stringContaining('7 documents') });
    expect(splitDocuments(few, 0.05, 'none', 0).heldOut).toHaveLength(1);
    expect(splitDocuments(few, 0, 'nsp', 0)).toMatchObject({ note: null });
    const data = new PretrainDataset(few, { ...settings, seed: 1 });
    expect([...data.evalBatches()]).toEqual([]);
    expect(data.card.heldOutNote).toContain('too few');
    expect(data.card.floors.unigram).toBeGreaterThan(0);
  });
});

test('a share of random words that is off by a tenth would be seen in the batches', () => {
  const data = make({ batch: 32 });
  let [masked, n] = [0, 0];
  for (const step of range(250)) {
    const { inputIds, maskedPositions } = data.batchAt(step);
    for (const place of maskedPositions) if (inputIds[place] === 4) masked++;
    n += maskedPositions.length;
  }
  expectShare(masked, n, 0.8 + 0.1 / SIZE, 0.81);
});

describe('refuses', () => {
  test.each([
    [{ batch: 0 }, /batch 0/],
    [{ maxSeq: 4 }, /maxSeq 4/],
    [{ maskRate: 0 }, /maskRate 0/],
    [{ maskRate: 1.5, batch: 0.5 }, /batch 0.5.*maskRate 1.5/],
    [{ heldOut: 0.9 }, /heldOut/],
    [{ staticCopies: -1 }, /staticCopies/],
  ])('%o', (more, message) => {
    expect(() => make(more)).toThrow(ConfigError);
    expect(() => make(more)).toThrow(message);
  });

  test('a corpus of another vocabulary, an empty one, and one of lone words', () => {
    const { vocab, ...rest } = { vocab: vocabOf(100), seed: 1, batch: 2, maxSeq: 16, sentenceTask: 'sop' } as const;
    expect(() => new PretrainDataset(corpus, { vocab, ...rest })).toThrow(/id \d+, but the vocabulary ends at 99/);
    expect(() => new PretrainDataset(corpusOf([]), { vocab, ...rest })).toThrow(DataError);
    expect(() => new PretrainDataset(corpusOf([[[5]], [[6]]]), { vocab, ...rest })).toThrow(/no sequence/);
  });
});

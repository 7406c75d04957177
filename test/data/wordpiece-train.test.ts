import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ConfigError, DataError } from '../../src/core/errors.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import { type TrainOptions, trainWordPiece } from '../../src/data/wordpiece-train.js';
import { IndexedHeap } from '../../src/data/wordpiece-train-heap.js';
import { likelihoodGain, ln, type Rule, xLnX } from '../../src/data/wordpiece-train-score.js';
import { byCodePoint, WordCounter } from '../../src/data/wordpiece-train-words.js';

const train = (texts: Iterable<string>, options: Partial<TrainOptions> = {}): ReturnType<typeof trainWordPiece> =>
  trainWordPiece(texts, { lowercase: true, size: 1000, ...options });
const learnt = (texts: Iterable<string>, options: Partial<TrainOptions> = {}): readonly string[] =>
  train(texts, options).vocab.tokens.slice(5);

/** The same rule without any cleverness: all pairs are counted anew for every piece. */
function naive(texts: readonly string[], rule: Rule, size: number, minFrequency: number): string[] {
  const counts = new Map<string, number>();
  for (const word of texts.flatMap((text) => text.split(' '))) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts]
    .sort(([a], [b]) => byCodePoint(a, b))
    .map(([word, count]) => ({
      count,
      cut: [...word].map((c, i) => (i === 0 ? c : `##${c}`)),
    }));
  const single = [...new Set(words.flatMap(({ cut }) => cut))];
  const isLater = (piece: string): boolean => piece.startsWith('##');
  const pieces = [
    ...single.filter((piece) => !isLater(piece)).sort(byCodePoint),
    ...single.filter(isLater).sort(byCodePoint),
  ];
  while (pieces.length < size) {
    const [singles, pairs] = [new Map<string, number>(), new Map<string, number>()];
    let total = 0;
    const add = (map: Map<string, number>, key: string, n: number): unknown => map.set(key, (map.get(key) ?? 0) + n);
    for (const { cut, count } of words) {
      total += count * cut.length;
      for (const [i, piece] of cut.entries()) {
        add(singles, piece, count);
        if (i > 0) add(pairs, `${cut[i - 1]} ${piece}`, count);
      }
    }
    const scored = [...pairs]
      .filter(([, count]) => count >= minFrequency)
      .map(([pair, count]) => {
        const [a, b] = pair.split(' ');
        const [nA, nB] = [singles.get(a) ?? 0, singles.get(b) ?? 0];
        return { a, b, score: rule === 'frequency' ? count : likelihoodGain(count, nA, nB, a === b, total) };
      })
      .sort(
        (x, y) =>
          y.score - x.score || pieces.indexOf(x.a) - pieces.indexOf(y.a) || pieces.indexOf(x.b) - pieces.indexOf(y.b),
      );
    if (scored.length === 0 || scored[0].score <= 0) break;
    const { a, b } = scored[0];
    const joined = a + b.slice(2);
    if (!pieces.includes(joined)) pieces.push(joined);
    for (const word of words) {
      for (let i = 0; i + 1 < word.cut.length; i++) {
        if (word.cut[i] === a && word.cut[i + 1] === b) word.cut.splice(i, 2, joined);
      }
    }
  }
  return pieces;
}

describe('what is learnt', () => {
  test('a small vocabulary, piece by piece', () => {
    // h-u-g 10, p-u-g 5, p-u-n 12, b-u-n 4, h-u-g-s 5: u-g 20, u-n 16, h-ug 15, p-un 12, p-ug 5, hug-s 5, b-un 4
    const words = { hug: 10, pug: 5, pun: 12, bun: 4, hugs: 5 };
    const texts = Object.entries(words).map(([word, count]) => `${word} `.repeat(count));
    const single = ['b', 'h', 'p', '##g', '##n', '##s', '##u'];
    const joined = ['##ug', '##un', 'hug', 'pun', 'pug', 'hugs', 'bun'];
    expect(learnt(texts)).toEqual([...single, ...joined]);
    expect(learnt(texts, { size: 14 })).toEqual([...single, '##ug', '##un']);
    expect(learnt(texts, { size: 14, minFrequency: 17 })).toEqual([...single, '##ug']);
  });

  test('overlapping pairs are joined from the left', () => {
    expect(learnt(['aaaaa '.repeat(3)])).toEqual(['a', '##a', '##aa', 'aaa', 'aaaaa']);
  });

  test('equal counts: the pair whose left piece stands first', () => {
    expect(learnt(['zx ab cd zx cd ab'])).toEqual(['a', 'c', 'z', '##b', '##d', '##x', 'ab', 'cd', 'zx']);
  });

  test('ideographs and punctuation stay single', () => {
    expect(learnt(['我爱我家。', '我爱你！'])).toEqual([...'。你家我爱！'].sort(byCodePoint));
  });

  test('case and accents as the tokenizer treats them', () => {
    expect(learnt(['Éa éa'])).toEqual(['e', '##a', 'ea']);
    expect(learnt(['Éa éa éa'], { lowercase: false })).toEqual(['É', 'é', '##a', 'éa']);
  });

  test('reserved entries follow the special tokens', () => {
    expect(train(['ab ab'], { unused: 2 }).vocab.tokens).toEqual([
      ...SPECIAL_TOKENS,
      ...['[unused0]', '[unused1]', 'a', '##b', 'ab'],
    ]);
  });

  test.each(['frequency', 'likelihood'] as const)('%s: equals counting everything anew', (rule) => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', '😀', 'ö'), minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 12, max: 60 }),
        fc.integer({ min: 1, max: 3 }),
        (words, size, minFrequency) => {
          const options = { lowercase: false, rule, size: size + 5, minFrequency };
          expect(learnt([words.join(' ')], options)).toEqual(naive(words, rule, size, minFrequency));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('likelihood prefers what belongs together to what is frequent', () => {
    // "e" stands everywhere, so that "re" is frequent by chance; "qu" is the only way of "q".
    const text = 're te se le me ne que re te se le me ne que re te re '.repeat(5);
    const first = (rule: Rule): string | undefined => learnt([text], { rule, size: 5 + 10 }).at(-1);
    expect([first('frequency'), first('likelihood')]).toEqual(['re', 'qu']);
  });
});

describe('what comes out', () => {
  const corpus = readFileSync('examples/en/corpus.txt', 'utf8').slice(0, 200_000);
  const lines = corpus.split('\n');

  test.each(['frequency', 'likelihood'] as const)('%s: the order of the texts does not matter', (rule) => {
    const { vocab } = train(lines, { rule, size: 2000 });
    expect(train([...lines].reverse(), { rule, size: 2000 }).vocab.tokens).toEqual(vocab.tokens);
    expect(train([corpus], { rule, size: 2000 }).vocab.hash).toBe(vocab.hash);
  });

  test('the size asked for, no piece twice, and every word of the corpus can be spelt', () => {
    const { vocab, complete, words, pieces, unknown } = train(lines, { size: 3000 });
    expect([vocab.size, complete, unknown]).toEqual([3000, true, 0]);
    expect(new Set(vocab.tokens).size).toBe(3000);
    const tokenizer = new Tokenizer(vocab, { lowercase: true });
    const cut = lines.flatMap((line) => tokenizer.encode(line).ids.slice(1, -1));
    expect(cut.length).toBe(pieces);
    expect(cut.filter((id) => !vocab.isContinuation(id))).toHaveLength(words);
    expect(cut).not.toContain(vocab.unk);
    const all = train(lines, { size: 100_000 });
    expect(all.complete).toBe(false);
    expect(all.vocab.size).toBeLessThan(100_000);
    expect(all.vocab.tokens.slice(0, 3000)).toEqual(vocab.tokens); // a larger vocabulary goes on where a smaller one ends
  });

  test('any text gives a vocabulary that spells it', () => {
    const word = fc.oneof(fc.constantFrom('a', '我', 'é', '!', '\u0301', '\u0000'), fc.string({ maxLength: 5 }));
    fc.assert(
      fc.property(fc.array(word), fc.boolean(), fc.constantFrom('hf', 'google'), (words, lowercase, dialect) => {
        const options = { lowercase, dialect } as const;
        const text = words.join(' ');
        try {
          const { vocab, unknown } = train([text, text], options);
          expect(unknown).toBe(0);
          expect(new Tokenizer(vocab, options).encode(text.replaceAll('[', '(')).ids.slice(1)).not.toContain(vocab.cls);
          expect(Vocab.parse(vocab.toText()).tokens).toEqual(vocab.tokens);
        } catch (error) {
          expect(error).toMatchObject({ code: 'DATA-EMPTY' });
        }
      }),
    );
  });

  test('a limited alphabet makes rare characters [UNK] and says how many', () => {
    const result = train(['aab aab aab aab aabé 我'], { lowercase: false, limitAlphabet: 2 });
    expect(result).toMatchObject({ characters: 4, droppedCharacters: 2, words: 6, wordTypes: 3, unknown: 2 });
    expect(result.vocab.tokens.slice(5)).toEqual(['a', '##a', '##b', 'aa', 'aab']);
  });

  test('words beyond the limit of the tokenizer are not learnt from', () => {
    const long = 'x'.repeat(101);
    expect(train([`${long} ab ab`])).toMatchObject({ words: 3, unknown: 1, characters: 2 });
    expect(train([`${long} ab ab`], { dialect: 'google' })).toMatchObject({ unknown: 0, characters: 3 });
  });

  test('progress is told', () => {
    const told: number[] = [];
    train(lines, { size: 1000, onProgress: (size) => told.push(size) });
    expect(told.length).toBeGreaterThan(7);
    expect(told.at(-1)).toBeLessThanOrEqual(1000);
  });
});

describe('refusals', () => {
  test('a size that does not hold the characters', () => {
    const attempt = (): unknown => train(['ab cd ef ab'], { size: 9 });
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow('a vocabulary of 9 cannot hold the characters of the corpus: it needs 11 entries');
    try {
      attempt();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'CONFIG-VOCAB-SIZE',
        fix: 'ask for at least 11, or keep the 4 most frequent characters (--limit-alphabet 4)',
      });
    }
    expect(train(['ab cd ef ab'], { size: 9, limitAlphabet: 4 }).vocab.size).toBe(9);
  });

  test('no words', () => {
    expect(() => train([])).toThrow(DataError);
    expect(() => train(['', ' \n', '\u0000'])).toThrow('the corpus holds no word');
  });
});

test('words are counted over chunks, single characters and long words alike', () => {
  const counter = new WordCounter({ lowercase: true });
  counter.add('The the THE, the! 我我');
  counter.add(`${'y'.repeat(70)} Thé`);
  const { words, counts } = counter.result();
  expect(Object.fromEntries(words.map((word, i) => [word, counts[i]]))).toEqual({
    ...{ the: 5, ',': 1, '!': 1, 我: 2 },
    ['y'.repeat(70)]: 1,
  });
  expect(words).toEqual([...words].sort(byCodePoint));
});

test('strings are ordered by code point', () => {
  expect(['\u{10000}', '\uffee', 'b', 'ab', 'a', ''].sort(byCodePoint)).toEqual([
    '',
    'a',
    'ab',
    'b',
    '\uffee',
    '\u{10000}',
  ]);
});

test('ln is right to the last bits', () => {
  for (let x = 1; x < 1e15; x = Math.ceil(x * 1.37)) {
    expect(Math.abs(ln(x) - Math.log(x))).toBeLessThanOrEqual(4e-16 * Math.max(1, Math.log(x)) + 2e-16);
  }
  expect([xLnX(0), xLnX(1)]).toEqual([0, 0]);
});

test('the gain is the change of the log likelihood', () => {
  // Pieces a 5, b 4, c 3; joining three pairs ab gives a 2, b 1, c 3, ab 3.
  const logLikelihood = (counts: number[]): number => {
    const total = counts.reduce((sum, n) => sum + n);
    return counts.reduce((sum, n) => sum + (n === 0 ? 0 : n * Math.log(n / total)), 0);
  };
  const gain = logLikelihood([2, 1, 3, 3]) - logLikelihood([5, 4, 3]);
  expect(likelihoodGain(3, 5, 4, false, 12)).toBeCloseTo(gain, 12);
});

test('the heap always has the best on top', () => {
  const action = fc.record({ item: fc.nat(12), score: fc.integer({ min: 0, max: 5 }), remove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(action), (actions) => {
      const heap = new IndexedHeap((a, b) => a < b);
      const model = new Map<number, number>();
      for (const { item, score, remove } of actions) {
        if (remove) {
          heap.remove(item);
          model.delete(item);
        } else {
          heap.set(item, score);
          model.set(item, score);
        }
        const [best] = [...model].sort(([a, x], [b, y]) => y - x || a - b);
        expect(heap.top).toBe(best?.[0] ?? -1);
        if (best !== undefined) expect(heap.score(best[0])).toBe(best[1]);
      }
    }),
  );
});

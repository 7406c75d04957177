import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BasicTokenizer } from '../../src/data/basic-tokenizer.js';
import { IdBuffer } from '../../src/data/id-buffer.js';
import { Tokenizer, type TokenizerOptions } from '../../src/data/tokenizer.js';
import { SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import { anyText } from './texts.js';

const vocab = new Vocab([
  ...SPECIAL_TOKENS,
  ...[
    'un',
    '##want',
    '##ed',
    '##aff',
    '##able',
    'runn',
    '##ing',
    ',',
    '.',
    '!',
    '[',
    ']',
    'mask',
    '我',
    '爱',
    'x',
    '##x',
  ],
  ...['hello', 'Hello', 'naive', '😀', 'σ', 'ς', '##σ', '##ς', 'ο', '##ο', '#', 'sep', 'İ', 'i', '##i'],
]);
const tokenizer = (options: Partial<TokenizerOptions> = {}): Tokenizer =>
  new Tokenizer(vocab, { lowercase: true, ...options });
const tokens = (text: string, options: Partial<TokenizerOptions> = {}): string[] =>
  tokenizer(options).encode(text).tokens.slice(1, -1);

describe('encode', () => {
  test('a text, with [CLS] and [SEP]', () => {
    expect(tokenizer().encode('UNwantéd, running!')).toEqual({
      tokens: ['[CLS]', 'un', '##want', '##ed', ',', 'runn', '##ing', '!', '[SEP]'],
      ids: [2, 5, 6, 7, 12, 10, 11, 14, 3],
      tokenTypeIds: [0, 0, 0, 0, 0, 0, 0, 0, 0],
    });
    expect(tokenizer().encode('').tokens).toEqual(['[CLS]', '[SEP]']);
  });

  test('a pair: the second text and its [SEP] are of type 1', () => {
    expect(tokenizer().encode('hello', '我爱')).toEqual({
      tokens: ['[CLS]', 'hello', '[SEP]', '我', '爱', '[SEP]'],
      ids: [2, 22, 3, 18, 19, 3],
      tokenTypeIds: [0, 0, 0, 1, 1, 1],
    });
    expect(tokenizer().encode('hello', '').tokenTypeIds).toEqual([0, 0, 0, 1]);
  });

  test('one piece that is not there makes the whole word [UNK]', () => {
    expect(tokens('unwantqed unwant')).toEqual(['[UNK]', 'un', '##want']);
    expect(tokens('##ing')).toEqual(['#', '#', '[UNK]']);
  });

  test('case and accents stay in a cased vocabulary', () => {
    expect(tokens('Hello hello', { lowercase: false })).toEqual(['Hello', 'hello']);
    expect(tokens('Naïve', { lowercase: true })).toEqual(['naive']);
    expect(tokens('naïve', { lowercase: true, stripAccents: false })).toEqual(['[UNK]']);
    expect(tokens('naïve', { lowercase: false, stripAccents: true })).toEqual(['naive']);
  });

  test('ideographs are words of their own, unless that is switched off', () => {
    expect(tokens('我爱x我')).toEqual(['我', '爱', 'x', '我']);
    expect(tokens('我爱', { tokenizeChineseChars: false })).toEqual(['[UNK]']);
  });

  test('control characters vanish, every kind of space separates', () => {
    expect(tokens('un\u0000want\ufffded\u200b')).toEqual(['un', '##want', '##ed']);
    expect(tokens('x\tx\r\nx\u00a0x\u3000x\u2028x')).toEqual(['x', 'x', 'x', 'x', 'x', 'x']);
    expect(tokens('\ufeffx \ud800x\udc00')).toEqual(['x', 'x']);
  });

  test('a word of more than 100 characters is [UNK], of 200 in the google dialect', () => {
    expect(tokens('x'.repeat(100))).toHaveLength(100);
    expect(tokens('x'.repeat(101))).toEqual(['[UNK]']);
    expect(tokens('x'.repeat(200), { dialect: 'google' })).toHaveLength(200);
    expect(tokens('x'.repeat(201), { dialect: 'google' })).toEqual(['[UNK]']);
    expect(tokens('é'.repeat(101))).toEqual(['[UNK]']);
    expect(tokens('\u0301x'.repeat(100))).toHaveLength(100); // counted after the accents are gone
  });

  test('a sigma at the end of a word is final in the google dialect alone', () => {
    expect(tokens('ΟΣ')).toEqual(['ο', '##σ']);
    expect(tokens('ΟΣ', { dialect: 'google' })).toEqual(['ο', '##ς']);
    expect(tokens('ΟΣΟ ΟΣ.', { dialect: 'google' })).toEqual(['ο', '##σ', '##ο', 'ο', '##ς', '.']);
    expect(tokens('İ')).toEqual(['i']);
  });
});

describe('special tokens in a text', () => {
  test('are one token each', () => {
    expect(tokens('hello [MASK], [MASK][SEP]x')).toEqual(['hello', '[MASK]', ',', '[MASK]', '[SEP]', 'x']);
    expect(tokens('un[MASK]ed')).toEqual(['un', '[MASK]', '[UNK]']);
    expect(tokens('[MASK]', { dialect: 'google' })).toEqual(['[MASK]']);
  });

  test('are text in any other spelling', () => {
    expect(tokens('[mask] [ MASK ]')).toEqual(['[', 'mask', ']', '[', 'mask', ']']);
  });

  test('are text in a corpus', () => {
    const out = new IdBuffer();
    expect(tokenizer().append('x [SEP]', out)).toBe(4);
    expect(Array.from(out.view(), (id) => vocab.token(id))).toEqual(['x', '[', 'sep', ']']);
  });
});

describe('pieces', () => {
  test('say where they stem from and which begin a word', () => {
    const text = ' Ünaffable, [MASK]我!';
    const { ids, continues, from, to } = tokenizer().pieces(text);
    expect(ids.map((id) => vocab.token(id))).toEqual(['un', '##aff', '##able', ',', '[MASK]', '我', '!']);
    expect(continues).toEqual([false, true, true, false, false, false, false]);
    expect(ids.map((_, i) => text.slice(from[i], to[i]))).toEqual(['Ün', 'aff', 'able', ',', '[MASK]', '我', '!']);
  });

  test('agree with encode, never leave the text and never split a surrogate pair', () => {
    const unit = fc.constantFrom('un', 'want', 'x', 'X́', '😀', '我', '[MASK]', ' ', '\u0301', 'é', '\u0000', '!');
    const text = fc.oneof(
      anyText,
      fc.array(unit).map((parts) => parts.join('')),
    );
    const own = tokenizer();
    fc.assert(
      fc.property(text, (value) => {
        const { ids, continues, from, to } = own.pieces(value);
        expect(ids).toEqual(own.encode(value).ids.slice(1, -1));
        const splitsPair = (i: number): boolean => /^[\ud800-\udbff][\udc00-\udfff]$/.test(value.slice(i - 1, i + 1));
        const right = ids.map((id, i) => {
          const isInside = from[i] >= (from[i - 1] ?? 0) && to[i] > from[i] && to[i] <= value.length;
          const isWhole = !splitsPair(from[i]) && !splitsPair(to[i]);
          return isInside && isWhole && continues[i] === vocab.isContinuation(id);
        });
        expect(right).not.toContain(false);
      }),
      { numRuns: 300 },
    );
  });
});

describe('append', () => {
  test('a text of lines gives the ids of its lines, whatever was seen before', () => {
    const own = tokenizer();
    const word = fc.constantFrom(
      'un',
      'unwanted',
      'unaffable',
      'running',
      'Hello',
      'naïve',
      '我',
      'q',
      'x'.repeat(70),
      ',',
    );
    fc.assert(
      fc.property(fc.array(fc.array(word)), (lines) => {
        const texts = lines.map((words) => words.join(' '));
        const [one, many, fresh] = [new IdBuffer(), new IdBuffer(), new IdBuffer()];
        own.append(texts.join('\n'), one);
        for (const text of texts) own.append(text, many);
        tokenizer().append(texts.join('\n'), fresh);
        expect(one.view()).toEqual(many.view());
        expect(one.view()).toEqual(fresh.view());
      }),
      { numRuns: 100 },
    );
  });

  test('takes time linear in the text, whatever it is made of', () => {
    const shapes = [
      'a',
      '我',
      '\u0301',
      '#',
      ' ',
      'a ',
      'a!',
      '[',
      '[MASK]',
      '\u0000',
      'é',
      '😀',
      '\ud800',
      'x',
      'xσ',
      'Σ',
    ];
    shapes.push('[MASK', 'İ', '\u302e', '\u302e\u0301', `${'x'.repeat(99)} `, 'unwanted ');
    for (const dialect of ['hf', 'google'] as const) {
      for (const shape of shapes) {
        const own = tokenizer({ dialect });
        const text = shape.repeat(Math.ceil(40_000 / shape.length));
        const start = performance.now();
        own.encode(text);
        own.pieces(text);
        // 40,000 characters take about 50 ms; what is quadratic takes minutes.
        expect(performance.now() - start).toBeLessThan(3000);
      }
    }
  });
});

describe('decode', () => {
  test('joins pieces to words', () => {
    const own = tokenizer();
    expect(own.decode(own.encode('UNaffable, 我x!').ids)).toBe('[CLS] unaffable , 我 x ! [SEP]');
    expect(own.decode(own.encode('unaffable').ids, { skipSpecials: true })).toBe('unaffable');
    expect(own.decode([6, 7])).toBe('##wanted'); // a cut text may begin within a word
    expect(own.decode([])).toBe('');
    expect(() => own.decode([999])).toThrow('id 999 is outside the vocabulary');
  });

  test('what was decoded encodes to the same ids', () => {
    const own = tokenizer();
    const ids = fc.array(fc.constantFrom(...[5, 10, 12, 14, 18, 22, 24, 25, 4, 2]));
    fc.assert(
      fc.property(ids, (given) => expect(own.encode(own.decode(given)).ids).toEqual([vocab.cls, ...given, vocab.sep])),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const first = own.encode(text).ids;
        if (!first.includes(vocab.unk)) expect(own.encode(own.decode(first.slice(1, -1))).ids).toEqual(first);
      }),
    );
  });
});

describe('google dialect', () => {
  interface Case {
    readonly text: string;
    readonly cased: readonly string[];
    readonly uncased: readonly string[];
    readonly pieces: readonly string[];
  }
  const golden: { vocab: string[]; cases: Case[] } = JSON.parse(
    readFileSync('test/golden/google-tokenizer.golden.json', 'utf8'),
  );
  const wordsOf = (lowercase: boolean, text: string): string[] => {
    const { text: words, ends } = new BasicTokenizer({ lowercase, dialect: 'google' }).words(text);
    return ends.map((end, i) => words.slice(i === 0 ? 0 : ends[i - 1], end));
  };

  test(`equals tokenization.py on ${golden.cases.length} odd texts`, () => {
    const own = new Tokenizer(new Vocab(golden.vocab), { lowercase: true, dialect: 'google' });
    for (const { text, cased, uncased, pieces } of golden.cases) {
      expect({ text, words: wordsOf(false, text) }).toEqual({ text, words: cased });
      expect({ text, words: wordsOf(true, text) }).toEqual({ text, words: uncased });
      const out = new IdBuffer();
      own.append(text, out);
      expect({ text, pieces: Array.from(out.view(), (id) => golden.vocab[id]) }).toEqual({ text, pieces });
    }
  });
});

test('an IdBuffer keeps what it held when it grows', () => {
  const buffer = new IdBuffer(1);
  for (let i = 0; i < 100; i++) buffer.push(i);
  buffer.reserve(1000);
  expect(buffer.view()).toEqual(Int32Array.from({ length: 100 }, (_, i) => i));
  buffer.clear();
  expect(buffer.view()).toHaveLength(0);
});

import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DataError } from '../../src/core/errors.js';
import { sha256 } from '../../src/data/sha256.js';
import { quote, SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import { anyText } from './texts.js';

const SPECIALS = SPECIAL_TOKENS.join('\n');
const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

/** What a refusal says. */
function refusal(make: () => unknown): Pick<DataError, 'message' | 'code' | 'where' | 'fix'> {
  try {
    make();
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('a vocabulary', () => {
  const vocab = Vocab.parse(`the\n${SPECIALS}\n##ing\n##\n我\n`);

  test('gives ids and tokens both ways', () => {
    expect(vocab.size).toBe(9);
    expect(vocab).toMatchObject({ pad: 1, unk: 2, cls: 3, sep: 4, mask: 5 });
    expect(vocab.id('##ing')).toBe(6);
    expect(vocab.id('ing')).toBeUndefined();
    expect(vocab.token(8)).toBe('我');
    expect(() => vocab.token(9)).toThrow('id 9 is outside the vocabulary of 9 tokens');
  });

  test('knows continuations and special tokens', () => {
    expect(vocab.tokens.filter((_, id) => vocab.isContinuation(id))).toEqual(['##ing']); // `##` alone continues nothing
    expect(vocab.tokens.filter((_, id) => vocab.isSpecial(id))).toEqual([...SPECIAL_TOKENS]);
  });

  test('has the hash of its file', () => {
    const text = `the\n${SPECIALS}\n##ing\n##\n我\n`;
    expect(vocab.toText()).toBe(text);
    expect(vocab.hash).toBe(createHash('sha256').update(text).digest('hex'));
  });

  test('is read back as it was written', () => {
    // A token ends with no white space: words are cut there.
    const token = anyText.filter((text) => /^[^\s\u0085\ufeff\u180e]+$/u.test(text) && !SPECIALS.includes(text));
    fc.assert(
      fc.property(fc.uniqueArray(token), (tokens) => {
        const made = new Vocab([...SPECIAL_TOKENS, ...tokens]);
        expect(Vocab.parse(made.toText()).tokens).toEqual(made.tokens);
      }),
    );
  });
});

describe('the file', () => {
  test('may have CRLF, a byte order mark, blanks at line ends, no last line end', () => {
    const plain = Vocab.parse(`${SPECIALS}\na\nb\n`).tokens;
    expect(Vocab.parse(`${SPECIALS}\na\nb`).tokens).toEqual(plain);
    expect(Vocab.parse(`\ufeff${SPECIALS}\na \nb\t\n`).tokens).toEqual(plain);
    expect(Vocab.parse(`${SPECIALS}\na\nb\n`.replaceAll('\n', '\r\n')).tokens).toEqual(plain);
    expect(Vocab.parse(`${SPECIALS}\n \u3000\n\u2028\n`).tokens.slice(5)).toEqual([' \u3000', '\u2028']);
  });

  test('must be UTF-8: the line and the byte are named', () => {
    const gbk = bytes(`${SPECIALS}\nab\n`, [0xce, 0xd2, 0xb0, 0xae], '\n');
    expect(refusal(() => Vocab.fromBytes(gbk, 'v.txt'))).toMatchObject({
      message: 'the vocabulary is not UTF-8',
      code: 'DATA-ENCODING',
      where: `v.txt, line 7, byte ${SPECIALS.length + 4}`,
      fix: expect.stringContaining('iconv -f GB18030 -t UTF-8'),
    });
    const utf16 = Buffer.from(`\ufeff${SPECIALS}\n`, 'utf16le');
    expect(refusal(() => Vocab.fromBytes(utf16)).fix).toContain('iconv -f UTF-16');
    expect(refusal(() => Vocab.fromBytes(bytes(`${SPECIALS}\n我`, [0xe6, 0x88])))).toMatchObject({
      code: 'DATA-ENCODING',
    });
  });

  test('must have five special tokens', () => {
    expect(refusal(() => Vocab.parse('[PAD]\n[UNK]\n[CLS]\n[SEP]\nMASK\n', 'v.txt'))).toMatchObject({
      message: 'the vocabulary lacks [MASK]',
      code: 'DATA-VOCAB-SPECIAL',
      where: 'v.txt, 5 lines',
    });
    expect(refusal(() => Vocab.parse('a\nb\n')).message).toBe(
      'the vocabulary lacks [PAD], [UNK], [CLS], [SEP], [MASK]',
    );
  });

  test('must not have a token twice, or an empty line', () => {
    expect(refusal(() => Vocab.parse(`${SPECIALS}\nthe\na\nthe\n`, 'v.txt'))).toMatchObject({
      message: 'the token "the" occurs twice',
      code: 'DATA-VOCAB-DUPLICATE',
      where: 'v.txt, line 8, first on line 6',
    });
    expect(refusal(() => Vocab.parse(`${SPECIALS}\n\na\n`, 'v.txt'))).toMatchObject({
      message: 'a line of the vocabulary is empty',
      where: 'v.txt, line 6',
    });
    expect(refusal(() => Vocab.parse('')).message).toBe('the vocabulary is empty');
  });

  test('must not be a corpus', () => {
    expect(refusal(() => Vocab.parse(`${SPECIALS}\n${'x'.repeat(1001)}\n`, 'v.txt'))).toMatchObject({
      code: 'DATA-VOCAB',
      where: 'v.txt, line 6',
    });
    expect(refusal(() => new Vocab(Array.from({ length: 1_000_001 }, (_, i) => `${i}`))).fix).toBe('is this a corpus?');
  });

  test('of any bytes is read or refused with an error of ours', () => {
    const line = fc.oneof(fc.constantFrom(...SPECIAL_TOKENS, '', ' ', '\r', '\ufeff', '__proto__', 'the'), anyText);
    fc.assert(
      fc.property(fc.array(line), fc.uint8Array(), (lines, tail) => {
        const file = bytes(lines.join('\n'), [...tail]);
        try {
          expect(Vocab.fromBytes(file).size).toBeGreaterThan(4);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
    );
  });
});

test('a token is quoted with its control characters shown', () => {
  expect(quote('a\u001b[31m')).toBe('"a\\u001b[31m"');
  expect(quote('\u202e\u200b\ufeff')).toBe('"\\u202e\\u200b\\ufeff"');
  expect(quote('x'.repeat(50))).toBe(`"${'x'.repeat(40)}…"`);
});

test('sha256 equals that of Node', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255);
    expect(sha256(data)).toBe(createHash('sha256').update(data).digest('hex'));
  }
});

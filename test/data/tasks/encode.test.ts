import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeSequence, pairRoom, truncated } from '../../../src/data/tasks/encode.js';
import { ownerOf, windowsOver } from '../../../src/data/tasks/windows.js';
import { Tokenizer } from '../../../src/data/tokenizer.js';
import { Vocab } from '../../../src/data/vocab.js';

const vocab = new Vocab(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...'abcdefgh']);
const tokenizer = new Tokenizer(vocab, { lowercase: true });
const shown = (ids: Int32Array): string => Array.from(ids, (id) => vocab.token(id).replace(/[[\]]/g, '')).join(' ');

test.each([
  ['head', 'a b c d'],
  ['tail', 'e f g h'],
  ['head-tail', 'a f g h'],
] as const)('%s of a text that is too long', (how, want) => {
  const ids = Int32Array.from('abcdefgh', (c) => vocab.id(c) ?? 0);
  expect(shown(truncated(ids, 4, how))).toBe(want);
  expect(truncated(ids, 8, how)).toBe(ids);
});

/** google-research/bert run_classifier.py:554: a token at a time from the longer one, from the second of equals. */
function oneByOne(a: number, b: number, room: number): [number, number] {
  while (a + b > room) {
    if (a > b) a--;
    else b--;
  }
  return [a, b];
}

test('of a pair the longer text loses, as in the original', () => {
  const size = fc.integer({ min: 0, max: 40 });
  fc.assert(
    fc.property(size, size, size, (a, b, room) => {
      const [x, y] = pairRoom(a, b, room);
      const [p, q] = oneByOne(a, b, room);
      expect([x + y, Math.abs(x - p) <= 1, Math.abs(y - q) <= 1]).toEqual([p + q, true, true]);
    }),
  );
});

test('special tokens and segments', () => {
  const options = { maxSeq: 8, truncate: 'head' } as const;
  const { ids, first, cut } = encodeSequence(tokenizer, 'a b c d e', 'f g', options);
  expect([shown(ids), first, cut]).toEqual(['CLS a b c SEP f g SEP', 5, true]);
  expect(shown(encodeSequence(tokenizer, '', null, options).ids)).toBe('CLS SEP');
});

test('windows cover every piece, fit the room, and cut no word', () => {
  const words = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, fc.integer({ min: 4, max: 12 }), fc.integer({ min: 1, max: 12 }), (lengths, room, stride) => {
      const bounds = [0];
      for (const length of lengths) bounds.push((bounds.at(-1) ?? 0) + length);
      const windows = windowsOver(bounds, room, Math.min(stride, room));
      for (const { first, end } of windows) {
        expect([bounds.includes(first), bounds.includes(end), end - first <= room]).toEqual([true, true, true]);
      }
      for (let piece = 0; piece < (bounds.at(-1) ?? 0); piece++) {
        const owner = windows[ownerOf(windows, piece)];
        expect(piece >= owner.first && piece < owner.end).toBe(true);
      }
    }),
  );
});

test('a word longer than a window is cut, and no text has one window', () => {
  expect(windowsOver([0, 10, 12], 4, 2)[0]).toEqual({ first: 0, end: 4 });
  expect(windowsOver([0], 4, 2)).toEqual([{ first: 0, end: 0 }]);
});

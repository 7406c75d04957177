import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bestSpans, type WindowScores } from '../../../src/train/tasks/spans.js';

/** A window over single characters: two tokens of question and special tokens, then the text, then [SEP]. */
function windowOf(
  starts: readonly number[],
  ends: readonly number[],
  first: number,
  owned: readonly boolean[],
): WindowScores {
  const source = new Int32Array(3 * starts.length).fill(-1);
  for (let i = 0; i < owned.length; i++) source.set([first + i, first + i + 1, owned[i] ? 1 : 0], 3 * (2 + i));
  return { starts: Float32Array.from(starts), ends: Float32Array.from(ends), source };
}

const options = { nullable: false, nullThreshold: 0, maxAnswer: 3 };
const all = (n: number): boolean[] => Array.from({ length: n }, () => true);

test('the best pair that is in order and not too long', () => {
  const window = windowOf([9, 9, 5, 0, 0, 4, 0], [9, 9, 0, 0, 0, 5, 1], 0, all(4));
  // 'abcd': start a (5), end d (5) would be best, but is 4 long; d to d is 4 + 5.
  expect(bestSpans('abcd', [window], options)).toMatchObject({ text: 'd', start: 3, end: 4 });
  expect(bestSpans('abcd', [window], { ...options, maxAnswer: 4 }).text).toBe('abcd');
});

test('no answer: the smallest score of [CLS] over the windows against a threshold', () => {
  const sure = windowOf([8, 0, 3, 0, 0], [8, 0, 3, 0, 0], 0, all(2));
  const other = windowOf([1, 0, 0, 0, 0], [1, 0, 0, 0, 0], 0, [false, false]);
  expect(bestSpans('ab', [sure], { ...options, nullable: true }).text).toBe('');
  expect(bestSpans('ab', [sure, other], { ...options, nullable: true }).text).toBe('a');
  expect(bestSpans('ab', [sure], { ...options, nullable: true, nullThreshold: 11 }).text).toBe('a');
  expect(bestSpans('ab', [sure], options).text).toBe('a');
});

test('with no span at all the answer is empty', () => {
  expect(bestSpans('', [windowOf([1, 1, 1], [1, 1, 1], 0, [])], options)).toMatchObject({ text: '', score: 1 });
});

test('equals a search over all pairs', () => {
  const score = fc.integer({ min: -50, max: 50 });
  const pairs = fc.array(fc.tuple(score, score), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(pairs, (scores) => {
      const text = 'abcdefghijkl'.slice(0, scores.length);
      const rows = [[0, 0], [0, 0], ...scores, [0, 0]];
      const window = windowOf(
        rows.map(([s]) => s),
        rows.map(([, e]) => e),
        0,
        all(scores.length),
      );
      let best = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < scores.length; i++) {
        for (let j = i; j < Math.min(scores.length, i + 3); j++) best = Math.max(best, scores[i][0] + scores[j][1]);
      }
      const { start, end } = bestSpans(text, [window], options);
      expect(scores[start][0] + scores[end - 1][1]).toBe(best);
    }),
  );
});

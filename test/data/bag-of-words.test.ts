import { expect, test } from '@jest/globals';
import { bagOf, NaiveBayes } from '../../src/data/bag-of-words.js';

test('words and neighbours; characters in Chinese', () => {
  expect(bagOf('Not good!')).toEqual(['not', 'good', '!', 'not good', 'good !']);
  expect(bagOf('好书')).toEqual(['好', '书', '好 书']);
});

test('probabilities by hand: one count added, prior times likelihood', () => {
  const bayes = new NaiveBayes();
  bayes.learn('a', 'x');
  bayes.learn('a', 'x');
  bayes.learn('b', 'y');
  // x: 2/3 * (0+1)/(2+2) = 0.167; y: 1/3 * (1+1)/(1+2) = 0.222
  expect(bayes.guess('b')).toBe('y');
  expect(bayes.guess('a')).toBe('x');
  expect(bayes.guess('never met')).toBe('x');
});

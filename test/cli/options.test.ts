import { describe, expect, test } from '@jest/globals';
import { InvalidArgumentError } from 'commander';
import {
  byteSize,
  dropoutRate,
  duration,
  fraction,
  nonNegative,
  positive,
  positiveInt,
  rate,
  seed,
  wholeNumber,
} from '../../src/cli/options.js';

describe('numbers are read strictly', () => {
  test.each([
    ['positiveInt', positiveInt, '1', 1],
    ['positiveInt', positiveInt, '1e3', 1000],
    ['positiveInt', positiveInt, '+5', 5],
    ['seed', seed, '0', 0],
    ['seed', seed, '4294967295', 2 ** 32 - 1],
    ['fraction', fraction, '0.15', 0.15],
    ['fraction', fraction, '.5', 0.5],
    ['fraction', fraction, '1', 1],
    ['dropoutRate', dropoutRate, '0', 0],
    ['rate', rate, '2e-3', 2e-3],
    ['positive', positive, '1e-9', 1e-9],
    ['nonNegative', nonNegative, '0', 0],
    ['byteSize', byteSize, '4096', 4096],
    ['byteSize', byteSize, '64M', 64 * 2 ** 20],
    ['byteSize', byteSize, '1.5GB', 1.5 * 2 ** 30],
    ['byteSize', byteSize, '2tib', 2 ** 41],
    ['duration', duration, '90', 90],
    ['duration', duration, '1.5h', 5400],
    ['duration', duration, '2D', 172_800],
  ] as const)('%s takes %j', (_name, parse, text, value) => expect(parse(text)).toBe(value));

  test.each([
    [
      'positiveInt',
      positiveInt,
      ['0', '-1', '1.5', '', ' ', 'abc', '0x10', '1_000', '1e400', 'NaN', 'Infinity', '1e16'],
    ],
    ['seed', seed, ['-1', '4294967296']],
    ['fraction', fraction, ['-0.1', '1.01', '15%']],
    ['dropoutRate', dropoutRate, ['1', '-0.5']],
    ['rate', rate, ['0', '2', '-1', '1e400', '']],
    ['positive', positive, ['0', '-3']],
    ['nonNegative', nonNegative, ['-1']],
    ['byteSize', byteSize, ['0', '-1M', '64X', 'M', '', '1e400']],
    ['duration', duration, ['0', '10 m', '5y', '']],
  ] as const)('%s refuses', (_name, parse, texts) => {
    for (const text of texts) expect(() => parse(text)).toThrow(InvalidArgumentError);
  });

  test('a refusal names the range', () => {
    expect(() => wholeNumber(2, 9)('10')).toThrow('It must be a whole number from 2 to 9.');
    expect(() => wholeNumber(2)('1')).toThrow('It must be a whole number from 2 up.');
    expect(() => rate('2')).toThrow('above 0 and at most 1');
  });
});

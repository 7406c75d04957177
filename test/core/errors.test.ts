import { describe, expect, test } from '@jest/globals';
import { bytesPer, dtypeOf, isFloat, newData } from '../../src/core/dtype.js';
import * as errors from '../../src/core/errors.js';
import { nearest } from '../../src/core/suggest.js';

describe('errors', () => {
  const simple = [
    ['BackendError', errors.BackendError, 69],
    ['DtypeError', errors.DtypeError, 70],
    ['ConfigError', errors.ConfigError, 78],
    ['CheckpointError', errors.CheckpointError, 65],
    ['DataError', errors.DataError, 65],
    ['InputError', errors.InputError, 66],
    ['OutputError', errors.OutputError, 73],
    ['IoError', errors.IoError, 74],
    ['NumericError', errors.NumericError, 70],
    ['UsageError', errors.UsageError, 2],
  ] as const;

  test.each(simple)('%s carries its parts and exit code', (name, Kind, exitCode) => {
    const cause = new Error('below');
    const error = new Kind('what', { code: 'A-B', where: 'here', fix: 'do this', cause });
    expect(error).toBeInstanceOf(errors.BertgradError);
    expect({ ...error, message: error.message, cause: error.cause }).toEqual({
      name,
      exitCode,
      code: 'A-B',
      where: 'here',
      fix: 'do this',
      message: 'what',
      cause,
    });
  });

  test('parts may be missing', () => {
    const error = new errors.DataError('what');
    expect([error.code, error.where, error.fix, error.cause]).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('a shape error names op, rule and shapes', () => {
    expect(new errors.ShapeError('matmul', 'inner sizes must match', [[2, 3], [4]]).message).toBe(
      'matmul: inner sizes must match; got [2, 3] and [4]',
    );
    expect(new errors.ShapeError('concat', 'takes at least one input').message).toBe(
      'concat: takes at least one input',
    );
  });
});

test('element types', () => {
  expect([bytesPer('f32'), bytesPer('i32'), bytesPer('f64')]).toEqual([4, 4, 8]);
  for (const dtype of ['f32', 'i32', 'f64'] as const) expect(dtypeOf(newData(dtype, 3))).toBe(dtype);
  expect([isFloat('f32'), isFloat('f64'), isFloat('i32')]).toEqual([true, true, false]);
});

test('nearest finds a misspelt word, and nothing far away', () => {
  const known = ['hidden_size', 'num_hidden_layers', 'vocab_size'];
  expect(nearest('hidden_sise', known)).toBe('hidden_size');
  expect(nearest('hiden_size', known)).toBe('hidden_size');
  expect(nearest('learning_rate', known)).toBeNull();
  expect(nearest('x', [])).toBeNull();
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { describeError, formatMessage, printable } from '../../src/cli/errors.js';
import {
  BackendError,
  BertgradError,
  CheckpointError,
  ConfigError,
  DataError,
  InputError,
  IoError,
  NumericError,
  OutputError,
  ShapeError,
  UsageError,
} from '../../src/core/errors.js';

/** An error as Node's file functions throw it. */
function systemError(code: string, syscall = 'open', path: { path?: string } = { path: 'corpus.txt' }): Error {
  return Object.assign(new Error(`${code}: failed`), { code, syscall, ...path });
}

describe('a message', () => {
  test('has three parts', () => {
    const error = new DataError('line is not UTF-8', { code: 'DATA-ENCODING', where: 'a.txt:3', fix: 'convert it' });
    expect(describeError(error)).toEqual({
      text: 'error[DATA-ENCODING]: line is not UTF-8\n  where: a.txt:3\n  fix:   convert it\n',
      exitCode: 65,
    });
  });

  test('leaves out the parts there are none of', () => {
    expect(formatMessage('warning', 'W', 'careful')).toBe('warning[W]: careful\n');
  });

  test('of a class without a code has the name of the class', () => {
    expect(
      describeError(
        new ShapeError('matmul', 'inner sizes must match', [
          [2, 3],
          [4, 5],
        ]),
      ).text,
    ).toBe('error[SHAPE]: matmul: inner sizes must match; got [2, 3] and [4, 5]\n');
  });

  test('shows what cannot be printed', () => {
    expect(printable('a\u001b[31mb\nc\u202ed')).toBe('a\\x1b[31mb\\x0ac\\u202ed');
    const long = printable('x'.repeat(5000));
    expect(long).toHaveLength(605);
    expect(long).toContain(' ... ');
  });

  test('has a stack only when it is asked for, causes included', () => {
    const error = new DataError('bad', { cause: new RangeError('deep down') });
    expect(describeError(error).text).toBe('error[DATA]: bad\n');
    const { text } = describeError(error, true);
    expect(text).toContain('errors.test.ts');
    expect(text).toContain('caused by: RangeError: deep down');
  });
});

test.each([
  [new UsageError('x'), 2],
  [new DataError('x'), 65],
  [new CheckpointError('x'), 65],
  [new InputError('x'), 66],
  [new BackendError('x'), 69],
  [new NumericError('x'), 70],
  [new BertgradError('x'), 70],
  [new OutputError('x'), 73],
  [new IoError('x'), 74],
  [new ConfigError('x'), 78],
])('%s ends with its own exit code', (error, code) => expect(describeError(error).exitCode).toBe(code));

describe('errors of the system', () => {
  test.each([
    ['ENOENT', 66, 'no such file or folder'],
    ['ENOTDIR', 66, 'a file, not a folder'],
    ['EISDIR', 66, 'a folder, not a file'],
    ['ELOOP', 66, 'in a circle'],
    ['EACCES', 66, 'no permission'],
    ['EPERM', 66, 'not permitted'],
    ['EMFILE', 74, 'too many open files'],
    ['EEXIST', 73, 'exists already'],
    ['ENOTEMPTY', 73, 'not empty'],
    ['EROFS', 73, 'read-only'],
    ['ENOSPC', 74, 'disk is full'],
    ['EDQUOT', 74, 'quota'],
    ['EIO', 74, 'device reported an error'],
  ])('%s: exit code %i, "%s", and what to do', (code, exitCode, words) => {
    const report = describeError(systemError(code));
    expect(report.exitCode).toBe(exitCode);
    expect(report.text).toMatch(new RegExp(`^error\\[SYSTEM-${code}\\]: corpus.txt: .*${words}`));
    expect(report.text).toMatch(/\n {2}fix: {3}\S/);
    expect(report.text).not.toContain('errors.test.ts');
  });

  test.each(['mkdir', 'rename', 'write'])('no permission to %s is the fault of the output', (call) => {
    expect(describeError(systemError('EACCES', call)).exitCode).toBe(73);
  });

  test('without a path the words stand alone', () => {
    expect(describeError(systemError('ENOSPC', 'write', {})).text).toMatch(
      /^error\[SYSTEM-ENOSPC\]: output: cannot be written: the disk is full\n/,
    );
  });

  test('a reader that closed early is no error', () => {
    expect(describeError(systemError('EPIPE', 'write'))).toEqual({ text: '', exitCode: 0 });
  });

  test('real ones are recognised', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bertgrad-'));
    const file = join(folder, 'file');
    await writeFile(file, 'x');
    const codeOf = (path: string): Promise<string | undefined> =>
      readFile(path).then(
        () => undefined,
        (error) => /\[(.*)\]/.exec(describeError(error).text)?.[1],
      );
    expect(await codeOf(join(folder, 'none'))).toBe('SYSTEM-ENOENT');
    expect(await codeOf(folder)).toBe('SYSTEM-EISDIR');
    expect(await codeOf(join(file, 'below'))).toBe('SYSTEM-ENOTDIR');
    await rm(folder, { recursive: true });
  });

  test('one nobody thought of is shown as our mistake', () => {
    expect(describeError(systemError('ESTALE')).exitCode).toBe(70);
  });
});

describe('what we did not foresee', () => {
  test('is called a bug, with the way to report it', () => {
    const { text, exitCode } = describeError(new TypeError('x is not a function'));
    expect(exitCode).toBe(70);
    expect(text).toBe(
      'error[BUG]: TypeError: x is not a function\n  fix:   this is a bug in bertgrad; run the same command with --debug and report what it prints\n',
    );
    expect(describeError(new TypeError('x'), true).text).toContain('bertgrad doctor');
  });

  test('may be anything at all', () => {
    expect(describeError('a string').text).toContain('error[BUG]: a string');
    expect(describeError(undefined).exitCode).toBe(70);
  });
});

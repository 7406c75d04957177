import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { describeIf } from '../skip.js';

const has = (command: string): boolean => spawnSync(command, ['--version']).status === 0;

// Its parts and their bounds stand in check/check.cc. Compiling takes most of the time; what is built stays in build/check.
describeIf(
  has('make') && has('c++'),
  'native',
  'make or a C++ compiler is not there',
)('kernels in C++', () => {
  test('every instruction set agrees with plain loops in double precision', () => {
    const { status, stdout, stderr } = spawnSync(
      'make',
      ['-s', '-j2', '-C', 'test/native/check', 'run', 'STRIDE=4099'],
      {
        encoding: 'utf8',
      },
    );
    expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' });
    expect(stdout).toMatch(/^base: all kernels exact enough, same bits on 1 and 2 threads$/m);
  }, 300_000);
});

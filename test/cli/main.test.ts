import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { bertgrad, ROOT } from '../e2e/program.js';

// The compiled program, as a shell starts it.
test('is built', () => expect(existsSync(join(ROOT, 'dist/cli/main.js'))).toBe(true));

test('results go to stdout, mistakes to stderr, and the exit code says which', () => {
  expect(bertgrad(['--version'])).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: '' });
  const wrong = bertgrad(['doctr']);
  expect(wrong).toMatchObject({ code: 2, out: '' });
  expect(wrong.err).toMatch(/^error\[USAGE-COMMAND\]: unknown command "doctr"; did you mean "doctor"\?\n {2}fix:/);
});

test('a reader that closes early is no error', () => {
  const main = join(ROOT, 'dist/cli/main.js');
  const script = `"${process.execPath}" "${main}" doctor --json 2>&1 | head -c 1 >/dev/null; echo \${PIPESTATUS[0]}`;
  const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
  expect(stdout).toBe('0\n');
});

test('a backend that cannot be chosen: the doctor says so and ends with 69', () => {
  const { code, out } = bertgrad(['doctor'], { env: { BG_BACKEND: 'tpu' } });
  expect(code).toBe(69);
  expect(out).toContain('in use      nothing: unknown backend "tpu"; use one of: auto, gpu, native, js');
});

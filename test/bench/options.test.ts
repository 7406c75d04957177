import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, args, { encoding: 'utf8' });

test.each(['roof', 'infer'])('bench/%s refuses an unknown option in two lines, without a stack trace', (name) => {
  const { status, stdout, stderr } = run(`bench/${name}.mjs`, '--bogus');
  expect({ status, stdout, stderr }).toEqual({
    status: 2,
    stdout: '',
    stderr: `error: ${name}.mjs: Unknown option '--bogus'\n--help says which options there are\n`,
  });
});

test('no option is missing where --help looks', () => {
  for (const file of readdirSync('bench').filter((name) => name.endsWith('.mjs'))) {
    const [head, ...body] = readFileSync(join('bench', file), 'utf8').split(/^(?!\/\/)/m);
    const [, options = ''] = /= parseOptions\(([\s\S]*?)\);\n/.exec(body.join('')) ?? [];
    for (const [, name] of options.matchAll(/(\w+): \{ type:/g))
      if (name !== 'child') expect([file, head]).toEqual([file, expect.stringContaining(`--${name}`)]);
  }
});

test.each([
  ['bench/infer.mjs', '--help'],
  ['bench/run.mjs', 'infer', '-h'],
])('%s %s says what there is', (...args) => {
  const { status, stdout } = run(...args);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^Inference of a BERT encoder/);
  expect(stdout).toContain('[--sizes 1x128,8x128,1x384,8x384]');
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createJsBackend } from '../../src/backend/js/index.js';
import { compareRuns } from '../../src/bench/compare.js';
import { fromGoogle } from '../../src/bench/google.js';
import { sharesPlot } from '../../src/bench/report/shares.js';
import { profileStep } from '../../src/bench/step.js';
import { parseJson } from '../../src/io/json.js';
import { cli } from '../cli/capture.js';
import { testFolder } from '../io/folder.js';

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const settings = ['--backend', 'js', '--rounds', '2', '--seconds', '0.01'];

/** A file as Google Benchmark writes it, with times of one kernel. */
const file = (times: readonly number[], name = 'BM_Softmax/9') =>
  fromGoogle(
    parseJson(
      JSON.stringify({
        context: { num_cpus: 2 },
        benchmarks: times.map((t, i) => ({
          ...{ name, run_name: name, run_type: 'iteration', repetition_index: i, real_time: t, time_unit: 'us' },
        })),
      }),
    ),
    'x.json',
  );
const OPTIONS = { threshold: 0.03, alpha: 0.05 };
const about = (middle: number): number[] => [0, 1, -1, 2, -2, 3].map((d) => middle * (1 + d / 500));

describe('compare', () => {
  test('slower, faster, and the same', () => {
    const verdict = (a: number[], b: number[]) => compareRuns(file(a), file(b), OPTIONS).rows[0];
    expect(verdict(about(10), about(12))).toMatchObject({ verdict: 'slower' });
    expect(verdict(about(12), about(10))).toMatchObject({ verdict: 'faster' });
    expect(verdict(about(10), about(10.1))).toMatchObject({ verdict: 'same' }); // below the threshold
    expect(verdict([10, 20, 5], [11, 21, 6])).toMatchObject({ verdict: 'same' }); // chance
    expect(verdict(about(10), about(12)).ratio.ratio).toBeCloseTo(1.2, 2);
  });

  test('nothing in common, and files of another kind', () => {
    expect(() => compareRuns(file([1]), file([1], 'other'), OPTIONS)).toThrow('nothing in common');
    expect(() => fromGoogle(parseJson('{"a": 1}'), 'a.json')).toThrow('no file of benchmark results');
    expect(() => fromGoogle(parseJson('{"benchmarks": []}'), 'a.json')).toThrow('holds no measurement');
  });
});

describe('the command', () => {
  test('measures, writes both files, and compares them', async () => {
    const html = at('report.html');
    const args = ['bench', 'softmax', 'matmul', '--shape', '8x8x8'];
    expect((await cli([...args, ...settings])).err).toContain('does not fit softmax');
    const run = await cli(['bench', 'matmul', '--shape', '8x8x8', ...settings, '--json', at('a.json'), '--html', html]);
    expect([/error/.test(run.err), run.code]).toEqual([false, 0]);
    expect(run.out).toMatch(/matmul +8x8x8 +forward +js +\S+ us/);
    expect(run.out).toMatch(/matmul +8x8x8 +backward +js/);
    const { benchmarks, context } = JSON.parse(readFileSync(at('a.json'), 'utf8'));
    expect(context).toMatchObject({ json_schema_version: 1, executable: 'bertgrad bench' });
    const names = benchmarks.map((b: { name: string }) => b.name);
    expect(names).toContain('js/matmul/8x8x8/forward_median');
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('matmul/8x8x8/forward');
    expect(page.replace(/<script>[\s\S]*?<\/script>/, '')).not.toMatch(/NaN|undefined|<(link|img|iframe)/);
    const same = await cli(['bench', 'compare', at('a.json'), at('a.json'), '--page', at('compare.html')]);
    expect(same.out).toContain('0 faster, 0 slower, 2 the same');
    expect(readFileSync(at('compare.html'), 'utf8')).toContain('js/matmul/8x8x8/backward');
  }, 120_000);

  test('a kernel that became slower ends with 1', async () => {
    const rows = (us: number) => about(us).map((real_time) => ({ name: 'k', real_time, time_unit: 'us' }));
    writeFileSync(at('before.json'), JSON.stringify({ context: {}, benchmarks: rows(10) }));
    writeFileSync(at('after.json'), JSON.stringify({ context: {}, benchmarks: rows(13) }));
    process.exitCode = undefined;
    const { out } = await cli(['bench', 'compare', at('before.json'), at('after.json')]);
    expect([out.includes('1 slower'), process.exitCode]).toEqual([true, 1]);
    process.exitCode = undefined;
  });

  test.each([
    ['an op that is not there', ['sofmax'], 2, 'softmax'],
    ['a peer that is not there', ['softmax', '--peers', 'numpy'], 2, 'torch'],
    ['a model that is not there', ['softmax', '--model', 'huge'], 78, 'base'],
    ['settings of the addon without the addon', ['softmax', '--backend', 'js', '--isa', 'avx2'], 2, 'native alone'],
    ['no number of threads', ['softmax', '--backend', 'native', '--threads', 'two'], 2, 'whole number'],
    ['a backend that is not there', ['softmax', '--backend', 'tpu'], 2, 'native'],
  ])('%s', async (_, args, code, word) => {
    const ended = await cli(['bench', ...args, ...(args.includes('--backend') ? [] : settings)]);
    expect([ended.code, ended.out]).toEqual([code, ended.out.startsWith('roofs') ? ended.out : '']);
    expect(ended.err).toContain(word);
  });
});

describe('whole models', () => {
  test('run in processes of their own, and get into the file', async () => {
    const args = ['bench', 'models', '--infer', 'tiny', '--batch', '1', '--seq', '8', '--backend', 'js'];
    const run = await cli([
      ...args,
      '--rounds',
      '1',
      '--seconds',
      '0.01',
      '--json',
      at('m.json'),
      '--peers',
      'js-pytorch',
    ]);
    expect([/error/.test(run.err), run.code]).toEqual([false, 0]);
    expect(run.out).toMatch(/tiny +1 x 8 +inference +js/);
    expect(run.out).toContain('js-pytorch: not run: has kernels here, and no whole model');
    const { benchmarks } = JSON.parse(readFileSync(at('m.json'), 'utf8'));
    const median = benchmarks.find((b: { name: string }) => b.name === 'js/infer/tiny/1x8_median');
    expect(median.items_per_second).toBeCloseTo(8e9 / median.real_time, 6);
    expect(median.max_bytes_used).toBeGreaterThan(1e7);
  }, 120_000);

  test('one that is not there', async () => {
    const { err, code } = await cli(['bench', 'models', '--step', 'huge', '--backend', 'js']);
    expect([code, err.includes('no model is called "huge"')]).toEqual([2, true]);
  });
});

test('a training step is shared out among its kernels, to the last millisecond', async () => {
  const backend = createJsBackend('f32');
  const profile = await profileStep(backend, 'tiny', 1, 8, 50);
  if (profile === null) throw new Error('js times its kernels');
  const shares = profile.totals.reduce((sum, { ms }) => sum + ms, 0) + profile.notInKernels;
  expect(shares).toBeCloseTo(profile.wall, 6);
  expect(profile.totals.map(({ kernel }) => kernel)).toContain('matmul');
  const html = sharesPlot(profile);
  expect(html).toContain('not in kernels');
  expect(html).not.toMatch(/NaN|undefined/);
}, 120_000);

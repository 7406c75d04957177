// The page in headless Chromium: conformance and a pre-training in each mode that a browser has.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import * as library from '../../src/index.js';
import { OPS } from '../../src/ops/index.js';
import { describeIf } from '../skip.js';
import { lossBounds } from '../train/agreement.js';
import { findChromium, launch, open } from './chromium.js';
import type { ModeResult } from './page/main.js';
import { TOY, type ToyStep, toyTrainer, trainToy } from './page/toy.js';
import { openSite, type Site } from './site.mjs';

const MODES = ['js', 'webgpu', 'webgl2'] as const;
const SAMPLES = OPS.reduce((sum, op) => sum + op.samples.length, 0);
const rows = (steps: readonly ToyStep[]): number[][] => steps.map(({ mlm, sentence }) => [mlm, sentence]);

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

test('the library for a page is made of nothing that needs Node', () => {
  const foreign = site.inputs.filter((path) => /^src\/(io|cli)\/|backend\/native\/(?!absent)|^node:/.test(path));
  expect(foreign).toEqual([]);
  const text = readFileSync(`${site.folder}/bertgrad.js`, 'utf8');
  expect(text.match(/(?:from|import|require)\s*\(?\s*["']node:[^"']*["']/g)).toBeNull();
});

describeIf(
  findChromium() !== undefined,
  'browser',
  'there is no Chromium; on Debian: apt-get install chromium',
)('Chromium', () => {
  let browser: Browser;
  let results: ModeResult[] = [];
  let errors: string[] = [];
  beforeAll(async () => {
    browser = await launch();
    const opened = await open(browser, site.url);
    errors = opened.errors;
    results = await opened.page.evaluate(() => Reflect.get(globalThis, 'finished') as Promise<ModeResult[]>);
    const folder = process.env.BG_SCREENSHOTS;
    if (folder !== undefined) await opened.page.screenshot({ path: `${folder}/conformance.png`, fullPage: true });
  }, 600_000);
  afterAll(() => browser?.close());
  const of = (mode: string): ModeResult => {
    const found = results.find((result) => result.mode === mode);
    if (found === undefined) throw new Error(`the page did not run ${mode}`);
    return found;
  };

  test('nothing went wrong besides', () => expect(errors).toEqual([]));

  test.each(MODES)('%s: every op, every sample', (mode) => {
    const { ops, runsOn, absent } = of(mode);
    const passed = ops.reduce((sum, op) => sum + op.passed, 0);
    process.stderr.write(`Chromium, ${mode}: ${passed} of ${SAMPLES} samples, on ${runsOn}\n`);
    expect(absent).toBeNull();
    expect(ops.flatMap(({ op, failures }) => failures.map((failure) => `${op}, ${failure}`))).toEqual([]);
    expect(passed).toBe(SAMPLES);
  });

  test.each(['webgpu', 'webgl2'])('%s: an id beyond its table is refused', (mode) => {
    expect(of(mode).refused).toBe('gpu: id 9 at position 1, but there are 2 rows');
  });

  test.each(MODES)('%s: long launches in parts, and other blocks of products, give the same bits', (mode) => {
    expect(of(mode).otherBits).toBeNull();
  });

  describe('a pre-training of 50 steps in the tab', () => {
    const text = readFileSync('examples/en/corpus.txt', 'utf8').slice(0, TOY.characters);
    let bounds: number[][];
    let golden: number[][];
    beforeAll(async () => {
      const inDoubles = async (change: (trainer: library.Trainer) => void): Promise<number[][]> => {
        const trainer = toyTrainer(library, text, library.createJsBackend('f64'));
        change(trainer);
        return rows(await trainToy(trainer));
      };
      bounds = (await lossBounds(inDoubles)).bounds;
      golden = rows(await trainToy(toyTrainer(library, text, library.selectBackend('auto').backend)));
    }, 600_000);

    test.each(MODES)('%s: loses as Node does', (mode) => {
      const losses = rows(of(mode).losses);
      expect(losses.length).toBe(TOY.steps);
      const shares = losses.flatMap((row, i) => row.map((loss, j) => Math.abs(loss - golden[i][j]) / bounds[i][j]));
      const worst = Math.max(...shares);
      process.stderr.write(`Chromium, ${mode}: 50 losses within ${worst.toPrecision(2)} of their bounds\n`);
      expect(worst).toBeLessThanOrEqual(1);
    });
  });
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createJsBackend } from '../../src/backend/js/index.js';
import { useBackend } from '../../src/backend/select.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { Vocab } from '../../src/data/vocab.js';
import { renderFourSteps } from '../../src/train/four-steps/report.js';
import {
  ARMS,
  type ArmResult,
  claimsOf,
  type FourStepsPlan,
  type FourStepsResults,
} from '../../src/train/four-steps/results.js';
import { fourSteps } from '../../src/train/four-steps.js';
import { testFolder } from '../io/folder.js';
import { sentimentTsv, VOCAB } from './tasks/model.js';

const folder = testFolder();
const arm = (name: ArmResult['arm'], ...macroF1: number[]): ArmResult => ({
  ...{ arm: name, limit: 200, macroF1, accuracy: macroF1, seconds: 1 },
});

test('a claim holds when the mean difference is above two standard errors, seed by seed', () => {
  const claims = claimsOf([
    arm('random', 0.1, 0.2, 0.3),
    arm('general', 0.2, 0.3, 0.4),
    arm('dapt', 0.1, 0.5, 0.4),
    arm('longer', 0.1, 0.5, 0.4),
  ]);
  expect(claims.map(({ better, than, supported }) => [better, than, supported])).toEqual([
    ['general', 'random', true],
    ['dapt', 'general', false],
    ['dapt', 'longer', false],
  ]);
  expect(claims[0].difference.mean).toBeCloseTo(0.1, 12);
});

test('the page shows every arm, every baseline and what does not hold', () => {
  const arms = ARMS.map((name, i) => arm(name, 0.2 + i / 10, 0.25 + i / 10, 0.22 + i / 10));
  const results: FourStepsResults = {
    plan: {
      ...{ general: ['g'], domain: ['d'], train: 't', dev: '<dev>', columns: {}, layers: 2, maxSeq: 64, batch: 32 },
      ...{ steps: { general: 1, domain: 1, task: 1 }, limits: [200], seeds: 3, epochs: 1, lr: 1e-3 },
    },
    labels: ['a', 'b'],
    dev: 10,
    losses: { general: { general: 5.5, domain: 6.25, task: 6 } },
    arms,
    baselines: [
      { name: 'majority', limit: 200, macroF1: 0.1, accuracy: 0.5 },
      { name: 'bag of words', limit: 200, macroF1: 0.4567, accuracy: 0.6 },
    ],
    claims: claimsOf(arms),
    leaked: 1,
    seconds: { 'pre-training': 90 },
  };
  const html = renderFourSteps(results, 'Four <steps>');
  for (const part of ['+ DAPT + TAPT', '0.457', '1 of 10 dev texts', '1.5 min', 'supported', '&lt;dev&gt;', '6.25'])
    expect(html).toContain(part);
  const main = html.slice(html.indexOf('<main>'), html.indexOf('</main>'));
  expect(main).not.toContain('<dev>');
  expect(main).not.toMatch(/NaN|undefined/);
  expect(main).toContain('<button');
});

test('all of it, from corpora to results; what is done is not done again', async () => {
  useBackend(createJsBackend('f32'));

  const at = (name: string): string => join(folder, name);
  const document = (i: number): string => `the film was good ${i % 2 === 0 ? '.' : '?'}\nann lives in paris .\n`;
  writeFileSync(at('general.txt'), Array.from({ length: 20 }, (_, i) => document(i)).join('\n'));
  writeFileSync(at('domain.txt'), 'a book was very poor .\nbob lives in london .\n\n'.repeat(20));
  writeFileSync(at('train.tsv'), sentimentTsv(24));
  const tokenizer = new Tokenizer(new Vocab(VOCAB), { lowercase: true });
  const plan: FourStepsPlan = {
    ...{ general: [at('general.txt')], domain: [at('domain.txt')], train: at('train.tsv'), dev: at('train.tsv') },
    ...{ columns: {}, layers: 1, maxSeq: 24, batch: 4, steps: { general: 4, domain: 2, task: 2 } },
    ...{ limits: [16], seeds: 2, epochs: 1, lr: 1e-3 },
  };
  const said: string[] = [];
  const stop = new AbortController().signal;
  const nothing = (): undefined => undefined;
  const reporter = {
    ...{
      start: nothing,
      step: nothing,
      evaluated: nothing,
      samples: nothing,
      remark: nothing,
      saved: nothing,
      end: nothing,
    },
  };
  const around = {
    surroundings: () => ({ reporter, warn: nothing, stop, saveRequested: () => false }),
    finetuning: { prepared: nothing, point: nothing, step: nothing, warn: nothing, stop },
    say: (text: string) => void said.push(text),
  };
  const results = await fourSteps(at('out'), plan, tokenizer, around);
  expect(results.arms.map(({ arm: name, macroF1 }) => [name, macroF1.length])).toEqual(ARMS.map((name) => [name, 2]));
  expect(Object.keys(results.losses)).toEqual(ARMS.slice(1));
  expect(results.claims).toHaveLength(6);
  expect(results.leaked).toBeGreaterThan(0); // 'the film was good .' stands in both
  expect(said).toHaveLength(11);
  said.length = 0;
  expect((await fourSteps(at('out'), plan, tokenizer, around)).arms).toEqual(results.arms);
  expect(said).toEqual([]);
}, 600_000);

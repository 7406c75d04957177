// Adaptation goes on from the weights of a model, and a vocabulary may grow.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { createJsBackend } from '../../src/backend/js/index.js';
import { useBackend } from '../../src/backend/select.js';
import { readSafetensors } from '../../src/io/safetensors.js';
import { type AdaptAround, type AdaptRequest, adapt } from '../../src/train/adapt.js';
import { loadModel } from '../../src/train/model-folder.js';
import type { PretrainOptions } from '../../src/train/options.js';
import { testFolder } from '../io/folder.js';
import { sentimentTsv, writeModel } from './tasks/model.js';

const folder = testFolder();
const at = (name: string): string => join(folder, name);

const options: PretrainOptions = {
  data: { sentenceTask: 'none', heldOut: 0.1 },
  steps: 3,
  batch: 4,
  accumulate: 1,
  maxSeq: 16,
  firstPart: null,
  lr: 1e-3,
  warmupSteps: 1,
  schedule: 'linear',
  optimizer: 'standard',
  weightDecay: 0,
  clip: 1,
  seed: 0,
  packing: 'packed',
  precision: 'f32',
  biasInit: 'zero',
};

const nothing = (): undefined => undefined;
const around = (): AdaptAround & { readonly words: string[] } => {
  const words: string[] = [];
  return {
    words,
    reporter: {
      start: nothing,
      step: nothing,
      evaluated: nothing,
      samples: nothing,
      remark: nothing,
      saved: nothing,
      end: nothing,
    },
    warn: nothing,
    stop: new AbortController().signal,
    saveRequested: () => false,
    prepared: (about) => words.push(...about.words.map(({ word }) => word)),
  };
};

const request = (name: string, changes: Partial<AdaptRequest>): AdaptRequest => ({
  base: at('base'),
  source: { corpus: [at('domain.txt')], column: 'text' },
  folder: at(name),
  addWords: 0,
  optionsFor: () => options,
  intervalsFor: () => ({ evalEvery: 3, sampleEvery: 3, saveEvery: 3 }),
  maxSeconds: Number.POSITIVE_INFINITY,
  ...changes,
});

beforeAll(async () => {
  useBackend(createJsBackend('f32'));
  await writeModel(at('base'));
  const document = 'the goods was very poor .\nbooks is good .\n';
  writeFileSync(at('domain.txt'), Array.from({ length: 12 }, () => document).join('\n'));
  writeFileSync(at('train.tsv'), sentimentTsv(30));
});

test('goes on from the weights of the base', async () => {
  const still = { ...options, lr: 1e-12 };
  const end = await adapt(request('still', { optionsFor: () => still }), around());
  expect([end.reason, end.step]).toEqual(['done', 3]);
  const [before, after] = [await readSafetensors(join(at('base'), 'model.safetensors')), await loadModel(at('still'))];
  for (const [name, parameter] of after.model.namedParameters()) {
    if (!name.endsWith('query.weight')) continue;
    const data = await parameter.data();
    const stored = before.tensors.get(
      name.replace('encoder.layers', 'encoder.layer').replace('attention.query', 'attention.self.query'),
    );
    expect(stored?.data.every((x: number, i: number) => Math.abs(x - data[i]) < 1e-6)).toBe(true);
  }
  after.model.dispose();
});

test('the text of a task: an example a document, labels left out', async () => {
  await adapt(request('task', { source: { task: at('train.tsv'), kind: 'classify', columns: {} } }), around());
  const text = readFileSync(join(at('task.data'), 'task.txt'), 'utf8');
  expect(text.split('\n\n')).toHaveLength(30);
  expect(text).not.toMatch(/\bpos\b|\bneg\b/);
});

test('words are added, each as the mean of its pieces', async () => {
  const told = around();
  const still = { ...options, lr: 1e-12 };
  await adapt(request('words', { addWords: 5, optionsFor: () => still }), told);
  expect(told.words).toEqual(['books', 'goods']);
  const before = await loadModel(at('base'));
  const { model, tokenizer } = await loadModel(at('words'));
  const size = before.tokenizer.vocab.size;
  expect([model.config.vocabSize, tokenizer.vocab.id('books')]).toEqual([size + 2, size]);
  const [old, table] = [
    await before.model.bert.embeddings.word.weight.data(),
    await model.bert.embeddings.word.weight.data(),
  ];
  const width = model.config.hiddenSize;
  const [book, s] = ['book', '##s'].map((token) => before.tokenizer.vocab.id(token) ?? 0);
  for (let i = 0; i < width; i++) {
    expect(table[size * width + i]).toBeCloseTo((old[book * width + i] + old[s * width + i]) / 2, 5);
  }
  for (const loaded of [before.model, model]) loaded.dispose();
});

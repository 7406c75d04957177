import { cpSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { writeCheckpoint } from '../../src/io/checkpoint.js';
import { loadModelFolder } from '../../src/io/model-folder.js';
import { writeSafetensors } from '../../src/io/safetensors.js';
import { content } from './checkpoints.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();
const run = join(folder, 'run');
const model = join(folder, 'model');
const step = (n: number): string => join(run, 'checkpoints', `step-${n}`);

beforeEach(async () => {
  for (const path of [run, model]) rmSync(path, { recursive: true, force: true });
  await writeCheckpoint(run, content(10), { best: true });
  await writeCheckpoint(run, content(20));
  mkdirSync(model);
  for (const name of ['config.json', 'vocab.txt', 'model.safetensors']) {
    cpSync(join(step(20), name), join(model, name));
  }
});

describe('finds', () => {
  test('the best checkpoint of a run, else the last, else the newest', async () => {
    expect((await loadModelFolder(run)).folder).toBe(step(10));
    rmSync(join(run, 'checkpoints', 'best'));
    expect((await loadModelFolder(run)).folder).toBe(step(20));
    rmSync(join(run, 'checkpoints', 'last'));
    const found = await loadModelFolder(run);
    expect(found.folder).toBe(step(20));
    expect([found.config, found.vocab]).toEqual([content(20).config, content(20).vocab]);
    expect(found.weights.get('bert.b')?.data).toEqual(content(20).weights.get('bert.b')?.data);
    expect(found.tokenizerConfig).toEqual({ do_lower_case: true });
  });

  test('a checkpoint, and a plain model folder', async () => {
    expect((await loadModelFolder(step(10))).weights.size).toBe(2);
    const plain = await loadModelFolder(model);
    expect([plain.weights.size, plain.tokenizerConfig, plain.skipped.size]).toEqual([2, null, 0]);
  });

  test('the parts of a model in several files', async () => {
    renameSync(join(model, 'model.safetensors'), join(model, 'model-1.safetensors'));
    await writeSafetensors(join(model, 'model-2.safetensors'), new Map([['c', { shape: [], data: Int32Array.of(1) }]]));
    const map = { 'bert.w': 'model-1.safetensors', 'bert.b': 'model-1.safetensors', c: 'model-2.safetensors' };
    writeFileSync(join(model, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
    expect([...(await loadModelFolder(model)).weights.keys()]).toEqual(['bert.w', 'bert.b', 'c']);
    rmSync(join(model, 'model-2.safetensors'));
    expect(await failure(loadModelFolder(model))).toMatchObject({ code: 'MODEL-MISSING', exitCode: 66 });
  });
});

describe('refuses', () => {
  test('an index that names a file elsewhere', async () => {
    rmSync(join(model, 'model.safetensors'));
    for (const name of ['../run/x.safetensors', '/etc/passwd', '.safetensors', 'a/b.safetensors', 7]) {
      const index = { weight_map: { a: name } };
      writeFileSync(join(model, 'model.safetensors.index.json'), JSON.stringify(index));
      expect(await failure(loadModelFolder(model))).toMatchObject({ code: 'MODEL-INDEX', exitCode: 65 });
    }
  });

  test('a damaged checkpoint', async () => {
    truncateSync(join(step(10), 'vocab.txt'), 1);
    expect(await failure(loadModelFolder(run))).toMatchObject({ code: 'CHECKPOINT-DAMAGED', exitCode: 65 });
  });

  test('weights that are not finite, by name', async () => {
    const weights = new Map([['bert.w', { shape: [3], data: Float32Array.of(0, 1, Number.NaN) }]]);
    await writeSafetensors(join(model, 'model.safetensors'), weights);
    const error = await failure(loadModelFolder(model));
    expect(error).toMatchObject({ code: 'MODEL-NOT-FINITE', exitCode: 65 });
    expect(error.message).toContain('"bert.w" holds NaN at element 2');
  });

  test('weights of Keras, with the way to convert them', async () => {
    renameSync(join(model, 'model.safetensors'), join(model, 'tf_model.h5'));
    const error = await failure(loadModelFolder(model));
    expect(error).toMatchObject({ code: 'MODEL-FORMAT', exitCode: 65 });
    expect(error.fix).toContain('save_pretrained');
  });

  test('safetensors that somebody named like a pickle', async () => {
    renameSync(join(model, 'model.safetensors'), join(model, 'pytorch_model.bin'));
    expect(await failure(loadModelFolder(model))).toMatchObject({ code: 'MODEL-TORCH', exitCode: 65 });
  });

  test.each(['config.json', 'vocab.txt', 'model.safetensors'])('a folder without %s', async (name) => {
    rmSync(join(model, name));
    const error = await failure(loadModelFolder(model));
    expect(error).toMatchObject({ code: 'MODEL-MISSING', exitCode: 66 });
    expect(error.message).toContain(`${name} is missing`);
  });

  test('nothing, a file, a run that has not saved yet', async () => {
    const code = { code: 'MODEL-MISSING', exitCode: 66 };
    expect(await failure(loadModelFolder('bert-base-chinese'))).toMatchObject(code);
    expect(await failure(loadModelFolder(join(model, 'vocab.txt')))).toMatchObject(code);
    rmSync(join(run, 'checkpoints'), { recursive: true });
    mkdirSync(join(run, 'checkpoints'));
    expect((await failure(loadModelFolder(run))).message).toContain('no checkpoint yet');
  });
});

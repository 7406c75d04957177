// What leaves: folders for transformers and ONNX for onnxruntime. test/golden/exported.py had Python read them and wrote
// down what it found, with the hashes of what it read; test/golden/finetuned.py, what it found of models just trained.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { loadAny } from '../../src/train/any-model.js';
import { loadModel } from '../../src/train/model-folder.js';
import { weightsOf } from '../../src/train/weights.js';
import { cli } from '../cli/capture.js';
import { testFolder } from '../io/folder.js';
import { describeIf } from '../skip.js';
import { answerOf, batch, copyOf, largestDifference, outputs } from './folders.js';

interface Outcome {
  readonly transformers: number;
  readonly onnxruntime: number;
  readonly sha256: Readonly<Record<string, string>>;
}
const exported: { results: Readonly<Record<string, Outcome>> } = JSON.parse(
  readFileSync(new URL('../golden/exported.json', import.meta.url), 'utf8'),
);
const NAMES = Object.keys(exported.results);
const folder = testFolder();

async function exportTo(form: 'hf' | 'onnx', name: string): Promise<string> {
  const out = join(folder, `${name}-${form}`);
  const { code, err } = await cli(['export', copyOf(name, folder), '-o', out, '--to', form, '--overwrite']);
  expect([code, err.includes('warning[')]).toEqual([0, false]);
  return out;
}

describe('Python read just these files, and they answered as the originals', () => {
  test.each(NAMES)('%s', async (name) => {
    const { transformers, onnxruntime, sha256 } = exported.results[name];
    expect(transformers).toBeLessThan(1e-6);
    expect(onnxruntime).toBeLessThan(1e-4);
    const [hf, onnx] = [await exportTo('hf', name), await exportTo('onnx', name)];
    for (const [file, want] of Object.entries(sha256)) {
      const bytes = readFileSync(join(file.startsWith('onnx') ? onnx : hf, file));
      expect([file, createHash('sha256').update(bytes).digest('hex')]).toEqual([file, want]);
    }
    const [again, first] = [await loadAny(hf), await loadAny(join(folder, name))];
    expect([again.architecture, again.missing, again.unused, again.unknownKeys]).toEqual([
      first.architecture,
      [],
      [],
      [],
    ]);
    expect(await weightsOf(again.model)).toEqual(await weightsOf(first.model));
    for (const { model } of [again, first]) model.dispose();
  });
});

test('what the command line had just trained: transformers answered as `predict` did, onnxruntime as transformers', () => {
  const text = readFileSync(new URL('../golden/finetuned.json', import.meta.url), 'utf8');
  const { results }: { results: Readonly<Record<string, Omit<Outcome, 'sha256'>>> } = JSON.parse(text);
  expect(Object.keys(results)).toEqual(['classify', 'pair', 'regress', 'tag', 'qa', 'choice']);
  for (const { transformers, onnxruntime } of Object.values(results)) {
    expect(transformers).toBeLessThan(1e-6);
    expect(onnxruntime).toBeLessThan(1e-4);
  }
});

/** What is used of onnxruntime-node. */
interface Runtime {
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => object;
  readonly InferenceSession: { create(path: string): Promise<Session> };
}
interface Session {
  readonly outputNames: readonly string[];
  run(
    feeds: Readonly<Record<string, object>>,
  ): Promise<Readonly<Record<string, { data: Float32Array; dims: number[] }>>>;
}

function runtime(): Runtime | null {
  try {
    return createRequire(import.meta.url)('onnxruntime-node') as Runtime;
  } catch {
    return null;
  }
}
const ort = runtime();

describeIf(
  ort !== null,
  'onnxruntime',
  'onnxruntime-node does not load',
)('onnxruntime-node answers as transformers', () => {
  const { Tensor, InferenceSession } = ort as Runtime;
  const grid = (values: ArrayLike<number>, dims: readonly number[]): object =>
    new Tensor('int64', BigInt64Array.from(Array.from(values), BigInt), dims);
  const mask = outputs.ids.flatMap((row) => row.map((id) => Number(id !== 0)));

  test.each(NAMES)('%s, and takes other sizes', async (name) => {
    const session = await InferenceSession.create(join(await exportTo('onnx', name), 'onnx/model.onnx'));
    const dims = name === 'BertForMultipleChoice' ? [1, batch.batch, batch.seq] : [batch.batch, batch.seq];
    const feeds = {
      input_ids: grid(batch.inputIds, dims),
      attention_mask: grid(mask, dims),
      token_type_ids: grid(batch.tokenTypeIds, dims),
    };
    const found = await session.run(feeds);
    for (const output of session.outputNames) {
      const want = answerOf(name, output);
      expect(found[output].dims).toEqual(want.shape);
      expect(largestDifference(found[output].data, want)).toBeLessThan(1e-4);
    }
    const small = name === 'BertForMultipleChoice' ? [2, 2, 3] : [4, 3];
    const size = small.reduce((n, d) => n * d, 1);
    const ones = grid(new Int32Array(size).fill(1), small);
    const again = await session.run({
      input_ids: ones,
      attention_mask: ones,
      token_type_ids: grid(new Int32Array(size), small),
    });
    expect(again[session.outputNames[0]].dims[0]).toBe(small[0]);
  });
});

describe('the commands', () => {
  test('import: a checkpoint of google becomes a folder of today', async () => {
    const out = join(folder, 'imported');
    const { code, err, out: said } = await cli(['import', copyOf('google', folder), '-o', out]);
    expect([code, said]).toEqual([0, `${out}: BertForPreTraining, 12.9 kB of weights\n`]);
    expect(err).toContain('bert/pooler/dense/kernel/adam_m, global_step');
    const [ours, first] = [await loadModel(out), await loadModel(copyOf('BertForPreTraining', folder))];
    expect(await weightsOf(ours.model)).toEqual(await weightsOf(first.model));
    expect(ours.model.config).toEqual({ ...first.model.config, hiddenAct: 'gelu_new' });
    for (const { model } of [ours, first]) model.dispose();
  });

  test('a folder that holds something is left alone', async () => {
    const out = join(folder, 'full');
    mkdirSync(out);
    writeFileSync(join(out, 'note.txt'), 'mine');
    const { code, err } = await cli(['export', copyOf('BertModel', folder), '-o', out]);
    expect([code, err.includes('OUTPUT-EXISTS')]).toEqual([73, true]);
  });

  test('a model of sentence-transformers keeps its modules', async () => {
    const source = copyOf('BertModel', join(folder, 'with-modules'));
    mkdirSync(join(source, '1_Pooling'));
    const kinds = [
      ['Transformer', ''],
      ['Pooling', '1_Pooling'],
    ];
    const modules = kinds.map(([kind, path], i) => ({
      idx: i,
      name: `${i}`,
      path,
      type: `sentence_transformers.models.${kind}`,
    }));
    writeFileSync(join(source, 'modules.json'), JSON.stringify(modules));
    writeFileSync(join(source, '1_Pooling/config.json'), '{"pooling_mode_cls_token": true}');
    const out = join(folder, 'modules-out');
    expect((await cli(['export', source, '-o', out])).code).toBe(0);
    const [before, after] = [await cli(['embed', source, 'the cat']), await cli(['embed', out, 'the cat'])];
    expect(after).toEqual(before);
    const onnx = join(folder, 'modules-onnx');
    expect((await cli(['export', source, '-o', onnx, '--to', 'onnx'])).code).toBe(0);
    const names = ['modules.json', '1_Pooling/config.json', 'onnx/model.onnx'];
    expect(names.filter((name) => !existsSync(join(onnx, name)))).toEqual([]);
  });
});

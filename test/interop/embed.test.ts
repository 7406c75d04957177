// Vectors of texts: the ways to pool, modules.json, the commands. The model is a tiny one of test/golden/interop.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { writeSafetensors } from '../../src/io/safetensors.js';
import { readSentenceModules } from '../../src/io/sentence-modules.js';
import { applyDense, cosine, poolRows, toUnit } from '../../src/train/pool.js';
import { TextEmbedder } from '../../src/train/text-embedder.js';
import { cli } from '../cli/capture.js';
import { failure, testFolder } from '../io/folder.js';
import { copyOf } from './folders.js';

const folder = testFolder();
const TEXTS = ['the cat sat', 'a dog ran, the cats sat.', '中文', 'é', 'the'];
let model = '';
beforeAll(() => {
  model = copyOf('BertModel', folder);
});

describe('pooling', () => {
  const rows = { values: [9, 9, 1, -2, 3, 4, 5, -9], width: 2, start: 1, end: 4 };
  test.each([
    ['mean', [3, -7 / 3]],
    ['cls', [1, -2]],
    ['max', [5, 4]],
    ['mean_sqrt_len_tokens', [9 / Math.sqrt(3), -7 / Math.sqrt(3)]],
    ['weightedmean', [(1 + 6 + 15) / 6, (-2 + 8 - 27) / 6]],
    ['lasttoken', [5, -9]],
  ] as const)('%s', (way, want) => {
    const got = poolRows(rows, [way]);
    for (const [i, value] of want.entries()) expect(got[i]).toBeCloseTo(value, 14);
  });

  test('several end to end, a layer behind, and length 1', () => {
    expect([...poolRows(rows, ['cls', 'max'])]).toEqual([1, -2, 5, 4]);
    const weight = { shape: [1, 2], data: Float32Array.of(2, 1) };
    const bias = { shape: [1], data: Float32Array.of(0.5) };
    expect(applyDense(Float64Array.of(1, 3), { weight, bias, activation: 'tanh' })[0]).toBeCloseTo(Math.tanh(5.5), 15);
    expect([...toUnit(Float64Array.of(3, 4))]).toEqual([0.6, 0.8]);
    expect([...toUnit(Float64Array.of(0, 0))]).toEqual([0, 0]);
    expect([cosine([1, 0], [0, 2]), cosine([1, 1], [2, 2]), cosine([0, 0], [1, 1])]).toEqual([0, 1, 0]);
  });
});

describe('a model', () => {
  test('gives a text the same vector alone, in a batch, and in a stream', async () => {
    const embedder = await TextEmbedder.load(model, { tokensPerBatch: 10 });
    const together = await embedder.embed(TEXTS);
    const streamed: string[] = [];
    for await (const [text, { vector }] of embedder.stream(TEXTS, (text) => text, 2)) {
      streamed.push(text);
      expect(vector).toEqual(together[TEXTS.indexOf(text)].vector);
      expect((await embedder.embed([text]))[0].vector).toEqual(vector);
    }
    expect(streamed).toEqual(TEXTS);
    expect(embedder.width).toBe(12);
    embedder.dispose();
  });

  test('cuts what is too long, and says how much', async () => {
    const embedder = await TextEmbedder.load(model, { maxSeq: 4 });
    const [whole, cut] = await embedder.embed(['the cat', 'the cat sat .']);
    expect([whole.tokens, whole.cut, cut.tokens, cut.cut]).toEqual([4, 0, 4, 2]);
    expect(cut.vector).toEqual(whole.vector);
    embedder.dispose();
    await expect(TextEmbedder.load(model, { maxSeq: 17 })).rejects.toThrow('16 positions');
  });

  test('follows modules.json: pooling, layers, length, prompt, limit', async () => {
    const path = copyOf('BertModel', join(folder, 'sentences'));
    const kinds = ['Transformer', 'Pooling', 'Dense', 'Normalize'];
    const type = (kind: string): string => `sentence_transformers.models.${kind}`;
    const modules = kinds.map((kind, i) => ({
      idx: i,
      name: `${i}`,
      path: i === 0 ? '' : `${i}_${kind}`,
      type: type(kind),
    }));
    writeFileSync(join(path, 'modules.json'), JSON.stringify(modules));
    for (const name of ['1_Pooling', '2_Dense', '3_Normalize']) mkdirSync(join(path, name));
    writeFileSync(join(path, 'sentence_bert_config.json'), '{"max_seq_length": 5, "do_lower_case": true}');
    writeFileSync(
      join(path, 'config_sentence_transformers.json'),
      '{"prompts": {"q": "the "}, "default_prompt_name": "q"}',
    );
    writeFileSync(
      join(path, '1_Pooling/config.json'),
      '{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}',
    );
    writeFileSync(join(path, '2_Dense/config.json'), '{"activation_function": "torch.nn.modules.linear.Identity"}');
    const weight = { shape: [3, 24], data: Float32Array.from({ length: 72 }, (_, i) => Math.sin(i)) };
    await writeSafetensors(join(path, '2_Dense/model.safetensors'), new Map([['linear.weight', weight]]));
    const embedder = await TextEmbedder.load(path);
    expect(embedder.modules).toMatchObject({
      pooling: ['cls', 'max'],
      normalize: true,
      maxSeqLength: 5,
      lowercase: true,
      prompt: 'the ',
    });
    const [{ vector, tokens }] = await embedder.embed(['CAT']);
    expect([vector.length, embedder.width, tokens]).toEqual([3, 3, 4]);
    expect(vector.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(1, 6);
    embedder.dispose();
    for (const [entry, what] of [
      [{ type: type('CNN'), path: '' }, 'kind CNN'],
      [{ type: type('Dense'), path: '../x' }, 'no folder of this model'],
      [3, 'without type'],
    ]) {
      writeFileSync(join(path, 'modules.json'), JSON.stringify([entry]));
      const error = await failure(readSentenceModules(path));
      expect([error.code, error.message.includes(String(what))]).toEqual(['MODEL-MODULES', true]);
    }
  });
});

describe('bertgrad embed', () => {
  test('texts of the command line, as JSON a line', async () => {
    const { code, out, err } = await cli(['embed', model, ...TEXTS]);
    expect([code, err]).toEqual([0, '']);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ text }) => text)).toEqual(TEXTS);
    const embedder = await TextEmbedder.load(model);
    const [{ vector }] = await embedder.embed(['é']);
    expect(Float32Array.from(lines[3].embedding)).toEqual(vector);
    embedder.dispose();
  });

  test('records go through with all their keys; a bad line ends it, or is told of and passed over', async () => {
    const input = [
      '{"id": 7, "body": "the cat"}\n',
      '{"id": 8}\nno json\n',
      '{"id": 9, "body": " "}\n{"id": 10, "body": "a"}\n',
    ];
    const kept = await cli(['embed', model, '--column', 'body', '--skip-bad'], input);
    const ids = kept.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id);
    expect([kept.code, ids]).toEqual([0, [7, 10]]);
    for (const line of [2, 3, 4]) expect(kept.err).toContain(`line ${line}`);
    const stopped = await cli(['embed', model, '--column', 'body'], input);
    expect([stopped.code, stopped.out]).toEqual([65, '']);
    expect(stopped.err).toContain('error[DATA-RECORD]');
    expect((await cli(['embed', model, '--max-seq', '3'], ['the cat\na\n'])).err).toContain(
      'warning[DATA-CUT]: the text of line 1 was cut, 1 tokens',
    );
  });
});

test('bertgrad search: the text itself comes first, whether vectors are stored or not', async () => {
  const plain = join(folder, 'texts.txt');
  const stored = join(folder, 'vectors.jsonl');
  writeFileSync(plain, `${TEXTS.join('\n')}\n`);
  writeFileSync(stored, (await cli(['embed', model, '--file', plain])).out);
  const found = [];
  for (const file of [plain, stored]) {
    const { code, out } = await cli(['search', model, '中文', file, '--top', '2', '--json']);
    expect(code).toBe(0);
    const matches = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(matches[0]).toEqual({ score: 1, line: 3, text: '中文' });
    found.push(matches);
  }
  expect(found[1]).toEqual(found[0]);
  expect((await cli(['search', model, '中文', plain])).out.split('\n')[0]).toBe(' 1.00       3  中文');
});

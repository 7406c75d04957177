// Every form in which weights come, read from files that transformers, torch and TensorFlow wrote.
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { OTHER_NAME } from '../../src/bert/names.js';
import { readSafetensors, type TensorData, writeSafetensors } from '../../src/io/safetensors.js';
import { readTensorflowCheckpoint } from '../../src/io/tf-checkpoint.js';
import { readTorchFile } from '../../src/io/torch-file.js';
import { inference } from '../../src/nn/pass.js';
import { type LoadedModel, loadModel } from '../../src/train/model-folder.js';
import { weightsOf } from '../../src/train/weights.js';
import { failure, testFolder } from '../io/folder.js';
import { answerOf, copyOf, GOLDEN, inputs, largestDifference, tokenRows } from './folders.js';

const folder = testFolder();
/** Float32 sums of 20 terms of about 1: some units in the last place. */
const BOUND = 3e-6;
const HEADS = ['pooler.dense.weight', 'pooler.dense.bias'].map((name) => `bert.${name}`);
const SENTENCE = ['cls.seq_relationship.weight', 'cls.seq_relationship.bias'];

async function logitsOf({ model }: LoadedModel): Promise<ArrayLike<number>> {
  const [, [, input]] = inputs;
  const every = Int32Array.from({ length: input.rows }, (_, row) => row);
  return model.forward(input, every, inference()).mlmLogits.data();
}

const rewrite = async (
  path: string,
  change: (weights: Map<string, TensorData>) => Map<string, TensorData>,
): Promise<void> => {
  const file = join(path, 'model.safetensors');
  await writeSafetensors(file, change(new Map((await readSafetensors(file)).tensors)), { format: 'pt' });
};
const renamed = (change: (name: string) => string) => (weights: Map<string, TensorData>) =>
  new Map(Array.from(weights, ([name, tensor]): [string, TensorData] => [change(name), tensor]));

describe('masked words, as transformers answers', () => {
  test.each(['BertForMaskedLM', 'untied', 'float16', 'bfloat16'])('%s', async (name) => {
    const loaded = await loadModel(copyOf(name, folder));
    expect(loaded.missing).toEqual([...HEADS, ...SENTENCE]);
    expect(loaded.unused).toEqual([]);
    expect(largestDifference(await logitsOf(loaded), answerOf(name, 'logits'), tokenRows)).toBeLessThan(BOUND);
    loaded.model.dispose();
  });

  test.each(['shards', 'torch', 'torch-legacy'])('%s', async (name) => {
    const loaded = await loadModel(copyOf(name, folder));
    expect(largestDifference(await logitsOf(loaded), answerOf('BertForMaskedLM', 'logits'), tokenRows)).toBeLessThan(
      BOUND,
    );
    expect(loaded.unused).toEqual([]);
    loaded.model.dispose();
  });

  test.each([
    [
      'gamma and beta',
      (name: string) =>
        name.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta'),
    ],
    ['the encoder without its prefix', (name: string) => name.replace(/^bert\./, '')],
    ['the wrapping of DataParallel', (name: string) => `module.${name}`],
    ['the decoder in place of the word table', (name: string) => OTHER_NAME[name] ?? name],
  ])('%s', async (_name, change) => {
    const path = copyOf('BertForMaskedLM', folder);
    await rewrite(path, renamed(change));
    const loaded = await loadModel(path);
    expect(loaded.unused).toEqual([]);
    expect(largestDifference(await logitsOf(loaded), answerOf('BertForMaskedLM', 'logits'), tokenRows)).toBeLessThan(
      BOUND,
    );
    loaded.model.dispose();
  });
});

describe('nothing is dropped in silence', () => {
  test('a tensor nobody knows, and a tied decoder that differs from the word table', async () => {
    const path = copyOf('BertForMaskedLM', folder);
    const odd = { shape: [20, 12], data: new Float32Array(240) };
    await rewrite(path, (weights) =>
      weights.set('bert.adapter.weight', odd).set('cls.predictions.decoder.weight', odd),
    );
    const { unused, model } = await loadModel(path);
    expect(unused).toEqual(['bert.adapter.weight', 'cls.predictions.decoder.weight']);
    model.dispose();
  });

  test('positions as a buffer, and a decoder that repeats the table, say nothing new', async () => {
    const path = copyOf('BertForMaskedLM', folder);
    await rewrite(path, (weights) => {
      const table = weights.get('bert.embeddings.word_embeddings.weight') as TensorData;
      const positions = { shape: [1, 16], data: Int32Array.from({ length: 16 }, (_, i) => i) };
      return weights.set('cls.predictions.decoder.weight', table).set('bert.embeddings.position_ids', positions);
    });
    const { unused, model } = await loadModel(path);
    expect(unused).toEqual([]);
    model.dispose();
  });

  test('a layer that is missing, one of another shape, and two names for one tensor', async () => {
    const path = copyOf('BertForMaskedLM', folder);
    const key = 'bert.encoder.layer.1.attention.self.key.weight';
    await rewrite(path, (weights) => new Map([...weights].filter(([name]) => name !== key)));
    expect((await failure(loadModel(path))).message).toContain(`"${key}" is missing`);
    await rewrite(path, (weights) => weights.set(key, { shape: [12], data: new Float32Array(12) }));
    expect((await failure(loadModel(path))).message).toContain(`"${key}" is [12] instead of [12, 12]`);
    await rewrite(path, (weights) => weights.set(key.slice(5), { shape: [12], data: new Float32Array(12) }));
    expect((await failure(loadModel(path))).message).toContain('second tensor');
  });

  test('an index that promises a tensor which its file lacks', async () => {
    const path = copyOf('shards', folder);
    const file = join(path, 'model.safetensors.index.json');
    const index = JSON.parse(readFileSync(file, 'utf8'));
    index.weight_map['bert.extra'] = 'model-00001-of-00007.safetensors';
    writeFileSync(file, JSON.stringify(index));
    expect(await failure(loadModel(path))).toMatchObject({ code: 'MODEL-INDEX' });
  });

  test('keys of config.json that nobody knows are told of', async () => {
    const path = copyOf('BertForMaskedLM', folder);
    const file = join(path, 'config.json');
    const config = {
      ...JSON.parse(readFileSync(file, 'utf8')),
      adapter_size: 3,
      hidden_act: 'gelu_python',
      pad_token_id: null,
    };
    writeFileSync(file, JSON.stringify(config));
    const loaded = await loadModel(path);
    expect(loaded.unknownKeys).toEqual(['adapter_size']);
    expect([loaded.model.config.hiddenAct, loaded.model.config.padTokenId]).toEqual(['gelu', 0]);
    loaded.model.dispose();
  });
});

describe("google's checkpoint", () => {
  test('has the weights of the same model, and the tanh form of GELU', async () => {
    const [theirs, ours] = [
      await loadModel(copyOf('google', folder)),
      await loadModel(copyOf('BertForPreTraining', folder)),
    ];
    expect([theirs.missing, theirs.unused]).toEqual([[], []]);
    expect([...theirs.skipped.keys()]).toEqual(['bert/pooler/dense/kernel/adam_m', 'global_step']);
    expect(await weightsOf(theirs.model)).toEqual(await weightsOf(ours.model));
    expect([theirs.model.config.hiddenAct, ours.model.config.hiddenAct]).toEqual(['gelu_new', 'gelu']);
    theirs.model.dispose();
    ours.model.dispose();
  });

  test('with values changed, cut short, or absent', async () => {
    const path = copyOf('google', folder);
    const data = join(path, 'bert_model.ckpt.data-00000-of-00001');
    const bytes = readFileSync(data);
    const changed = Buffer.from(bytes);
    changed[100] ^= 1;
    writeFileSync(data, changed);
    expect((await failure(loadModel(path))).message).toContain('checksum');
    writeFileSync(data, bytes.subarray(0, 5000));
    expect(await failure(loadModel(path))).toMatchObject({ code: 'MODEL-TENSORFLOW', exitCode: 65 });
    rmSync(data);
    expect(await failure(loadModel(path))).toMatchObject({ code: 'SYSTEM-ENOENT', exitCode: 66 });
  });
});

describe('a pickle', () => {
  test.each(['torch', 'torch-legacy'])('%s: every tensor as torch has it, turned views included', async (name) => {
    const { tensors } = await readTorchFile(join(GOLDEN, name, 'pytorch_model.bin'));
    const want = (await readSafetensors(join(GOLDEN, 'torch', 'expected.safetensors'))).tensors;
    expect([...tensors.keys()].sort()).toEqual([...want.keys()].sort());
    for (const [key, tensor] of want) expect([key, tensors.get(key)]).toEqual([key, tensor]);
  });

  test('that would call something calls nothing', async () => {
    const path = join(folder, 'evil.bin');
    // cos\nsystem\n(X\x05\0\0\0touchtR. of protocol 2: os.system("touch")
    const evil = Buffer.from('\x80\x02cos\nsystem\nX\x05\x00\x00\x00touch\x85R.', 'latin1');
    writeFileSync(path, Buffer.concat([evil, evil]));
    expect(await failure(readTorchFile(path))).toMatchObject({ code: 'MODEL-TORCH', exitCode: 65 });
  });

  test.each(['torch', 'torch-legacy', 'google'])(
    '1,500 mutations of %s: read, or refused by an error of ours',
    async (name) => {
      const file = name === 'google' ? 'bert_model.ckpt.index' : 'pytorch_model.bin';
      const path = join(copyOf(name, folder), file);
      const read = name === 'google' ? readTensorflowCheckpoint : readTorchFile;
      const original = readFileSync(path);
      let state = 7;
      const below = (n: number): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * n);
      };
      const outcomes = { read: 0, refused: 0 };
      for (let i = 0; i < 1500; i++) {
        const bytes = Buffer.from(original);
        // Most of the file is values, where a change is no mistake: half of the mutations go to the structures.
        const near = below(2) === 0 ? bytes.length : Math.min(bytes.length, 6000);
        for (let k = below(3); k >= 0; k--)
          bytes[below(2) === 0 ? below(near) : bytes.length - 1 - below(near)] = below(256);
        writeFileSync(path, below(8) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes);
        try {
          await read(path);
          outcomes.read++;
        } catch (error) {
          if (!(error instanceof Error && 'exitCode' in error)) throw error;
          outcomes.refused++;
        }
      }
      expect(outcomes.refused).toBeGreaterThan(150);
    },
    120_000,
  );
});

describe('a tokenizer.json of BERT kind', () => {
  test('stands for vocab.txt and for the settings that tokenizer_config.json lacks', async () => {
    const path = copyOf('BertForMaskedLM', folder);
    const plain = await loadModel(path);
    const words = readFileSync(join(path, 'vocab.txt'), 'utf8').trimEnd().split('\n');
    const json = {
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: true,
        strip_accents: null,
        lowercase: false,
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      added_tokens: [{ id: 4, content: '[MASK]' }],
      model: {
        type: 'WordPiece',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(words.map((w, i) => [w, i])),
      },
    };
    renameSync(join(path, 'vocab.txt'), join(path, 'other.txt'));
    writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(json));
    const loaded = await loadModel(path);
    expect(loaded.tokenizer.vocab.hash).toBe(plain.tokenizer.vocab.hash);
    expect([loaded.tokenizer.lowercase, loaded.tokenizer.stripAccents]).toEqual([false, false]);
    for (const odd of [
      { model: { type: 'BPE', vocab: {} } },
      { ...json, normalizer: { type: 'NFC' } },
      { ...json, model: { ...json.model, vocab: { a: 1 } } },
    ]) {
      writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(odd));
      expect(await failure(loadModel(path))).toMatchObject({ code: 'DATA-TOKENIZER-JSON', exitCode: 65 });
    }
    loaded.model.dispose();
    plain.model.dispose();
  });
});

test('an untied model that was saved again has the same weights', async () => {
  const path = copyOf('untied', folder);
  const loaded = await loadModel(path);
  const weights = await weightsOf(loaded.model);
  await writeSafetensors(join(path, 'model.safetensors'), weights, { format: 'pt' });
  const again = await loadModel(path);
  expect([again.missing, again.unused]).toEqual([[], []]);
  expect(await weightsOf(again.model)).toEqual(weights);
  for (const { model } of [loaded, again]) model.dispose();
});

test('a model in a folder of sentence-transformers with the encoder below', async () => {
  const parent = copyOf('BertForMaskedLM', folder);
  const path = join(folder, 'sentences');
  rmSync(path, { recursive: true, force: true });
  cpSync(parent, join(path, '0_Transformer'), { recursive: true });
  const modules = [{ idx: 0, name: '0', path: '0_Transformer', type: 'sentence_transformers.models.Transformer' }];
  writeFileSync(join(path, 'modules.json'), JSON.stringify(modules));
  const loaded = await loadModel(path);
  expect(loaded.folder).toBe(join(path, '0_Transformer'));
  loaded.model.dispose();
  expect(readdirSync(path)).toContain('modules.json');
});

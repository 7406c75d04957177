import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { useBackend } from '../../src/backend/select.js';
import { parseConfig } from '../../src/bert/config.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { ConfigError, DataError } from '../../src/core/errors.js';
import { PretrainDataset } from '../../src/data/dataset.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import { fillMask } from '../../src/train/fill-mask.js';
import { probeTexts } from '../../src/train/probes.js';
import { BACKENDS } from '../backends.js';

const WORDS = ['the', 'cat', 'dog', 'saw', 'a', 'small', 'garden', '.', '##s', 'bird'];
const vocab = new Vocab([...SPECIAL_TOKENS, ...WORDS]);
const tokenizer = new Tokenizer(vocab, { lowercase: true });
const config = parseConfig({
  vocab_size: vocab.size,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 12,
});

describe('fillMask', () => {
  let model: BertForPreTraining;
  beforeAll(() => {
    useBackend(BACKENDS[BACKENDS.length - 1].create());
    model = new BertForPreTraining(config, { seed: 2 });
  });
  afterAll(() => model.dispose());

  test('gives for each mask its best tokens, likeliest first, whose probabilities are of one whole', async () => {
    const live = model.mlm.bias.backend.liveBytes;
    const masks = await fillMask(model, tokenizer, 'the [MASK] saw a [MASK].', vocab.size);
    expect(masks.length).toBe(2);
    for (const guesses of masks) {
      const shares = guesses.map((g) => g.probability);
      expect(shares).toEqual([...shares].sort((a, b) => b - a));
      expect(shares.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
      for (const { id, token } of guesses) expect(vocab.token(id)).toBe(token);
    }
    expect(model.mlm.bias.backend.liveBytes).toBe(live);
  });

  test('the answer is that of the logits: a bias that favours a token is seen', async () => {
    const favour = Float32Array.from({ length: vocab.size }, (_, id) => (id === vocab.id('bird') ? 50 : 0));
    model.mlm.bias.assign(favour);
    const [[first]] = await fillMask(model, tokenizer, 'a small [MASK].', 3);
    expect([first.token, first.probability]).toEqual(['bird', expect.closeTo(1, 5)]);
  });

  test('a text without a mask, and one beyond the positions, are refused', async () => {
    await expect(fillMask(model, tokenizer, 'the cat')).rejects.toThrow(DataError);
    await expect(fillMask(model, tokenizer, `${'cat '.repeat(20)}[MASK]`)).rejects.toThrow(ConfigError);
  });
});

test('probes are short sentences of the held-out documents with one whole word masked', () => {
  const lines = [
    'the cat saw a small garden .',
    'the dogs saw a bird .',
    'the bird saw the small cat .',
    'a dog saw the garden .',
  ];
  const text = Array.from({ length: 8 }, (_, i) => [lines[i % 4], lines[(i + 1) % 4]]);
  const data = new PretrainDataset(corpusOf(text), { vocab, seed: 1, batch: 2, maxSeq: 16, sentenceTask: 'nsp' });
  const probes = probeTexts(data, tokenizer, 3);
  expect(probes.length).toBe(3);
  for (const probe of probes) {
    expect(probe.match(/\[MASK\]/g)).toHaveLength(1);
    expect(probe).not.toMatch(/\[MASK\]s/);
    expect(tokenizer.encode(probe).ids).toContain(vocab.mask);
  }
});

function corpusOf(documents: readonly (readonly string[])[]): ConstructorParameters<typeof PretrainDataset>[0] {
  const [ids, sentenceStarts, documentStarts, starts]: number[][] = [[], [0], [0], []];
  for (const document of documents) {
    for (const sentence of document) {
      const pieces = tokenizer.pieces(sentence);
      ids.push(...pieces.ids);
      starts.push(...pieces.continues.map((c) => (c ? 0 : 1)));
      sentenceStarts.push(ids.length);
    }
    documentStarts.push(sentenceStarts.length - 1);
  }
  const wordStarts = new Uint8Array(Math.ceil(ids.length / 8));
  starts.forEach((bit, i) => {
    wordStarts[i >> 3] |= bit << (i & 7);
  });
  return {
    ids: Uint16Array.from(ids),
    sentenceStarts: Uint32Array.from(sentenceStarts),
    documentStarts: Uint32Array.from(documentStarts),
    wordStarts,
  };
}

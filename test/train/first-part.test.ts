import { expect, test } from '@jest/globals';
import { defaultChoice, useBackend } from '../../src/backend/select.js';
import { parseConfig } from '../../src/bert/config.js';
import { ConfigError } from '../../src/core/errors.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import { pairGuess } from '../../src/train/guessing.js';
import { checkOptions, type PretrainOptions } from '../../src/train/options.js';
import { Session } from '../../src/train/session.js';
import { BACKENDS } from '../backends.js';

const vocab = new Vocab([...SPECIAL_TOKENS, ...Array.from({ length: 30 }, (_, i) => `w${i}`)]);
const config = parseConfig({
  vocab_size: vocab.size,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 32,
});
const OPTIONS: PretrainOptions = {
  data: { sentenceTask: 'nsp' },
  steps: 10,
  batch: 4,
  accumulate: 1,
  maxSeq: 32,
  firstPart: { maxSeq: 8, steps: 4 },
  lr: 1e-3,
  warmupSteps: 2,
  schedule: 'linear',
  optimizer: 'standard',
  weightDecay: 0.01,
  clip: 1,
  seed: 3,
  packing: 'packed',
  precision: 'f32',
  biasInit: 'zero',
};

/** 12 documents of 10 sentences of 6 tokens, all of them words. */
function corpus(): ConstructorParameters<typeof Session>[0]['corpus'] {
  const ids = Uint16Array.from({ length: 720 }, (_, i) => 5 + ((i * 7) % 30));
  return {
    ids,
    sentenceStarts: Uint32Array.from({ length: 121 }, (_, i) => 6 * i),
    documentStarts: Uint32Array.from({ length: 13 }, (_, i) => 10 * i),
    wordStarts: new Uint8Array(90).fill(255),
  };
}

test('the first part has as many tokens in shorter sequences, without pairs; then come the pairs', async () => {
  useBackend(BACKENDS[BACKENDS.length - 1].create());
  const tokenizer = new Tokenizer(vocab, { lowercase: true });
  const plan = { folder: 'run', config, options: OPTIONS, corpus: corpus(), tokenizer, choice: defaultChoice() };
  const session = new Session(plan, null);
  expect(session.describe().firstPart).toEqual({ steps: 4, batch: 16, maxSeq: 8 });
  const { trainer } = session;
  for (let step = 0; step < 6; step++) {
    const { batch, seq } = trainer.data.batchAt(step);
    expect([step, batch, seq]).toEqual([step, step < 4 ? 16 : 4, step < 4 ? 8 : 32]);
    const { labelled, sentenceLoss } = await trainer.step();
    expect([step, labelled, sentenceLoss > 0]).toEqual([step, step < 4 ? 0 : 4, step >= 4]);
  }
  const { eval_masked_lm_loss: loss } = (await trainer.evaluate()) ?? { eval_masked_lm_loss: Number.NaN };
  expect(loss).toBeGreaterThan(0);
  session.dispose();
});

test.each([
  { maxSeq: 32, steps: 4 },
  { maxSeq: 8, steps: 10 },
])('a first part that is none is refused: %j', (firstPart) => {
  expect(() => checkOptions({ ...OPTIONS, firstPart }, config)).toThrow(ConfigError);
});

test('guessing pairs: the commoner label, and the entropy of both', () => {
  expect(pairGuess(0.5)).toEqual({ accuracy: 0.5, loss: expect.closeTo(Math.LN2, 12) });
  expect(pairGuess(0.25)).toEqual({ accuracy: 0.75, loss: expect.closeTo(0.5623, 4) });
  expect(pairGuess(0)).toEqual({ accuracy: 1, loss: 0 });
});

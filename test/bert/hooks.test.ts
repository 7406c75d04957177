import { expect, test } from '@jest/globals';
import { parseConfig } from '../../src/bert/config.js';
import { hookNames } from '../../src/bert/hooks.js';
import { packedInput, packedPositions, paddedInput } from '../../src/bert/input.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { ConfigError, ShapeError } from '../../src/core/errors.js';
import { type Hook, inference } from '../../src/nn/pass.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { makeBatch } from '../train/batches.js';

const config = parseConfig({
  vocab_size: 40,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 16,
});
const batch = makeBatch(3);
const model = new BertForPreTraining(config, { seed: 4 });

test('every named intermediate is shown once, in the order of the names, with the shape it should have', () => {
  const seen: [string, readonly number[]][] = [];
  const hook: Hook = (value, name) => {
    seen.push([name, value.shape]);
    return undefined;
  };
  const names = hookNames(config.numHiddenLayers);
  model.forward(paddedInput(batch), batch.maskedPositions, inference(new Map(names.map((name) => [name, hook]))));
  expect(seen.map(([name]) => name)).toEqual(names);
  const shapes = new Map(seen);
  const rows = batch.batch * batch.seq;
  expect(shapes.get('embeddings.sum')).toEqual([rows, 16]);
  expect(shapes.get('encoder.layers.1.attention.probs')).toEqual([batch.batch, 2, batch.seq, batch.seq]);
  expect(shapes.get('encoder.layers.0.feedForward.intermediate')).toEqual([rows, 24]);
  expect(shapes.get('mlm.logits')).toEqual([batch.maskedPositions.length, 40]);
  expect(shapes.get('sentence.logits')).toEqual([batch.batch, 2]);
});

test('looking at the probabilities changes the result by rounding alone', async () => {
  const watched = inference(new Map([['encoder.layers.0.attention.probs', () => undefined]]));
  const [fused, spelled] = await Promise.all(
    [inference(), watched].map((pass) => model.bert.forward(paddedInput(batch), pass).hidden.data()),
  );
  fused.forEach((value, i) => {
    expect(spelled[i]).toBeCloseTo(value, 5);
  });
});

test('what a hook returns takes the place of the tensor', async () => {
  const off = inference(new Map([['pooler', (value: Tensor) => value.mul(0)]]));
  const { sentenceLogits } = model.forward(paddedInput(batch), batch.maskedPositions, off);
  const bias = await model.sentence.dense.bias.data();
  const logits = await sentenceLogits.data();
  logits.forEach((value, i) => {
    expect(value).toBe(bias[i % 2]);
  });
});

test('probabilities of a packed batch have no common shape, and asking for them says so', () => {
  const input = packedInput(batch);
  const pass = inference(new Map([['encoder.layers.0.attention.probs', () => undefined]]));
  expect(() => model.forward(input, packedPositions(batch, input, batch.maskedPositions), pass)).toThrow(ShapeError);
});

test('a sequence beyond the positions, and an id beyond the vocabulary, are refused', () => {
  const long = makeBatch(3, { seq: 20 });
  expect(() => model.bert.forward(paddedInput(long), inference())).toThrow(ConfigError);
  const strange = { ...batch, inputIds: batch.inputIds.map(() => 40) };
  expect(() => model.bert.forward(paddedInput(strange), inference())).toThrow(ShapeError);
});

import { describe, expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { useBackend } from '../../src/backend/select.js';
import { type BertConfig, parseConfig, preset } from '../../src/bert/config.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { flopsPerStep, fullShape, parameterCount, tokensOf } from '../../src/train/flops.js';
import { accumulateGradients } from '../../src/train/step.js';
import { makeBatch } from './batches.js';

const mini = preset('mini', { vocabSize: 30_522 });
const base = preset('base', { vocabSize: 30_522 });

/** The js backend, counting what its product multiplies and adds. */
function countingBackend(): { backend: Backend; flops: () => number } {
  const inner = createJsBackend();
  let flops = 0;
  const kernels: Backend['kernels'] = {
    ...inner.kernels,
    matmul: (call) => {
      flops += 2 * call.batch * call.m * call.n * call.k;
      inner.kernels.matmul(call);
    },
  };
  return { backend: Object.create(inner, { kernels: { value: kernels } }), flops: () => flops };
}

/** Scores and weighted sums of all layers, forward once and backward twice. */
const attentionFlops = ({ numHiddenLayers, hiddenSize }: BertConfig, lengths: Int32Array, read: number): number => {
  const rows = lengths.reduce((sum, n) => sum + n, 0);
  return 3 * (numHiddenLayers - 1 + read / rows) * 4 * hiddenSize * lengths.reduce((sum, n) => sum + n * n, 0);
};

describe('flopsPerStep', () => {
  test('of a model small enough to count by hand', () => {
    const config = preset('tiny', { vocabSize: 10, hiddenSize: 4, intermediateSize: 8, numHiddenLayers: 1 });
    // Two sequences of 2 and 3 tokens, 2 masked places; every product is 2 x rows x columns x inner size.
    const projections = 4 * (2 * 5 * 4 * 4); // query, key, value, output
    const feedForward = 2 * (2 * 5 * 8 * 4); // in and out
    const attention = 2 * (2 * 2 * 2 * 4 + 2 * 3 * 3 * 4); // scores and weighted sums, of 2 and of 3 tokens
    const words = 2 * 2 * 4 * 4 + 2 * 2 * 10 * 4; // transform and decoder
    const sentences = 2 * 2 * 4 * 4 + 2 * 2 * 2 * 4; // pooler and classifier
    const forward = projections + feedForward + attention + words + sentences;
    expect(forward).toBe(640 + 640 + 208 + 224 + 96);
    expect(flopsPerStep(config, { lengths: [2, 3], masked: 2 }, 'whole')).toBe(3 * forward);
    expect(flopsPerStep({ ...config, numHiddenLayers: 3 }, { lengths: [2, 3], masked: 2 }, 'whole')).toBe(
      3 * (3 * (640 + 640 + 208) + 224 + 96),
    );
    // Of 5 rows 4 are read, so a fifth of query, output, feed-forward and attention is left out.
    expect(flopsPerStep(config, { lengths: [2, 3], masked: 2 })).toBeCloseTo(3 * (forward - (320 + 640 + 208) / 5), 6);
  });

  // What attention multiplies depends on lengths that its kernel reads by itself; its own line above counts it.
  test('is what a step hands to the product kernel, forward and backward, and attention', async () => {
    const config = parseConfig({
      ...{ vocab_size: 40, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 48 },
      max_position_embeddings: 16,
    });
    const { backend, flops } = countingBackend();
    useBackend(backend);
    const model = new BertForPreTraining(config);
    const batch = makeBatch(3, { vocab: 40 });
    await accumulateGradients(model, [batch], { seed: 1, step: 0, packing: 'packed' });
    const shape = { lengths: batch.lengths, masked: batch.maskedLabels.length };
    const read = shape.masked + batch.batch;
    // This batch hides [CLS] here and there, which then is read once and counted twice.
    const twice = batch.maskedPositions.filter((place) => place % batch.seq === 0).length;
    const ofTwice = 3 * twice * (4 * 32 * 32 + 4 * 32 * 48);
    const attention = attentionFlops(config, batch.lengths, read);
    expect(flops()).toBeCloseTo(flopsPerStep(config, shape) - attention - ofTwice, 3);
    model.dispose();
  });

  test('an empty batch costs nothing', () => {
    expect(flopsPerStep(mini, { lengths: [], masked: 0 })).toBe(0);
    expect(tokensOf({ lengths: [3, 4], masked: 0 })).toBe(7);
  });

  // The formula with I = 4 H and equal lengths, evaluated by hand: GFLOP of a step at 20 masked places a sequence.
  test.each([
    ['tiny', 32, 26.3],
    ['mini', 32, 114],
    ['small', 32, 383],
    ['medium', 32, 705],
    ['base', 8, 559],
  ] as const)('%s, batch %i: %f GFLOP', (name, batch, gflop) => {
    const flops = flopsPerStep(preset(name, { vocabSize: 30_522 }), fullShape(batch, 128, 20), 'whole');
    expect(flops / 1e9).toBeGreaterThan(0.995 * gflop);
    expect(flops / 1e9).toBeLessThan(1.005 * gflop);
  });

  test('attention counts the square of each length, not of the longest', () => {
    const flops = (lengths: number[]): number => flopsPerStep(mini, { lengths, masked: 10 }, 'whole');
    expect(flops([64, 64]) - flops([32, 96])).toBe(3 * 4 * 4 * 256 * (2 * 64 ** 2 - 32 ** 2 - 96 ** 2));
  });

  test('6N would say more', () => {
    const tiny = preset('tiny', { vocabSize: 4766, maxPositionEmbeddings: 64 });
    const sixN = 6 * parameterCount(tiny) * 64 * 64;
    expect(sixN / flopsPerStep(tiny, fullShape(64, 64, 10))).toBeGreaterThan(1.8);
  });
});

test('parameterCount is that of the released models, with both heads', () => {
  // bert-base-uncased: 109,482,240 in the encoder with its pooler; the heads add 592,128 + 30,522 and 1,538.
  expect(parameterCount(base)).toBe(109_482_240 + 592_128 + 30_522 + 1538);
});

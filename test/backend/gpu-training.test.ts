import { expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.js';
import { createGpuBackend } from '../../src/backend/gpu/index.js';
import { useBackend } from '../../src/backend/select.js';
import { preset } from '../../src/bert/config.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { Rng } from '../../src/core/random.js';
import type { PretrainBatch } from '../../src/data/batch.js';
import { Trainer, type TrainingData } from '../../src/train/trainer.js';
import { BACKENDS, GPU_BACKENDS, whyNoGpu } from '../backends.js';
import { describeIf } from '../skip.js';

const VOCAB = 300;
const LENGTHS = [24, 17, 20, 9];
const SEQ = 24;
const MASKED = 3;

/** Sequences of several lengths, random ids, three of them masked. */
function randomBatch(rng: Rng): PretrainBatch {
  const batch = LENGTHS.length;
  const inputIds = Int32Array.from({ length: batch * SEQ }, () => 5 + rng.int(VOCAB - 5));
  const places = Int32Array.from({ length: batch * MASKED }, (_, i) => Math.floor(i / MASKED) * SEQ + 1 + (i % 3) * 2);
  return {
    batch,
    seq: SEQ,
    inputIds,
    tokenTypeIds: inputIds.map((_, i) => (i % SEQ < SEQ / 2 ? 0 : 1)),
    lengths: Int32Array.from(LENGTHS),
    maskedPositions: places,
    maskedLabels: places.map((place) => inputIds[place]),
    sentenceLabels: Int32Array.from({ length: batch }, () => rng.int(2)),
  };
}

const CONFIG = { ...preset('tiny', { vocabSize: VOCAB }), hiddenSize: 32, intermediateSize: 64 };

async function losses(backend: Backend, steps: number, after?: (step: number) => void): Promise<number[]> {
  useBackend(backend);
  const rng = new Rng(1, 9);
  const batches = [randomBatch(rng), randomBatch(rng), randomBatch(rng)];
  const data: TrainingData = { batchAt: (step) => batches[step % 3], evalBatches: () => [] };
  const schedule = { name: 'constant', peak: 1e-3, warmupSteps: 0, totalSteps: 1e6 } as const;
  const options = { seed: 0, packing: 'packed', accumulate: 1, schedule, adamw: {} } as const;
  const trainer = new Trainer(new BertForPreTraining(CONFIG, { seed: 0 }), data, options);
  const found: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { mlmLoss, sentenceLoss } = await trainer.step();
    found.push(mlmLoss, sentenceLoss);
    after?.(step);
  }
  trainer.dispose();
  return found;
}

/**
 * Two float32 runs of 400 such steps that differ in the order of their sums alone part by up to 2.1e-7 (measured with
 * PyTorch); WGSL's functions are up to 8 times looser (bounds-wgsl.ts), and 5 times the floor is what a port may take.
 */
const CLOSE = 8 * 5 * 2.1e-7;

describeIf(
  GPU_BACKENDS.length > 0,
  'gpu',
  whyNoGpu ?? '',
)('training on the GPU', () => {
  test('50 steps follow the losses of the processor, in memory that does not grow', async () => {
    const reference = BACKENDS[BACKENDS.length - 1].create();
    const want = await losses(reference, 50);
    const gpu = await createGpuBackend();
    const before = gpu.liveBytes;
    const held: number[] = [];
    const got = await losses(gpu, 50, () => held.push(gpu.heldBytes));
    for (const [i, loss] of got.entries()) expect(Math.abs(loss - want[i]) / want[i]).toBeLessThanOrEqual(CLOSE);
    expect(held[49]).toBe(held[3]);
    expect(gpu.liveBytes).toBe(before);
  }, 300_000);

  test('the same seed gives the same bits again', async () => {
    const gpu = await createGpuBackend();
    expect(await losses(gpu, 3)).toEqual(await losses(gpu, 3));
  }, 120_000);
});

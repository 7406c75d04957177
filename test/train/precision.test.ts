// A whole model in fewer bits: it trains in bf16 nearly as in f32 and to the same bits on any number of threads, infers
// in bf16 and in 8 bits nearly the same, and a run remembers what it was begun in.
import { describe, expect, test } from '@jest/globals';
import { noGrad } from '../../src/autograd/apply.js';
import { scope } from '../../src/autograd/scope.js';
import type { Backend, Precision } from '../../src/backend/backend.js';
import { useBackend } from '../../src/backend/select.js';
import { parseConfig } from '../../src/bert/config.js';
import { packedInput } from '../../src/bert/input.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { inference } from '../../src/nn/pass.js';
import { usePrecision } from '../../src/nn/precision.js';
import { planFromJson } from '../../src/train/plan.js';
import { Trainer, type TrainerOptions } from '../../src/train/trainer.js';
import { BACKENDS } from '../backends.js';
import { cycle, makeBatch } from './batches.js';

const config = parseConfig({
  vocab_size: 40,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 64,
  max_position_embeddings: 16,
});

async function lossesOf(backend: Backend, precision: 'f32' | 'bf16', steps = 12): Promise<number[]> {
  useBackend(backend);
  const schedule = { name: 'constant', peak: 2e-3, warmupSteps: 0, totalSteps: 50 } as const;
  const options: TrainerOptions = { seed: 5, packing: 'packed', accumulate: 1, schedule, adamw: {}, precision };
  const trainer = new Trainer(new BertForPreTraining(config, { seed: 1 }), cycle(3), options);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await trainer.step()).mlmLoss);
  trainer.dispose();
  return losses;
}

/** Logits of a model with random weights. */
async function logitsOf(backend: Backend, precision: Precision): Promise<ArrayLike<number>> {
  useBackend(backend);
  const model = new BertForPreTraining(config, { seed: 3 });
  usePrecision(model, precision, { frozen: true });
  const batch = makeBatch(1);
  const positions = Int32Array.of(1, 2, 3);
  const logits = scope(() => noGrad(() => model.forward(packedInput(batch), positions, inference()).mlmLogits));
  const values = await logits.data();
  logits.dispose();
  model.dispose();
  return values;
}

const norm = (values: readonly number[]): number => Math.hypot(...values);
const NARROW = BACKENDS.filter(({ dtype, create }) => dtype === 'f32' && create().multipliers !== undefined);

describe.each(NARROW)('$name', ({ create }) => {
  test('training in bf16 goes the way of f32', async () => {
    const backend = create();
    const [floats, narrow] = [await lossesOf(backend, 'f32'), await lossesOf(backend, 'bf16')];
    expect(narrow).not.toEqual(floats);
    narrow.forEach((loss, i) => {
      expect(Math.abs(loss - floats[i])).toBeLessThan(0.05 * floats[i]);
    });
    expect(narrow.at(-1)).toBeLessThan(narrow[0]);
    expect(backend.liveBytes).toBe(0);
  });

  // A factor of 8 bits is off by 2^-8 at most, of an 8-bit row by 2^-8 of its range; LayerNorm keeps sums of these small.
  test.each([
    ['bf16', 0.02],
    ['int8', 0.05],
  ] as const)('inference in %s is near that in f32', async (precision, share) => {
    const backend = create();
    const [floats, narrow] = [await logitsOf(backend, 'f32'), await logitsOf(backend, precision)];
    const off = norm(Array.from(floats, (value, i) => narrow[i] - value));
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThan(share * norm(Array.from(floats)));
    expect(backend.liveBytes).toBe(0);
  });
});

describe('run.json', () => {
  const options = {
    ...{
      data: {},
      steps: 1,
      batch: 1,
      accumulate: 1,
      maxSeq: 8,
      firstPart: null,
      lr: 1,
      warmupSteps: 0,
      clip: 1,
      seed: 0,
    },
    ...{ schedule: 'linear', optimizer: 'standard', weightDecay: 0, packing: 'packed', biasInit: 'zero' },
  };
  const plan = (more: object): object => ({
    ...{ shards: 'x', corpusHash: 'y', config: {}, samples: [] },
    options: { ...options, ...more },
  });
  const read = (json: object) => planFromJson(json, () => config, 'run.json').options.precision;

  test('keeps the precision; a run of a version without one is in f32', () => {
    expect(read(plan({ precision: 'bf16' }))).toBe('bf16');
    expect(read(plan({}))).toBe('f32');
    expect(() => read(plan({ precision: 'int8' }))).toThrow(/"options"/);
  });
});

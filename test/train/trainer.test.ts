import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.js';
import { useBackend } from '../../src/backend/select.js';
import { parseConfig } from '../../src/bert/config.js';
import { packedInput, paddedInput } from '../../src/bert/input.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { inference } from '../../src/nn/pass.js';
import { splitBatch, Trainer, type TrainerOptions } from '../../src/train/trainer.js';
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
const OPTIONS: TrainerOptions = {
  seed: 5,
  packing: 'packed',
  accumulate: 1,
  schedule: { name: 'linear', peak: 2e-3, warmupSteps: 2, totalSteps: 50 },
  adamw: {},
};
const create = (options: Partial<TrainerOptions> = {}, rates = {}): Trainer =>
  new Trainer(new BertForPreTraining({ ...config, ...rates }, { seed: 1 }), cycle(3), { ...OPTIONS, ...options });

async function train(
  trainer: Trainer,
  steps: number,
): Promise<{ losses: number[]; weights: Map<string, ArrayLike<number>> }> {
  const losses = [];
  for (let i = 0; i < steps; i++) {
    const { mlmLoss, sentenceLoss, gradNorm } = await trainer.step();
    losses.push(mlmLoss, sentenceLoss, gradNorm);
  }
  const weights = new Map<string, ArrayLike<number>>();
  for (const [name, parameter] of trainer.model.namedParameters()) weights.set(name, await parameter.data());
  trainer.dispose();
  return { losses, weights };
}

/** Largest difference between two runs' weights. */
function apart(a: Map<string, ArrayLike<number>>, b: Map<string, ArrayLike<number>>): number {
  let most = 0;
  for (const [name, values] of a) {
    const others = b.get(name) as ArrayLike<number>;
    for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i] - others[i]));
  }
  return most;
}

describe.each(BACKENDS)('$name', ({ create: createBackend }) => {
  let backend: Backend;
  beforeAll(() => {
    backend = createBackend();
    useBackend(backend);
  });

  test('the same run gives the same bits', async () => {
    expect(await train(create(), 4)).toEqual(await train(create(), 4));
  });

  test.each([1, 2])('%i parts: steps that are replayed have the bits of those that are not', async (accumulate) => {
    const replayed = await train(create({ accumulate }), 12);
    const { record } = backend;
    Object.defineProperty(backend, 'record', { value: undefined, configurable: true });
    const eager = await train(create({ accumulate }), 12);
    if (record !== undefined) Object.defineProperty(backend, 'record', { value: record, configurable: true });
    expect(replayed).toEqual(eager);
  });

  test.each([2, 3, 6])(
    '%i micro-batches with uneven masks and dropout train as the whole batch does',
    async (accumulate) => {
      const whole = await train(create(), 3);
      const parts = await train(create({ accumulate }), 3);
      parts.losses.forEach((loss, i) => {
        expect(loss / whole.losses[i]).toBeCloseTo(1, 5);
      });
      // AdamW divides by the gradient's own size: where that is rounding alone, so is the update, of size lr at most.
      expect(apart(whole.weights, parts.weights)).toBeLessThan(3 * 2e-3);
    },
  );

  test('the loss falls on batches that come again, and live memory stays as it is', async () => {
    const trainer = create({}, { hiddenDropoutProb: 0, attentionProbsDropoutProb: 0 });
    const first = await trainer.step();
    let last = first;
    for (let i = 0; i < 5; i++) last = await trainer.step(); // each of the three batches is recorded the second time
    const live = backend.liveBytes;
    for (let i = 0; i < 35; i++) last = await trainer.step();
    expect(backend.liveBytes).toBe(live);
    expect(last.mlmLoss).toBeLessThan(first.mlmLoss - 0.5);
    trainer.dispose();
  });

  test('a sequence alone, in a padded and in a packed batch: equal to 1e-6; packed: equal bits', async () => {
    const { model } = create();
    const batch = makeBatch(9);
    const [alone] = splitBatch(batch, batch.batch);
    const length = alone.lengths[0];
    const single = model.bert.forward(packedInput(alone), inference());
    const packed = model.bert.forward(packedInput(batch), inference());
    const padded = model.bert.forward(paddedInput(batch), inference());
    const want = await single.hidden.data();
    const size = length * config.hiddenSize;
    expect((await packed.hidden.data()).subarray(0, size)).toEqual(want.subarray(0, size));
    const grid = (await padded.hidden.data()).subarray(0, size);
    expect(Array.from(grid).reduce((most, value, i) => Math.max(most, Math.abs(value - want[i])), 0)).toBeLessThan(
      1e-6,
    );
    const pooled = (await packed.pooled.data()).subarray(0, config.hiddenSize);
    expect(pooled).toEqual((await single.pooled.data()).subarray(0, config.hiddenSize));
    model.dispose();
  });

  test('a broken step is skipped, names what broke, and leaves weights and moments exactly as they were', async () => {
    const trainer = create();
    for (let i = 0; i < 3; i++) await trainer.step();
    const { norm } = trainer.model.bert.encoder.layers[1].feedForward;
    const fill = (value: number) =>
      norm.weight.dtype === 'f64' ? new Float64Array(32).fill(value) : new Float32Array(32).fill(value);
    backend.write(norm.weight.buf, fill(norm.weight.dtype === 'f64' ? 1.7e308 : 3.4e38));
    const before = await trainer.optimizer.arena.moments();
    const { broken } = await trainer.step();
    expect(broken).toMatch(/^op "\w+" \(call \d+ of the step\), result \[/);
    expect(await trainer.optimizer.arena.moments()).toEqual(before);
    expect(trainer.state).toMatchObject({ step: 4, updates: 3, skipped: 1 });
    backend.write(norm.bias.buf, fill(Number.NaN));
    expect((await trainer.step()).broken).toBe('parameter "bert.encoder.layers.1.feedForward.norm.bias"');
    trainer.dispose();
  });
});

test('parts of a batch are its sequences, with the masks that fall on them', () => {
  const whole = makeBatch(4, { batch: 5 });
  const parts = splitBatch(whole, 3);
  expect(parts.map((p) => p.batch)).toEqual([1, 2, 2]);
  let start = 0;
  const positions = parts.flatMap((part) => {
    const own = Array.from(part.maskedPositions, (p) => p + start * whole.seq);
    start += part.batch;
    return own;
  });
  expect(positions).toEqual([...whole.maskedPositions]);
  expect(parts.flatMap((p) => [...p.maskedLabels])).toEqual([...whole.maskedLabels]);
});

import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { noGrad, withObserver } from '../../src/autograd/apply.js';
import { scope } from '../../src/autograd/scope.js';
import type { Backend } from '../../src/backend/backend.js';
import { useBackend } from '../../src/backend/select.js';
import { inferred } from '../../src/bert/infer.js';
import { type BertInput, packSequences } from '../../src/bert/input.js';
import { BertModel } from '../../src/bert/model.js';
import { Initializer } from '../../src/nn/init.js';
import { inference, type Pass } from '../../src/nn/pass.js';
import { usePrecision } from '../../src/nn/precision.js';
import { BACKENDS } from '../backends.js';
import { smallConfig } from './small-config.js';

const config = smallConfig(64);

/** Sequences of these lengths, with ids that `seed` moves. */
const batch = (seed: number, ...lengths: number[]): BertInput =>
  packSequences(lengths.map((length) => Array.from({ length }, (_, i) => (7 * i + 11 * seed) % 40)));

describe.each(BACKENDS)('$name', ({ create }) => {
  let backend: Backend;
  let bert: BertModel;
  let passes = 0;
  beforeAll(() => {
    backend = create();
    useBackend(backend);
  });
  beforeEach(() => {
    bert = new BertModel(config, new Initializer(3));
    passes = 0;
  });
  afterEach(() => {
    bert.dispose();
    expect(backend.liveBytes).toBe(0);
  });

  const forward = (input: BertInput) => (pass: Pass) => {
    passes++;
    const { hidden, pooled } = bert.forward(input, pass);
    return [hidden, pooled];
  };
  const replayed = (input: BertInput) => inferred(bert, bert, 'forward', input, forward(input));
  async function plain(input: BertInput) {
    const made = scope(() => noGrad(() => forward(input)(inference())));
    passes--;
    const values = await Promise.all(made.map((tensor) => tensor.data()));
    for (const tensor of made) tensor.dispose();
    return values;
  }

  test.each([false, true])(
    'every pass gives the bits of one that is not replayed; frozen weights: %s',
    async (frozen) => {
      usePrecision(bert, 'f32', { frozen });
      for (let seed = 0; seed < 4; seed++) {
        for (const lengths of [[9], [5, 17, 3]]) {
          const input = batch(seed, ...lengths);
          expect(await replayed(input)).toEqual(await plain(input));
        }
      }
      // The first passes of a frozen model lay weights out.
      expect(passes).toBe(backend.record === undefined ? 8 : 4);
    },
  );

  test('passes that are asked for at once do not meet', async () => {
    const inputs = [0, 1, 2, 3].map((seed) => batch(seed, 12));
    const both = await Promise.all([...inputs, ...inputs].map(replayed));
    for (const [i, input] of inputs.entries()) {
      expect(both[i]).toEqual(await plain(input));
      expect(both[i + 4]).toEqual(both[i]);
    }
  });

  test('lengths count, not only their sum', async () => {
    for (const lengths of [[4, 8], [8, 4], [12], [4, 8], [8, 4], [12]]) {
      const input = batch(1, ...lengths);
      expect(await replayed(input)).toEqual(await plain(input));
    }
  });

  test('weights that were assigned to, read, or are multiplied otherwise are seen', async () => {
    usePrecision(bert, 'f32', { frozen: true });
    const input = batch(2, 10);
    const check = async () => expect(await replayed(input)).toEqual(await plain(input));
    for (let i = 0; i < 3; i++) await check();
    const { weight } = bert.encoder.layers[1].attention.query;
    weight.assign((await weight.data()).map((x) => 2 * x));
    for (let i = 0; i < 3; i++) await check();
    usePrecision(bert, 'bf16', { frozen: true });
    for (let i = 0; i < 3; i++) await check();
  });

  test('what an op refuses is refused in the same words', async () => {
    const input = batch(3, 10);
    for (let i = 0; i < 3; i++) await replayed(input);
    await expect(replayed({ ...input, inputIds: input.inputIds.with(4, 40) })).rejects.toThrow(
      'ids must lie in 0 .. 39',
    );
    expect(await replayed(input)).toEqual(await plain(input));
  });

  test('who watches is shown every result', async () => {
    const input = batch(5, 10);
    for (let i = 0; i < 3; i++) await replayed(input);
    const seen: string[] = [];
    await withObserver(
      ({ name }) => void seen.push(name),
      () => replayed(input),
    );
    expect(seen.filter((name) => name === 'attention')).toHaveLength(2);
  });

  test('a model that is gone is not replayed', async () => {
    const input = batch(4, 10);
    for (let i = 0; i < 3; i++) await replayed(input);
    bert.dispose();
    await expect(replayed(input)).rejects.toThrow('was freed');
  });

  test('large batches and many shapes leave nothing, or not much', async () => {
    for (let round = 0; round < 2; round++) {
      for (let length = 1; length <= 20; length++) await replayed(batch(round, length));
    }
    expect(bert.replay.size).toBeLessThanOrEqual(16);
    const large = batch(1, ...Array.from({ length: 32 }, () => 33));
    bert.replay.forget();
    const live = backend.liveBytes;
    for (let i = 0; i < 3; i++) await replayed(large);
    expect(backend.liveBytes).toBe(live);
    expect(bert.replay.size).toBe(0);
  });
});

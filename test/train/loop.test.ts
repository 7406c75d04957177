import { expect, test } from '@jest/globals';
import { createJsBackend } from '../../src/backend/js/index.js';
import { useBackend } from '../../src/backend/select.js';
import { parseConfig } from '../../src/bert/config.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import type { Reporter } from '../../src/train/events.js';
import { Loop } from '../../src/train/loop.js';
import { Trainer } from '../../src/train/trainer.js';
import { TrainingDoctor } from '../../src/train/watch.js';
import { cycle } from './batches.js';
import { START } from './run.js';

const ignore = (): void => undefined;
const config = parseConfig({
  vocab_size: 40,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 16,
});

/** The shares of the peak that a run of `steps` shows, where each new measurement of the peak gives the next number. */
async function shares(first: number | null, measured: number[], steps: number): Promise<(number | null)[]> {
  useBackend(createJsBackend('f32'));
  const schedule = { name: 'constant', peak: 1e-3, warmupSteps: 0, totalSteps: steps } as const;
  const options = { seed: 1, packing: 'packed', accumulate: 1, schedule, adamw: {} } as const;
  const start = { ...START, peakGflops: first };
  const seen: (number | null)[] = [];
  const reporter: Reporter = {
    start: ignore,
    step: ({ mfu }) => void seen.push(mfu),
    evaluated: ignore,
    samples: ignore,
    remark: ignore,
    saved: ignore,
    end: ignore,
  };
  const loop = new Loop(
    new Trainer(new BertForPreTraining(config, { seed: 1 }), cycle(1), options),
    start,
    { totalSteps: steps, evalEvery: 0, saveEvery: 0, sampleEvery: 0, sampleTexts: [], maxSeconds: 60 },
    {
      reporter,
      doctor: new TrainingDoctor(start, { hiddenSize: 8, peakLr: 1e-3, warmupSteps: 0 }),
      tokenizer: new Tokenizer(new Vocab([...SPECIAL_TOKENS, 'a']), { lowercase: true }),
      stop: new AbortController().signal,
      firstRemarks: [],
      secondsBefore: 0,
      measurePeak: () => measured.shift() ?? null,
      saveRequested: () => false,
      save: async () => '',
    },
  );
  await loop.run();
  return seen;
}

test('no step passes the peak: one measured too low, beside other work, is measured again', async () => {
  expect(await shares(null, [], 2)).toEqual([null, null]);
  expect((await shares(1e-9, [], 3))[0]).toBe(1); // nothing better is known than the step itself
  const again = await shares(1e-9, [1e6], 3);
  expect(again.every((share) => share !== null && share > 0 && share < 1e-2)).toBe(true);
});

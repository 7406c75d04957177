import type { EvalMetrics, FillSample, RunStart, StepMetrics } from '../../src/train/events.js';

/** A run on good data, for the tests of what looks at runs. */
export const START: RunStart = {
  folder: 'runs/first',
  backend: 'native (avx2, 2 threads): the fastest that runs here',
  resumedFrom: null,
  totalSteps: 1000,
  batch: 32,
  maxSeq: 128,
  firstPart: null,
  vocabSize: 4766,
  parts: [
    { part: 'word embeddings (tied to the decoder)', parameters: 610_048, share: 0.58 },
    { part: 'attention', parameters: 440_000, share: 0.42 },
  ],
  parameters: 1_050_048,
  tokensPerStep: 3900,
  flopsPerStep: 26.3e9,
  memory: [
    { owner: 'parameters', bytes: 4.2e6 },
    { owner: 'activations of 2 layers', bytes: 120e6 },
  ],
  peakGflops: 233,
  floors: { uniform: 8.47, unigram: 6.75, bigram: 5.31, mostFrequentShare: 0.049 },
  sentenceTask: 'nsp',
  data: {
    documents: 1200,
    heldOutDocuments: 60,
    sentences: 24_100,
    tokens: 612_345,
    unkShare: 0.002,
    duplicateLineShare: 0.011,
    label1Share: 0.497,
    paddingShare: 0.03,
  },
  rows: ['[CLS] 我 [MASK→爱] 吃 饭 [SEP]', '[CLS] b [SEP]', '[CLS] c [SEP]'],
  lossPositions: 614,
  positions: 3973,
};

/** Noise in [-0.5, 0.5) that is the same every time. */
export const noise = (step: number): number => {
  const x = Math.sin(step * 12.9898) * 43_758.5453;
  return x - Math.floor(x) - 0.5;
};

/** A step of a run that goes well: off the plateau at a third, NSP learnt by the end. */
export function healthy(step: number, changes: Partial<StepMetrics> = {}): StepMetrics {
  const t = step / START.totalSteps;
  const words = 4.9 + 1.85 / (1 + Math.exp((t - 0.35) / 0.06)) + 1.7 * Math.exp(-step / 30) + 0.2 * noise(step);
  return {
    step,
    tokens: step * START.tokensPerStep,
    loss: words + 0.6,
    masked_lm_loss: words,
    masked_lm_accuracy: 0.05 + 0.3 * Math.max(0, t - 0.3),
    next_sentence_loss: 0.69 - 0.4 * t * t,
    next_sentence_accuracy: 0.5 + 0.35 * t * t + noise(step) / 10,
    lr: 2e-3 * Math.min(1, step / 60) * (1 - t),
    grad_norm: 0.8 + 0.3 * noise(step + 7),
    tokens_per_second: 11_200 + 500 * noise(step + 3),
    mfu: 0.31,
    seconds: step * 0.36,
    rss_mb: 412,
    ...changes,
  };
}

export function heldOut(step: number, loss: number): EvalMetrics {
  return {
    step,
    eval: true,
    eval_masked_lm_loss: loss,
    eval_masked_lm_accuracy: 0.1,
    eval_next_sentence_loss: 0.6,
    eval_next_sentence_accuracy: 0.7,
  };
}

/** What two sentences are filled with. */
export function fills(step: number, first: string, second: string): FillSample[] {
  return [
    { step, text: '我爱吃[MASK]。', predictions: [{ token: first, probability: 0.5 }] },
    { step, text: '今天[MASK]气很好', predictions: [{ token: second, probability: 0.25 }] },
  ];
}

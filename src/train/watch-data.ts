import type { Remark, RunStart } from './events.js';

/** What is fixed before the first step and decides what the doctor expects. */
export interface WatchSettings {
  readonly hiddenSize: number;
  /** Highest learning rate of the schedule. */
  readonly peakLr: number;
  readonly warmupSteps: number;
}

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

/** google's own rule gives 55 to 60 % of random pairs: a chunk of one sentence has no other choice. */
const UNEVEN = 0.15;

/** Passes over the data that google's run made: 40 (Devlin et al. 2019, App. A.2). */
const MOST_EPOCHS = 40;

/** Each looks at one thing and returns what it has to say about it, or null. */
const CHECKS: readonly { kind: string; severity: Remark['severity']; look(start: RunStart): string | null }[] = [
  {
    kind: 'masks-never-hit',
    severity: 'error',
    look: ({ lossPositions, positions }) =>
      lossPositions > 0
        ? null
        : `none of ${positions} places is masked, so there is nothing to learn: check that the vocabulary holds [MASK] and that --mask-rate is above 0`,
  },
  {
    kind: 'loss-everywhere',
    severity: 'warning',
    look: ({ lossPositions, positions }) =>
      lossPositions <= 0.5 * positions
        ? null
        : `the loss counts ${lossPositions} of ${positions} places; BERT counts the 15 % that were picked, for copying the others teaches nothing: lower --mask-rate`,
  },
  {
    kind: 'repeated-lines',
    severity: 'warning',
    look: ({ data: { duplicateLineShare } }) =>
      duplicateLineShare <= 0.1
        ? null
        : `${percent(duplicateLineShare)} of the lines are repeated; they will be learnt by heart and the loss will look better than the model is: remove them (awk '!NF || !seen[$0]++' corpus.txt)`,
  },
  {
    kind: 'unk-share',
    severity: 'warning',
    look: ({ vocabSize, data: { unkShare } }) =>
      unkShare <= 0.05
        ? null
        : `${percent(unkShare)} of the tokens are [UNK], which the model can neither read nor write: train a vocabulary on this corpus, or a larger one than ${vocabSize}`,
  },
  {
    kind: 'label-balance',
    severity: 'warning',
    look: ({ sentenceTask, data: { label1Share } }) =>
      sentenceTask === 'none' || Math.abs(label1Share - 0.5) <= UNEVEN
        ? null
        : `${percent(label1Share)} of the sentence pairs have label 1 instead of half, so an accuracy of ${Math.max(label1Share, 1 - label1Share).toFixed(2)} is blind guessing: the documents are too short or too few; join them, or use --no-nsp`,
  },
  {
    kind: 'little-data',
    severity: 'warning',
    look: ({ totalSteps, tokensPerStep, parameters, data: { tokens } }) => {
      const epochs = (totalSteps * tokensPerStep) / tokens;
      return epochs <= MOST_EPOCHS
        ? null
        : `each of ${tokens} tokens will be seen ${epochs.toFixed(0)} times by a model of ${parameters} parameters (google: ${MOST_EPOCHS} times): expect learning by heart; take more text, fewer steps, or a smaller model`;
    },
  },
];

/** Remarks on the data, before the first step. */
export function watchData(start: RunStart): Remark[] {
  const step = start.resumedFrom ?? 0;
  return CHECKS.flatMap(({ kind, severity, look }) => {
    const text = look(start);
    return text === null ? [] : [{ step, kind, severity, text }];
  });
}

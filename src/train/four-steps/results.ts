import { NaiveBayes } from '../../data/bag-of-words.js';
import { classificationReport } from '../../data/metrics/classification.js';
import type { ColumnRequest } from '../../data/tasks/columns.js';
import type { SequenceExample } from '../../data/tasks/sequence.js';
import { type Spread, spreadOf } from '../tasks/results.js';

/** Everything that an experiment depends on. */
export interface FourStepsPlan {
  readonly general: readonly string[];
  readonly domain: readonly string[];
  readonly train: string;
  readonly dev: string;
  readonly columns: ColumnRequest;
  /** Layers of a model of width 128. */
  readonly layers: number;
  readonly maxSeq: number;
  readonly batch: number;
  /** Updates of general pre-training, of DAPT and of TAPT. */
  readonly steps: { readonly general: number; readonly domain: number; readonly task: number };
  /** Numbers of training examples, each tried. */
  readonly limits: readonly number[];
  readonly seeds: number;
  readonly epochs: number;
  readonly lr: number;
}

/** What the task is learnt from. */
export const ARMS = ['random', 'general', 'longer', 'dapt', 'tapt', 'dapt+tapt'] as const;
export type Arm = (typeof ARMS)[number];

/** Cross-entropy of masked words on text that no arm has learnt from, in nats. */
export interface MaskedLosses {
  readonly general: number;
  readonly domain: number;
  readonly task: number;
}

export interface ArmResult {
  readonly arm: Arm;
  readonly limit: number;
  /** Macro-F1 and accuracy on dev, a value for each seed. */
  readonly macroF1: readonly number[];
  readonly accuracy: readonly number[];
  readonly seconds: number;
}

/** A sentence about two arms, and whether the numbers bear it out. */
export interface Claim {
  readonly better: Arm;
  readonly than: Arm;
  readonly limit: number;
  /** Difference in macro-F1, seed by seed. */
  readonly difference: Spread;
  /** The mean is above zero by more than two standard errors. */
  readonly supported: boolean;
}

export interface FourStepsResults {
  readonly plan: FourStepsPlan;
  readonly labels: readonly string[];
  readonly dev: number;
  readonly losses: Readonly<Partial<Record<Arm, MaskedLosses>>>;
  readonly arms: readonly ArmResult[];
  /** Without an encoder: the most frequent class, and words counted. */
  readonly baselines: readonly {
    readonly name: 'majority' | 'bag of words';
    readonly limit: number;
    readonly macroF1: number;
    readonly accuracy: number;
  }[];
  readonly claims: readonly Claim[];
  /** Texts of dev that stand in the general or domain corpus, word for word. */
  readonly leaked: number;
  readonly seconds: Readonly<Record<string, number>>;
}

/** Pairs of arms that the experiment is about. */
const CLAIMS: readonly (readonly [better: Arm, than: Arm])[] = [
  ['general', 'random'],
  ['dapt', 'general'],
  ['dapt', 'longer'],
  ['tapt', 'general'],
  ['dapt+tapt', 'dapt'],
  ['dapt+tapt', 'tapt'],
];

export function claimsOf(arms: readonly ArmResult[]): Claim[] {
  return CLAIMS.flatMap(([better, than]) =>
    arms
      .filter(({ arm }) => arm === better)
      .flatMap(({ limit, macroF1 }) => {
        const other = arms.find((result) => result.arm === than && result.limit === limit);
        if (other === undefined) return [];
        const difference = spreadOf(macroF1.map((value, seed) => value - other.macroF1[seed]));
        const error = difference.deviation / Math.sqrt(macroF1.length);
        return [{ better, than, limit, difference, supported: difference.mean > 2 * error && difference.mean > 0 }];
      }),
  );
}

/** Scores of the most frequent class and of words counted, with the same training examples. */
export function baselinesOf(
  train: readonly SequenceExample[],
  dev: readonly SequenceExample[],
  labels: readonly string[],
  limit: number,
): FourStepsResults['baselines'] {
  const bayes = new NaiveBayes();
  const counts = labels.map(() => 0);
  for (const { text, labels: own } of train) {
    bayes.learn(text, own?.[0] ?? '');
    counts[labels.indexOf(own?.[0] ?? '')]++;
  }
  const idOf = (label: string | undefined): number => Math.max(0, labels.indexOf(label ?? ''));
  const truths = dev.map((example) => idOf(example.labels?.[0]));
  const most = counts.indexOf(Math.max(...counts));
  const score = (name: 'majority' | 'bag of words', guesses: readonly number[]) => {
    const { accuracy, macro } = classificationReport(truths, guesses, labels);
    return { name, limit, accuracy, macroF1: macro.f1 };
  };
  return [
    score(
      'majority',
      truths.map(() => most),
    ),
    score(
      'bag of words',
      dev.map(({ text }) => idOf(bayes.guess(text))),
    ),
  ];
}

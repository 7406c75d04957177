import type { ProblemCount } from '../../data/tasks/problems.js';
import type { TaskKind } from './task.js';
import type { TrialPoint } from './trial.js';

/** How one fine-tuning went. */
export interface TrialResult {
  readonly lr: number;
  readonly seed: number;
  /** The evaluation whose weights were kept. */
  readonly best: TrialPoint;
  readonly points: readonly TrialPoint[];
  readonly steps: number;
  readonly seconds: number;
  /** Whether it ended before its last epoch because nothing got better. */
  readonly stoppedEarly: boolean;
}

/** Mean and spread of a metric over seeds. */
export interface Spread {
  readonly mean: number;
  /** Sample standard deviation; 0 of a single value. */
  readonly deviation: number;
}

/** All seeds of one learning rate. */
export interface RateSummary {
  readonly lr: number;
  readonly seeds: number;
  readonly values: Readonly<Record<string, Spread>>;
}

/** What is known of a file of examples. */
export interface DataSummary {
  readonly source: string;
  readonly examples: number;
  /** Sequences made of them; more where long texts are read in windows. */
  readonly features: number;
  readonly tokens: number;
  readonly labels: Readonly<Record<string, number>>;
  readonly problems: readonly ProblemCount[];
}

/** results.json: everything a fine-tuning found out. */
export interface FinetuneResults {
  readonly kind: TaskKind;
  /** The metric that decides. */
  readonly metric: string;
  readonly base: string;
  readonly train: DataSummary;
  readonly dev: DataSummary;
  /** Share of the most frequent label on dev; null where there are no classes. */
  readonly majority: number | null;
  readonly trials: readonly TrialResult[];
  readonly summary: readonly RateSummary[];
  /** The trial whose model was kept. */
  readonly kept: { readonly lr: number; readonly seed: number } | null;
  /** Parameters that the base did not have. */
  readonly fresh: readonly string[];
}

export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

/** A row for each learning rate: the best evaluation of each seed, averaged. */
export function summarizeTrials(trials: readonly TrialResult[]): RateSummary[] {
  const rates = [...new Set(trials.map(({ lr }) => lr))];
  return rates.map((lr) => {
    const ours = trials.filter((trial) => trial.lr === lr);
    const names = Object.keys(ours[0].best.measures.values);
    const values = names.map((name) => [name, spreadOf(ours.map(({ best }) => best.measures.values[name]))] as const);
    return { lr, seeds: ours.length, values: Object.fromEntries(values) };
  });
}

/** The trial with the highest value of the first metric; the first of equals. */
export function bestTrial(trials: readonly TrialResult[]): TrialResult | null {
  const worth = ({ best }: TrialResult): number => Object.values(best.measures.values)[0];
  return trials.reduce<TrialResult | null>((best, t) => (best === null || worth(t) > worth(best) ? t : best), null);
}

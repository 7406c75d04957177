import type { BertConfig } from '../../bert/config.js';
import { NO_LABEL } from '../../bert/heads/losses.js';
import { BertForSequenceClassification, type SequenceTargets } from '../../bert/heads/sequence-classification.js';
import type { BertInput } from '../../bert/input.js';
import type { LabelConfig } from '../../bert/labels.js';
import { classificationReport, multiLabelReport } from '../../data/metrics/classification.js';
import { pearson, spearman } from '../../data/metrics/correlation.js';
import { encodeSequence } from '../../data/tasks/encode.js';
import type { Problems } from '../../data/tasks/problems.js';
import type { SequenceExample } from '../../data/tasks/sequence.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { Initializer } from '../../nn/init.js';
import { argmax, type Feature, type Measures, rowsOf, softmax, type Task, type TextSettings } from './task.js';

/** What a model says of a text or a pair. */
export interface SequenceAnswer {
  /** The likeliest class; of several labels all that are likelier than not; of numbers none. */
  readonly labels: readonly string[];
  /** Probability of each label, or the number itself. */
  readonly scores: readonly number[];
}

/** One class of several, several labels at once, or a number, for a text or a pair of texts. */
export class SequenceTask implements Task<SequenceExample, SequenceAnswer> {
  readonly architecture = 'BertForSequenceClassification';
  readonly memory = {};
  private readonly ids: ReadonlyMap<string, number>;

  /** @param classWeights how much an example of each class counts; null: all the same */
  constructor(
    readonly kind: 'classify' | 'pair' | 'regress',
    readonly labelConfig: LabelConfig,
    readonly tokenizer: Tokenizer,
    readonly settings: TextSettings,
    private readonly classWeights: readonly number[] | null = null,
  ) {
    this.ids = new Map(labelConfig.labels.map((label, id) => [label, id]));
  }

  build(config: BertConfig, init: Initializer): BertForSequenceClassification {
    return new BertForSequenceClassification(config, this.labelConfig, { init });
  }

  features(examples: readonly SequenceExample[], notes?: Problems): Feature[] {
    return examples.map((example, i) => {
      const sequence = encodeSequence(this.tokenizer, example.text, example.pair, this.settings);
      if (sequence.cut) notes?.add('long', example.line, `cut to ${this.settings.maxSeq} tokens`);
      return { sequences: [sequence], example: i, target: this.targetOf(example), source: null };
    });
  }

  private targetOf({ labels, value }: SequenceExample): Feature['target'] {
    if (value !== null) return Float32Array.of(value);
    if (labels === null) return null;
    const there = labels.map((label) => this.ids.get(label) ?? NO_LABEL);
    if (this.labelConfig.problemType !== 'multi_label_classification') return Int32Array.from(there.slice(0, 1));
    return Int32Array.from(this.labelConfig.labels, (_, id) => (there.includes(id) ? 1 : 0));
  }

  weight(features: readonly Feature[]): number {
    const { problemType, labels } = this.labelConfig;
    if (problemType !== 'single_label_classification') return features.length * labels.length;
    return features.reduce((sum, { target }) => sum + this.weightOf(target?.[0] ?? NO_LABEL), 0);
  }

  private weightOf(id: number): number {
    return id < 0 ? 0 : (this.classWeights?.[id] ?? 1);
  }

  targets(features: readonly Feature[], _input: BertInput, total: number): SequenceTargets {
    const width = features[0]?.target?.length ?? 0;
    const real = this.labelConfig.problemType === 'regression';
    const labels = new (real ? Float32Array : Int32Array)(features.length * width);
    for (const [i, { target }] of features.entries()) labels.set(target ?? [], i * width);
    if (this.classWeights === null || labels instanceof Float32Array) return { labels, total };
    return { labels, weights: Float32Array.from(labels, (id) => this.weightOf(id)), total };
  }

  split(logits: ArrayLike<number>, features: readonly Feature[]): Float32Array[] {
    return features.map((_, i) => rowsOf(logits, i, i + 1, this.labelConfig.labels.length));
  }

  answers(_: readonly SequenceExample[], __: readonly Feature[], outputs: readonly Float32Array[]): SequenceAnswer[] {
    const { problemType, labels } = this.labelConfig;
    return outputs.map((logits) => {
      if (problemType === 'regression') return { labels: [], scores: Array.from(logits) };
      if (problemType === 'single_label_classification') {
        return { labels: [labels[argmax(logits)]], scores: softmax(logits) };
      }
      return {
        labels: labels.filter((_label, i) => logits[i] > 0),
        scores: Array.from(logits, (x) => 1 / (1 + Math.exp(-x))),
      };
    });
  }

  measure(examples: readonly SequenceExample[], answers: readonly SequenceAnswer[]): Measures {
    const { problemType, labels } = this.labelConfig;
    if (problemType === 'regression') return regression(examples, answers);
    if (problemType === 'multi_label_classification') return several(examples, answers, labels);
    const idOf = (label: string | undefined): number => this.ids.get(label ?? '') ?? 0;
    const truths = examples.map((example) => idOf(example.labels?.[0]));
    const report = classificationReport(
      truths,
      answers.map((answer) => idOf(answer.labels[0])),
      labels,
    );
    return {
      values: {
        accuracy: report.accuracy,
        macro_f1: report.macro.f1,
        mcc: report.mcc,
        weighted_f1: report.weighted.f1,
      },
      perClass: report.perClass.map(({ label, ...row }) => ({ name: label, ...row })),
      confusion: { labels, counts: report.confusion },
    };
  }

  judge({ labels, value }: SequenceExample, answer: SequenceAnswer): { truth: unknown; correct: boolean | null } {
    if (value !== null || labels === null) return { truth: value, correct: null };
    const same = labels.length === answer.labels.length && labels.every((label) => answer.labels.includes(label));
    const one = this.labelConfig.problemType === 'single_label_classification';
    return { truth: one ? labels[0] : labels, correct: same };
  }

  describe({ text, pair }: SequenceExample, { labels: said, scores }: SequenceAnswer): Record<string, unknown> {
    const { problemType, labels } = this.labelConfig;
    const texts = pair === null ? { text } : { text, pair };
    if (problemType === 'regression') return { ...texts, value: scores.length === 1 ? scores[0] : scores };
    const named = Object.fromEntries(labels.map((label, i) => [label, scores[i]]));
    if (problemType === 'multi_label_classification') return { ...texts, labels: said, scores: named };
    return { ...texts, label: said[0], score: named[said[0]], scores: named };
  }
}

function regression(examples: readonly SequenceExample[], answers: readonly SequenceAnswer[]): Measures {
  const truths = examples.map(({ value }) => value ?? 0);
  const guesses = answers.map(({ scores }) => scores[0]);
  const squares = truths.reduce((sum, truth, i) => sum + (truth - guesses[i]) ** 2, 0);
  return {
    values: {
      pearson: pearson(guesses, truths),
      spearman: spearman(guesses, truths),
      mse: squares / Math.max(1, truths.length),
    },
  };
}

function several(
  examples: readonly SequenceExample[],
  answers: readonly SequenceAnswer[],
  labels: readonly string[],
): Measures {
  const flags = (rows: readonly { readonly labels: readonly string[] | null }[]): boolean[][] =>
    rows.map((row) => labels.map((label) => row.labels?.includes(label) ?? false));
  const report = multiLabelReport(flags(examples), flags(answers), labels);
  return {
    values: { micro_f1: report.micro.f1, macro_f1: report.macro.f1, exact_match: report.exactMatch },
    perClass: report.perClass.map(({ label, ...row }) => ({ name: label, ...row })),
  };
}

import type { BertConfig } from '../../bert/config.js';
import { NO_LABEL } from '../../bert/heads/losses.js';
import { BertForTokenClassification, type TokenTargets } from '../../bert/heads/token-classification.js';
import type { BertInput } from '../../bert/input.js';
import type { LabelConfig } from '../../bert/labels.js';
import { classificationReport } from '../../data/metrics/classification.js';
import { entitiesOf, entityReport, strictBio, strictBioes } from '../../data/metrics/entities.js';
import { idsOf, joined } from '../../data/tasks/encode.js';
import type { Problems } from '../../data/tasks/problems.js';
import { schemeOf, type TagExample } from '../../data/tasks/tags.js';
import { ownerOf, windowsOver } from '../../data/tasks/windows.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { Initializer } from '../../nn/init.js';
import { argmax, type Feature, type Measures, rowsOf, softmax, type Task, type TextSettings } from './task.js';

/** A tag for each word, and how sure it is. */
export interface TagAnswer {
  readonly tags: readonly string[];
  readonly scores: readonly number[];
}

/** Places of `source` that stand for no word: special tokens, later pieces of a word, words that another window tells of. */
const NO_WORD = -1;

/**
 * A tag for each word. Its first piece carries the label, the others none; a sentence that is too long is read in windows,
 * and each word is told of by the window in which it has the most context, so that none is lost.
 */
export class TagTask implements Task<TagExample, TagAnswer> {
  readonly kind = 'tag';
  readonly architecture = 'BertForTokenClassification';
  readonly memory = {};
  private readonly ids: ReadonlyMap<string, number>;
  /** What a word gets that has no piece, such as a control character. */
  private readonly outside: string;

  constructor(
    readonly labelConfig: LabelConfig,
    readonly tokenizer: Tokenizer,
    readonly settings: TextSettings,
    private readonly classWeights: readonly number[] | null = null,
  ) {
    this.ids = new Map(labelConfig.labels.map((label, id) => [label, id]));
    this.outside = this.ids.has('O') ? 'O' : labelConfig.labels[0];
  }

  build(config: BertConfig, init: Initializer): BertForTokenClassification {
    return new BertForTokenClassification(config, this.labelConfig, { init });
  }

  features(examples: readonly TagExample[], notes?: Problems): Feature[] {
    return examples.flatMap((example, i) => this.windowsOf(example, i, notes));
  }

  private windowsOf({ words, tags, line }: TagExample, example: number, notes?: Problems): Feature[] {
    const { maxSeq, stride } = this.settings;
    const pieces = words.map((word) => idsOf(this.tokenizer, word));
    const starts = [0];
    for (const ids of pieces) starts.push((starts.at(-1) ?? 0) + ids.length);
    const all = Int32Array.from(pieces.flatMap((ids) => Array.from(ids)));
    const windows = windowsOver(starts, maxSeq - 2, Math.min(stride, maxSeq - 2));
    if (windows.length > 1) notes?.add('long', line, `read in windows of ${maxSeq} tokens`);
    return windows.map(({ first, end }, w) => {
      const sequence = joined(this.tokenizer, all.slice(first, end), null);
      const source = new Int32Array(sequence.ids.length).fill(NO_WORD);
      const target = new Int32Array(sequence.ids.length).fill(NO_LABEL);
      for (const [word, start] of starts.slice(0, -1).entries()) {
        if (pieces[word].length === 0 || start < first || start >= end || ownerOf(windows, start) !== w) continue;
        source[1 + start - first] = word;
        if (tags !== null) target[1 + start - first] = this.ids.get(tags[word]) ?? NO_LABEL;
      }
      return { sequences: [sequence], example, target: tags === null ? null : target, source };
    });
  }

  private weightOf(id: number): number {
    return id < 0 ? 0 : (this.classWeights?.[id] ?? 1);
  }

  weight(features: readonly Feature[]): number {
    let sum = 0;
    for (const { target } of features) for (const id of target ?? []) sum += this.weightOf(id);
    return sum;
  }

  targets(features: readonly Feature[], input: BertInput, total: number): TokenTargets {
    const labels = new Int32Array(input.rows).fill(NO_LABEL);
    for (const [s, { target }] of features.entries()) labels.set(target ?? [], input.offsets[s]);
    if (this.classWeights === null) return { labels, total };
    return { labels, weights: Float32Array.from(labels, (id) => this.weightOf(id)), total };
  }

  split(logits: ArrayLike<number>, features: readonly Feature[], { offsets }: BertInput): Float32Array[] {
    return features.map((_, s) => rowsOf(logits, offsets[s], offsets[s + 1], this.labelConfig.labels.length));
  }

  answers(
    examples: readonly TagExample[],
    features: readonly Feature[],
    outputs: readonly Float32Array[],
  ): TagAnswer[] {
    const { labels } = this.labelConfig;
    const answers = examples.map(({ words }) => ({ tags: words.map(() => this.outside), scores: words.map(() => 1) }));
    for (const [f, { example, source }] of features.entries()) {
      for (const [token, word] of (source ?? []).entries()) {
        if (word === NO_WORD) continue;
        const logits = outputs[f].subarray(token * labels.length, (token + 1) * labels.length);
        const best = argmax(logits);
        answers[example].tags[word] = labels[best];
        answers[example].scores[word] = softmax(logits)[best];
      }
    }
    return answers;
  }

  measure(examples: readonly TagExample[], answers: readonly TagAnswer[]): Measures {
    const [truths, guesses] = [examples.map(({ tags }) => tags ?? []), answers.map(({ tags }) => tags)];
    const idOf = (tag: string): number => this.ids.get(tag) ?? 0;
    const words = classificationReport(truths.flat().map(idOf), guesses.flat().map(idOf), this.labelConfig.labels);
    const scheme = schemeOf(this.labelConfig.labels);
    if (scheme === null) {
      return {
        values: { accuracy: words.accuracy, macro_f1: words.macro.f1 },
        perClass: words.perClass.map(({ label, ...row }) => ({ name: label, ...row })),
      };
    }
    const report = entityReport(truths, guesses, entitiesOf);
    const strict = entityReport(truths, guesses, scheme === 'BIO' ? strictBio : strictBioes);
    return {
      values: {
        entity_f1: report.f1,
        entity_precision: report.precision,
        entity_recall: report.recall,
        strict_entity_f1: strict.f1,
        word_accuracy: words.accuracy,
      },
      perClass: report.perType.map(({ type, ...row }) => ({ name: type, ...row })),
    };
  }

  judge({ tags }: TagExample, answer: TagAnswer): { truth: unknown; correct: boolean | null } {
    return { truth: tags, correct: tags === null ? null : tags.every((tag, i) => tag === answer.tags[i]) };
  }

  describe({ words }: TagExample, { tags, scores }: TagAnswer): Record<string, unknown> {
    const entities = entitiesOf(tags).map(({ type, start, end }) => {
      const sure = scores.slice(start, end).reduce((sum, score) => sum + score, 0) / (end - start);
      return { type, start, end, words: words.slice(start, end), score: sure };
    });
    return schemeOf(this.labelConfig.labels) === null ? { words, tags } : { words, tags, entities };
  }
}

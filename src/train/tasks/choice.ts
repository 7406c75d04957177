import type { BertConfig } from '../../bert/config.js';
import { NO_LABEL } from '../../bert/heads/losses.js';
import { BertForMultipleChoice, type ChoiceTargets } from '../../bert/heads/multiple-choice.js';
import type { BertInput } from '../../bert/input.js';
import { DataError } from '../../core/errors.js';
import type { ChoiceExample } from '../../data/tasks/choice.js';
import { encodeSequence } from '../../data/tasks/encode.js';
import type { Problems } from '../../data/tasks/problems.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { Initializer } from '../../nn/init.js';
import { argmax, type Feature, type Measures, rowsOf, softmax, type Task, type TextSettings } from './task.js';

/** Which choice, and the probability of each. */
export interface ChoiceAnswer {
  readonly choice: number;
  readonly scores: readonly number[];
}

/** Which of several texts goes with a question: each is read as a pair with it. */
export class ChoiceTask implements Task<ChoiceExample, ChoiceAnswer> {
  readonly kind = 'choice';
  readonly architecture = 'BertForMultipleChoice';
  readonly labelConfig = null;
  readonly memory = {};

  constructor(
    readonly tokenizer: Tokenizer,
    readonly settings: TextSettings,
  ) {}

  build(config: BertConfig, init: Initializer): BertForMultipleChoice {
    return new BertForMultipleChoice(config, { init });
  }

  features(examples: readonly ChoiceExample[], notes?: Problems): Feature[] {
    return examples.map(({ question, choices, answer, line }, i) => {
      const sequences = choices.map((choice) => encodeSequence(this.tokenizer, question, choice, this.settings));
      if (sequences.some(({ cut }) => cut)) notes?.add('long', line, `cut to ${this.settings.maxSeq} tokens`);
      return { sequences, example: i, target: answer === null ? null : Int32Array.of(answer), source: null };
    });
  }

  weight(features: readonly Feature[]): number {
    return features.filter(({ target }) => target !== null).length;
  }

  targets(features: readonly Feature[], _input: BertInput, total: number): ChoiceTargets {
    const choices = features[0]?.sequences.length ?? 0;
    const odd = features.find(({ sequences }) => sequences.length !== choices);
    if (odd !== undefined) {
      throw new DataError(
        `questions with ${choices} and with ${odd.sequences.length} choices cannot be learnt together`,
        {
          code: 'DATA-TASK',
          fix: 'give every question as many choices',
        },
      );
    }
    return { labels: Int32Array.from(features, ({ target }) => target?.[0] ?? NO_LABEL), choices, total };
  }

  split(logits: ArrayLike<number>, features: readonly Feature[]): Float32Array[] {
    let at = 0;
    return features.map(({ sequences }) => {
      at += sequences.length;
      return rowsOf(logits, at - sequences.length, at, 1);
    });
  }

  answers(_: readonly ChoiceExample[], __: readonly Feature[], outputs: readonly Float32Array[]): ChoiceAnswer[] {
    return outputs.map((logits) => ({ choice: argmax(logits), scores: softmax(logits) }));
  }

  measure(examples: readonly ChoiceExample[], answers: readonly ChoiceAnswer[]): Measures {
    const right = examples.filter(({ answer }, i) => answer === answers[i].choice).length;
    return { values: { accuracy: right / Math.max(1, examples.length) } };
  }

  judge({ answer }: ChoiceExample, { choice }: ChoiceAnswer): { truth: unknown; correct: boolean | null } {
    return { truth: answer, correct: answer === null ? null : answer === choice };
  }

  describe({ question, choices }: ChoiceExample, { choice, scores }: ChoiceAnswer): Record<string, unknown> {
    return { question, choice, text: choices[choice], scores };
  }
}

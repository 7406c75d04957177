import type { BertConfig } from '../../bert/config.js';
import { NO_LABEL } from '../../bert/heads/losses.js';
import { BertForQuestionAnswering, type SpanTargets } from '../../bert/heads/question-answering.js';
import type { BertInput } from '../../bert/input.js';
import { type AnswerRules, answerReport, compareAnswer } from '../../data/metrics/answers.js';
import { idsOf, joined } from '../../data/tasks/encode.js';
import type { Problems } from '../../data/tasks/problems.js';
import type { QaExample } from '../../data/tasks/squad.js';
import { ownerOf, type Window, windowsOver } from '../../data/tasks/windows.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { Initializer } from '../../nn/init.js';
import { bestSpans, type QaAnswer, type WindowScores } from './spans.js';
import type { Feature, Measures, Task, TextSettings } from './task.js';

/** How answers are found and compared. */
export interface QaSettings {
  /** Whether a text may hold no answer (SQuAD 2.0); otherwise one is always given. */
  readonly nullable: boolean;
  /** No answer when its score is above that of the best answer by more than this. */
  readonly nullThreshold: number;
  /** Most tokens of an answer. */
  readonly maxAnswer: number;
  /** Most tokens of a question; the rest is cut off. */
  readonly maxQuestion: number;
  readonly rules: AnswerRules;
}

export const QA_DEFAULTS: QaSettings = {
  nullable: false,
  nullThreshold: 0,
  maxAnswer: 30,
  maxQuestion: 64,
  rules: 'squad',
};

/** Where the answer to a question stands in a text (google-research/bert run_squad.py). */
export class QaTask implements Task<QaExample, QaAnswer> {
  readonly kind = 'qa';
  readonly architecture = 'BertForQuestionAnswering';
  readonly labelConfig = null;
  readonly memory: Readonly<Record<string, string | number | boolean>>;

  constructor(
    readonly tokenizer: Tokenizer,
    readonly settings: TextSettings,
    private readonly qa: QaSettings = QA_DEFAULTS,
  ) {
    this.memory = { ...qa };
  }

  build(config: BertConfig, init: Initializer): BertForQuestionAnswering {
    return new BertForQuestionAnswering(config, { init });
  }

  features(examples: readonly QaExample[], notes?: Problems): Feature[] {
    return examples.flatMap((example, i) => this.windowsOf(example, i, notes));
  }

  private windowsOf(example: QaExample, index: number, notes?: Problems): Feature[] {
    const { maxSeq, stride } = this.settings;
    const most = Math.min(this.qa.maxQuestion, Math.floor(maxSeq / 2));
    const question = idsOf(this.tokenizer, example.question).slice(0, most);
    const { ids, from, to } = this.tokenizer.pieces(example.context);
    const room = maxSeq - question.length - 3;
    const bounds = Int32Array.from({ length: ids.length + 1 }, (_, i) => i);
    const windows = windowsOver(bounds, room, Math.min(stride, room));
    if (windows.length > 1) notes?.add('long', `question ${example.line}`, `read in windows of ${maxSeq} tokens`);
    const answer = example.answers.find(({ start }) => start >= 0);
    const last = answer === undefined ? -1 : from.findLastIndex((at) => at < answer.start + answer.text.length);
    const first = answer === undefined ? -1 : to.findIndex((at) => at > answer.start);
    return windows.map((window, w) => ({
      sequences: [joined(this.tokenizer, question, Int32Array.from(ids.slice(window.first, window.end)))],
      example: index,
      target: placeOf(window, first, last, question.length + 2),
      source: sourceOf(windows, w, from, to, question.length + 2),
    }));
  }

  weight(features: readonly Feature[]): number {
    return features.length;
  }

  targets(features: readonly Feature[], _input: BertInput, total: number): SpanTargets {
    const of = (i: number): Int32Array => Int32Array.from(features, ({ target }) => target?.[i] ?? NO_LABEL);
    return { starts: of(0), ends: of(1), total };
  }

  split(logits: ArrayLike<number>, features: readonly Feature[], { maxSeq, sequences }: BertInput): Float32Array[] {
    return features.map((feature, s) => {
      const length = feature.sequences[0].ids.length;
      const both = new Float32Array(2 * length);
      for (let i = 0; i < length; i++) {
        both[i] = logits[s * maxSeq + i];
        both[length + i] = logits[(sequences + s) * maxSeq + i];
      }
      return both;
    });
  }

  answers(examples: readonly QaExample[], features: readonly Feature[], outputs: readonly Float32Array[]): QaAnswer[] {
    const windows: WindowScores[][] = examples.map(() => []);
    for (const [f, { example, source }] of features.entries()) {
      const half = outputs[f].length / 2;
      const [starts, ends] = [outputs[f].subarray(0, half), outputs[f].subarray(half)];
      windows[example].push({ starts, ends, source: source ?? new Int32Array(0) });
    }
    return examples.map(({ context }, i) => bestSpans(context, windows[i], this.qa));
  }

  measure(examples: readonly QaExample[], answers: readonly QaAnswer[]): Measures {
    const truths = examples.map((example) => example.answers.map(({ text }) => text));
    const { f1, exact, hasAnswer, noAnswer } = answerReport(
      answers.map(({ text }) => text),
      truths,
      this.qa.rules,
    );
    const parts =
      hasAnswer === null || noAnswer === null
        ? {}
        : { has_answer_f1: hasAnswer.f1, no_answer_accuracy: noAnswer.exact };
    return { values: { f1, exact_match: exact, ...parts } };
  }

  judge({ answers }: QaExample, { text }: QaAnswer): { truth: unknown; correct: boolean | null } {
    const truths = answers.map((answer) => answer.text);
    return { truth: truths, correct: compareAnswer(text, truths, this.qa.rules).exact === 1 };
  }

  describe({ id, question }: QaExample, { text, score, start, end, best }: QaAnswer): Record<string, unknown> {
    const where = text === '' ? { start: null, end: null } : { start, end };
    return { id, question, answer: text, score, ...where, n_best: best };
  }
}

/** First and last token of the answer in the sequence of a window; 0 and 0, [CLS], when it is not whole in it. */
function placeOf(window: Window, first: number, last: number, shift: number): Int32Array {
  if (first < window.first || last >= window.end || last < first) return Int32Array.of(0, 0);
  return Int32Array.of(first - window.first + shift, last - window.first + shift);
}

/**
 * For each token of a window's sequence where its text begins and ends, and whether it has its most context here;
 * [3 * tokens], -1 for tokens that are not of the text.
 */
function sourceOf(
  windows: readonly Window[],
  w: number,
  from: readonly number[],
  to: readonly number[],
  shift: number,
): Int32Array {
  const { first, end } = windows[w];
  const source = new Int32Array(3 * (shift + end - first + 1)).fill(-1);
  for (let piece = first; piece < end; piece++) {
    const at = 3 * (shift + piece - first);
    source[at] = from[piece];
    source[at + 1] = to[piece];
    source[at + 2] = ownerOf(windows, piece) === w ? 1 : 0;
  }
  return source;
}

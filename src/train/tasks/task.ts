import type { Architecture } from '../../bert/architectures.js';
import type { BertConfig } from '../../bert/config.js';
import type { HeadModel } from '../../bert/heads/head-model.js';
import type { BertInput } from '../../bert/input.js';
import type { LabelConfig } from '../../bert/labels.js';
import type { Sequence, Truncation } from '../../data/tasks/encode.js';
import type { Problems } from '../../data/tasks/problems.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { Initializer } from '../../nn/init.js';

/** What a model can be fine-tuned for. */
export type TaskKind = 'classify' | 'pair' | 'regress' | 'tag' | 'qa' | 'choice';
export const TASK_KINDS: readonly TaskKind[] = ['classify', 'pair', 'regress', 'tag', 'qa', 'choice'];

/** How texts are cut into sequences; kept beside a fine-tuned model in task.json. */
export interface TextSettings {
  readonly maxSeq: number;
  readonly truncate: Truncation;
  /** Tokens from the beginning of one window to that of the next, where a long text is read in windows. */
  readonly stride: number;
}

/** What the encoder reads of an example, or of a part of a long one, and what is known of it. */
export interface Feature {
  /** One sequence; of a question with choices one a choice. */
  readonly sequences: readonly Sequence[];
  /** Index of the example it stems from. */
  readonly example: number;
  /** In the form that the task's targets take it; null when nothing is known. */
  readonly target: Int32Array | Float32Array | null;
  /** What the task needs to find its way back to the text. */
  readonly source: Int32Array | null;
}

/** A row of a table of scores: of a class, a type of entity, a kind of question. */
export interface ScoreRow {
  readonly name: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
}

/** What a model's answers are worth. */
export interface Measures {
  /** Every metric by its name, in the order in which they are shown; the first decides which checkpoint is the best. */
  readonly values: Readonly<Record<string, number>>;
  readonly perClass?: readonly ScoreRow[];
  /** [true class][guessed class], with their names. */
  readonly confusion?: { readonly labels: readonly string[]; readonly counts: readonly (readonly number[])[] };
}

/** How examples of a kind become numbers for the encoder, and numbers answers. Knows nothing of training. */
export interface Task<Example, Answer> {
  readonly kind: TaskKind;
  readonly architecture: Architecture;
  /** Null where answers are places in the text. */
  readonly labelConfig: LabelConfig | null;
  readonly tokenizer: Tokenizer;
  readonly settings: TextSettings;
  /** Whatever else task.json must remember. */
  readonly memory: Readonly<Record<string, string | number | boolean>>;
  build(config: BertConfig, init: Initializer): HeadModel<unknown>;
  /** @param notes is told of texts that are too long */
  features(examples: readonly Example[], notes?: Problems): Feature[];
  /** How much the targets of features count together: the total that a loss is divided by. */
  weight(features: readonly Feature[]): number;
  targets(features: readonly Feature[], input: BertInput, total: number): unknown;
  /** The part of the logits that belongs to each feature. */
  split(logits: ArrayLike<number>, features: readonly Feature[], input: BertInput): Float32Array[];
  /** @param outputs of `split`, a row for each feature */
  answers(examples: readonly Example[], features: readonly Feature[], outputs: readonly Float32Array[]): Answer[];
  measure(examples: readonly Example[], answers: readonly Answer[]): Measures;
  /** An answer as `predict` writes it, with the text. */
  describe(example: Example, answer: Answer): Record<string, unknown>;
  /** What is true of an example, and whether the answer says so: what an evaluation adds to a description. */
  judge(example: Example, answer: Answer): { readonly truth: unknown; readonly correct: boolean | null };
}

/** Rows first .. end - 1 of a matrix of `width` columns, as single precision. */
export function rowsOf(logits: ArrayLike<number>, first: number, end: number, width: number): Float32Array {
  const part = new Float32Array((end - first) * width);
  for (let i = 0; i < part.length; i++) part[i] = logits[first * width + i];
  return part;
}

/** exp of each over their sum, in double precision. */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const most = Math.max(...values);
  const powers = values.map((x) => Math.exp(x - most));
  const total = powers.reduce((sum, p) => sum + p, 0);
  return powers.map((p) => p / total);
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

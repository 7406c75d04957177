import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ColumnRequest } from '../data/tasks/columns.js';
import { TRUNCATIONS, type Truncation } from '../data/tasks/encode.js';
import type { Freeze } from '../train/tasks/rates.js';
import { TASK_KINDS, type TaskKind } from '../train/tasks/task.js';
import { fraction, positiveInt, wholeNumber } from './options.js';

/** What a user may say about the columns of a file. */
export interface ColumnFlags {
  readonly text?: string;
  readonly pair?: string;
  readonly label?: string;
}

export const addColumnOptions = (command: Command): Command =>
  command
    .optionsGroup('Data:')
    .option('--text <column>', 'column of the text, by name or number (default: guessed, and said)')
    .option('--pair <column>', 'column of the second text of a pair')
    .option('--label <column>', 'column of the label, or of the number')
    .option('--skip-bad', 'leave rows out that cannot be used, instead of failing; they are counted and named');

/** The columns of every kind of task that the three options stand for. */
export function columnsOf({ text, pair, label }: ColumnFlags): ColumnRequest {
  return {
    ...(text === undefined ? {} : { text, words: text, question: text }),
    ...(pair === undefined ? {} : { pair, choices: pair, context: pair }),
    ...(label === undefined ? {} : { label, tags: label }),
  };
}

/** What a user may say about long texts. */
export interface TextFlags {
  readonly maxSeq?: number;
  readonly truncate?: Truncation;
  readonly stride?: number;
}

export const addTextOptions = (command: Command): Command =>
  command
    .optionsGroup('Long texts:')
    .option(
      '--max-seq <n>',
      "tokens of a sequence (default: the model's positions, 512 at most; 384 for qa)",
      wholeNumber(8),
    )
    .addOption(
      new Option('--truncate <how>', 'what stays of a text that is too long (default: head)').choices([...TRUNCATIONS]),
    )
    .option('--stride <n>', 'tokens between the windows of tag and qa (default: a third of a sequence)', positiveInt);

/** How the answers of qa are found and compared. */
export interface QaFlags {
  readonly null?: boolean;
  readonly nullThreshold?: number;
  readonly maxAnswer?: number;
  readonly answerRules?: 'squad' | 'cmrc';
}

const anyNumber = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
};

export const addQaOptions = (command: Command): Command =>
  command
    .optionsGroup('Question answering:')
    .option('--null', 'a text may hold no answer (default: if some training question has none)')
    .option('--null-threshold <x>', 'no answer when it scores higher than the best one by more than this', anyNumber)
    .option('--max-answer <n>', 'most tokens of an answer (default: 30)', positiveInt)
    .addOption(
      new Option('--answer-rules <whose>', 'how answers are compared (default: squad)').choices(['squad', 'cmrc']),
    );

/** What of the settings was given, under the names that a model remembers them by. */
export function settingsGiven(flags: TextFlags & QaFlags): Record<string, string | number | boolean> {
  const { maxSeq, truncate, stride, nullThreshold, maxAnswer, answerRules, null: nullable } = flags;
  const given = { maxSeq, truncate, stride, nullThreshold, maxAnswer, rules: answerRules, nullable };
  return Object.fromEntries(Object.entries(given).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
}

/** `classify`, `pair` and so on. */
export const taskKind = (text: string): TaskKind => {
  const kind = TASK_KINDS.find((known) => known === text);
  if (kind !== undefined) return kind;
  throw new InvalidArgumentError(`It must be one of ${TASK_KINDS.join(', ')}.`);
};

/** `none`, `embeddings`, a number of layers, or `encoder`. */
export const freezeOption = (text: string): Freeze => {
  if (text === 'none' || text === 'encoder') return text;
  if (text === 'embeddings') return 0;
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be none, embeddings, a number of layers, or encoder.');
};

/** `balanced`, or `label=weight` with commas between. */
export const classWeightsOption = (text: string): 'balanced' | Record<string, number> => {
  if (text === 'balanced') return text;
  const weights: Record<string, number> = Object.create(null);
  for (const part of text.split(',')) {
    const at = part.lastIndexOf('=');
    const weight = Number(part.slice(at + 1));
    if (at < 1 || !(weight >= 0) || !Number.isFinite(weight) || part.slice(at + 1).trim() === '') {
      throw new InvalidArgumentError('It must be balanced, or label=weight with commas between.');
    }
    weights[part.slice(0, at)] = weight;
  }
  return weights;
};

export const layerDecayOption = (text: string): number => {
  const value = fraction(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a number above 0 and at most 1.');
};

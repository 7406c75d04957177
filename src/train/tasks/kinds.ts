import type { LabelConfig, ProblemType } from '../../bert/labels.js';
import { DataError } from '../../core/errors.js';
import type { RawTable } from '../../core/raw-table.js';
import type { AnswerRules } from '../../data/metrics/answers.js';
import { type ChoiceExample, readChoices } from '../../data/tasks/choice.js';
import type { ColumnRequest } from '../../data/tasks/columns.js';
import { labelSet, type Read, readSequences, type SequenceExample } from '../../data/tasks/sequence.js';
import { type QaExample, readSquad } from '../../data/tasks/squad.js';
import { readConll, readTagRecords, type TagExample, tagSet } from '../../data/tasks/tags.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import { readAllLines, readJsonValue, readTable, tableFormat } from '../../io/table.js';
import { type ChoiceAnswer, ChoiceTask } from './choice.js';
import { QA_DEFAULTS, QaTask } from './qa.js';
import { type SequenceAnswer, SequenceTask } from './sequence.js';
import type { QaAnswer } from './spans.js';
import { type TagAnswer, TagTask } from './tag.js';
import type { Task, TaskKind, TextSettings } from './task.js';

/** How a file of examples is read. */
export interface ReadRequest {
  readonly columns: ColumnRequest;
  /** Labels the model knows; undefined: any. */
  readonly known?: ReadonlySet<string>;
  /** Several labels an example. */
  readonly multiLabel: boolean;
}

/** What a task is made from, besides its examples. */
export interface TaskRecipe {
  readonly labels: LabelConfig | null;
  readonly tokenizer: Tokenizer;
  readonly settings: TextSettings;
  readonly classWeights: readonly number[] | null;
  /** What task.json remembers, or a user asks for. */
  readonly memory: Readonly<Record<string, unknown>>;
}

/** All that the kinds of tasks do differently. */
export interface Kind<E, A> {
  /** Examples with their answers, from a file. */
  read(path: string, request: ReadRequest): Promise<Read<E>>;
  /** Examples without answers, from records or from lines of text. */
  parse(table: RawTable, columns: ColumnRequest, tokenizer: Tokenizer): Read<E>;
  /** Labels of examples that are to be learnt; null where the answers are none. @throws {DataError} one class only */
  learn(examples: readonly E[], multiLabel: boolean): LabelConfig | null;
  /** How often each label occurs, in the order of `labels`. */
  counts(examples: readonly E[], labels: readonly string[]): number[];
  make(recipe: TaskRecipe): Task<E, A>;
  /** What the training examples tell of how the task is to be understood, where the user says nothing. */
  remember(examples: readonly E[]): Record<string, string | number | boolean>;
  /** The texts of an example, for adaptation to a task. */
  texts(example: E): string[];
}

function labelled(labels: readonly string[], problemType: ProblemType): LabelConfig {
  if (labels.length > 1) return { labels, problemType };
  throw new DataError(`all examples have one label, ${JSON.stringify(labels[0] ?? '')}: there is nothing to learn`, {
    code: 'DATA-ONE-CLASS',
    fix: 'look at the label column: --label <column> names another',
  });
}

const count = (found: readonly (readonly string[] | null)[], labels: readonly string[]): number[] => {
  const counts = new Map<string, number>();
  for (const one of found) for (const label of one ?? []) counts.set(label, (counts.get(label) ?? 0) + 1);
  return labels.map((label) => counts.get(label) ?? 0);
};

const required = (labels: LabelConfig | null): LabelConfig => {
  if (labels === null) throw new Error('this kind of task has labels');
  return labels;
};

/** Classes, sets of labels and numbers, of texts and of pairs. */
export const sequenceKind = (kind: 'classify' | 'pair' | 'regress'): Kind<SequenceExample, SequenceAnswer> => ({
  async read(path, { columns, known, multiLabel }) {
    const table = await readTable(path);
    const target = kind === 'regress' ? 'value' : multiLabel ? 'labels' : 'class';
    const pairs = kind === 'pair' || columns.pair !== undefined || (kind === 'regress' && looksPaired(table));
    return readSequences(table, { pairs, target, columns, ...(known === undefined ? {} : { known }) });
  },
  parse(table, columns) {
    const pairs = kind === 'pair' || columns.pair !== undefined || (kind === 'regress' && looksPaired(table));
    return readSequences(table, { pairs, target: 'none', columns });
  },
  learn(examples, multiLabel) {
    if (kind === 'regress') return { labels: ['score'], problemType: 'regression' };
    return labelled(labelSet(examples), multiLabel ? 'multi_label_classification' : 'single_label_classification');
  },
  counts: (examples, labels) =>
    count(
      examples.map((example) => example.labels),
      labels,
    ),
  make: ({ labels, tokenizer, settings, classWeights }) =>
    new SequenceTask(kind, required(labels), tokenizer, settings, classWeights),
  remember: () => ({}),
  texts: ({ text, pair }) => (pair === null ? [text] : [text, pair]),
});

const PAIRED = /^(sentence2|text_b|text_pair|pair|hypothesis|question2|2)$/i;
/** Whether a table has a column that only the second text of a pair is called. */
function looksPaired({ rows }: RawTable): boolean {
  const [first] = rows;
  return (first?.cells ?? [...(first?.record.keys() ?? [])]).some((name) => PAIRED.test(name.trim()));
}

export const tagKind: Kind<TagExample, TagAnswer> = {
  async read(path, { columns, known }) {
    const format = tableFormat(path);
    const given = known === undefined ? {} : { known };
    if (format === 'jsonl' || format === 'json' || format === 'parquet') {
      return readTagRecords(await readTable(path), { columns, tagged: true, ...given });
    }
    const read = readConll(await readAllLines(path), path, known);
    if (read.examples.some(({ tags }) => tags !== null) || read.problems.counts().length > 0) return read;
    throw new DataError(`${path}: no column of tags was found`, {
      code: 'DATA-COLUMN',
      where: path,
      fix: 'a line is a word, a tab and its tag, such as Paris<tab>B-LOC; a blank line ends a sentence',
    });
  },
  parse(table, columns, tokenizer) {
    const rows = table.rows.map(({ line, cells, record }) => {
      const text = cells?.[0] ?? record.get(columns.text ?? 'text');
      const words = typeof text === 'string' && !record.has('words') ? wordsOf(text, tokenizer) : null;
      return { line, cells: null, record: words === null ? record : new Map([...record, ['words', words] as const]) };
    });
    return readTagRecords({ ...table, rows }, { columns: { words: 'words' }, tagged: false });
  },
  learn: (examples) => labelled(tagSet(examples), 'single_label_classification'),
  counts: (examples, labels) =>
    count(
      examples.map(({ tags }) => tags),
      labels,
    ),
  make: ({ labels, tokenizer, settings, classWeights }) =>
    new TagTask(required(labels), tokenizer, settings, classWeights),
  remember: () => ({}),
  texts: ({ words }) => [words.join(/\p{Script=Han}/u.test(words.join('')) ? '' : ' ')],
};

/** The words that the tokenizer sees in a text, as they stand there. */
export function wordsOf(text: string, tokenizer: Tokenizer): string[] {
  const { from, to, continues } = tokenizer.pieces(text);
  const spans: { start: number; end: number }[] = [];
  for (const [i, start] of from.entries()) {
    const last = spans.at(-1);
    if (continues[i] && last !== undefined) last.end = to[i];
    else spans.push({ start, end: to[i] });
  }
  return spans.map(({ start, end }) => text.slice(start, end));
}

export const qaKind: Kind<QaExample, QaAnswer> = {
  async read(path) {
    const format = tableFormat(path);
    if (format === 'json' || format === null) return readSquad(await readJsonValue(path), path);
    const { rows } = await readTable(path);
    return readSquad(
      rows.map(({ record }) => Object.fromEntries(record)),
      path,
    );
  },
  parse({ source, rows }) {
    const reads = rows.map(({ line, record }) => ({
      line,
      read: readSquad([Object.fromEntries(record)], source, false),
    }));
    const [first] = reads;
    if (first === undefined) return readSquad([{}], source, false);
    const examples = reads.flatMap(({ line, read }) => read.examples.map((example) => ({ ...example, line })));
    return { examples, problems: first.read.problems, said: '' };
  },
  learn: () => null,
  counts: () => [],
  make({ tokenizer, settings, memory }) {
    const known = { ...QA_DEFAULTS };
    const pick = <K extends keyof typeof known>(key: K): (typeof known)[K] =>
      typeof memory[key] === typeof known[key] ? (memory[key] as (typeof known)[K]) : known[key];
    return new QaTask(tokenizer, settings, {
      nullable: pick('nullable'),
      nullThreshold: pick('nullThreshold'),
      maxAnswer: pick('maxAnswer'),
      maxQuestion: pick('maxQuestion'),
      rules: pick('rules') as AnswerRules,
    });
  },
  remember: (examples) => ({ nullable: examples.some(({ answers }) => answers.length === 0) }),
  texts: ({ question, context }) => [question, context],
};

export const choiceKind: Kind<ChoiceExample, ChoiceAnswer> = {
  read: async (path, { columns }) => readChoices(await readTable(path), { columns, answered: true }),
  parse: (table, columns) => readChoices(table, { columns, answered: false }),
  learn: () => null,
  counts: () => [],
  make: ({ tokenizer, settings }) => new ChoiceTask(tokenizer, settings),
  remember: () => ({}),
  texts: ({ question, choices }) => [question, ...choices],
};

/** Hands the kind's own types to whoever works with any kind. */
export function withKind<R>(kind: TaskKind, use: <E, A>(of: Kind<E, A>) => R): R {
  if (kind === 'tag') return use(tagKind);
  if (kind === 'qa') return use(qaKind);
  if (kind === 'choice') return use(choiceKind);
  return use(sequenceKind(kind));
}

import type { RawTable } from '../../core/raw-table.js';
import { type ColumnRequest, findColumns, type NamedRow, nameColumns, type Role } from './columns.js';
import { Problems } from './problems.js';

/** A text or a pair of texts, and what is known of it. */
export interface SequenceExample {
  /** Line of the file. */
  readonly line: number;
  readonly text: string;
  readonly pair: string | null;
  /** One class, or all labels that hold; null when unknown, and in regression. */
  readonly labels: readonly string[] | null;
  /** The number, in regression; else null. */
  readonly value: number | null;
}

export interface SequenceReading {
  readonly pairs: boolean;
  /** What the label column holds; `none` reads no labels and needs none. */
  readonly target: 'class' | 'labels' | 'value' | 'none';
  readonly columns?: ColumnRequest;
  /** Labels the model knows: others are bad. */
  readonly known?: ReadonlySet<string>;
}

export interface Read<Example> {
  readonly examples: readonly Example[];
  readonly problems: Problems;
  /** What the columns were taken for. */
  readonly said: string;
}

/** Text of a cell: numbers and booleans as JSON writes them; lists and objects are no text. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : null;
}

/** Labels of a cell: a list, or a text with commas, bars or semicolons between them. */
function labelsOf(value: unknown, several: boolean): string[] | null {
  if (Array.isArray(value)) {
    const texts = value.map(textOf);
    return texts.every((text) => text !== null) && (several || texts.length === 1) ? texts : null;
  }
  const text = textOf(value)?.trim() ?? '';
  if (!several) return text === '' ? null : [text];
  return text.split(/[,;|]/).flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A finite number, or null: `NaN`, `inf`, blanks and words are none. */
function numberOf(value: unknown): number | null {
  const number = typeof value === 'number' ? value : NUMBER.test(textOf(value)?.trim() ?? '') ? Number(value) : NaN;
  return Number.isFinite(number) ? number : null;
}

/** A record that holds a list of texts and as long a list of labels stands for as many examples. */
function* unrolled(row: NamedRow, text: string, label: string | undefined): Generator<NamedRow> {
  const texts = row.values.get(text);
  const labels = label === undefined ? undefined : row.values.get(label);
  if (!Array.isArray(texts) || (label !== undefined && !(Array.isArray(labels) && labels.length === texts.length))) {
    yield row;
    return;
  }
  for (const [i, one] of texts.entries()) {
    const values = new Map(row.values).set(text, one);
    if (label !== undefined) values.set(label, (labels as unknown[])[i]);
    yield { line: row.line, values };
  }
}

/** Texts, or pairs of them, with their labels, from any table. Bad rows are left out and told to `problems`. */
export function readSequences(raw: RawTable, reading: SequenceReading): Read<SequenceExample> {
  const table = nameColumns(raw, reading.columns);
  const wanted: Role[] = ['text', ...(reading.pairs ? (['pair'] as const) : [])];
  const labelled = reading.target !== 'none';
  const columns = findColumns(table, labelled ? [...wanted, 'label'] : wanted, [], reading.columns ?? {});
  const [text = '', pair, label] = (['text', 'pair', 'label'] as const).map((role) => columns.of.get(role));
  const problems = new Problems(raw.source);
  const examples: SequenceExample[] = [];
  for (const whole of table.rows) {
    for (const row of unrolled(whole, text, label)) {
      problems.rows++;
      const example = exampleOf(row, { text, pair, label }, reading, problems);
      if (example !== null) examples.push(example);
    }
  }
  return { examples, problems, said: columns.said };
}

function exampleOf(
  { line, values }: NamedRow,
  columns: { readonly text: string; readonly pair: string | undefined; readonly label: string | undefined },
  { target, known }: SequenceReading,
  problems: Problems,
): SequenceExample | null {
  const names = [columns.text, columns.pair, columns.label].filter((name) => name !== undefined);
  const lacking = names.find((name) => !values.has(name));
  const bad = (kind: Parameters<Problems['add']>[0], detail: string): null => {
    problems.add(kind, line, detail);
    return null;
  };
  if (lacking !== undefined) return bad('columns', `"${lacking}" is missing`);
  const text = textOf(values.get(columns.text) ?? '');
  const pair = columns.pair === undefined ? null : textOf(values.get(columns.pair) ?? '');
  if (text === null || (pair === null && columns.pair !== undefined)) return bad('record', 'the text is no string');
  let labels: string[] | null = null;
  let value: number | null = null;
  const cell = columns.label === undefined ? undefined : values.get(columns.label);
  if (target === 'value') {
    value = numberOf(cell);
    if (value === null) return bad('value', JSON.stringify(textOf(cell) ?? null).slice(0, 40));
  } else if (target !== 'none') {
    labels = labelsOf(cell, target === 'labels');
    if (labels === null) return bad('unlabelled', `"${columns.label}" is empty, or holds several`);
    const unknown = known === undefined ? undefined : labels.find((name) => !known.has(name));
    if (unknown !== undefined) return bad('label', `"${unknown.slice(0, 40)}"`);
  }
  if (text.trim() === '' || pair?.trim() === '') problems.add('empty', line);
  return { line, text, pair, labels, value };
}

/** All labels of examples, in an order that does not depend on the order of the rows; numbers by their size. */
export function labelSet(examples: Iterable<{ readonly labels: readonly string[] | null }>): string[] {
  const found = new Set<string>();
  for (const { labels } of examples) for (const label of labels ?? []) found.add(label);
  const numbers = [...found].every((label) => NUMBER.test(label));
  return [...found].sort((a, b) => (numbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : a > b ? 1 : 0));
}

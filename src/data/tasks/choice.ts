import type { RawTable } from '../../core/raw-table.js';
import { type ColumnRequest, findColumns, type NamedRow, nameColumns } from './columns.js';
import { Problems } from './problems.js';
import type { Read } from './sequence.js';

/** A question, what may follow it, and which of these does. */
export interface ChoiceExample {
  readonly line: number;
  readonly question: string;
  readonly choices: readonly string[];
  /** Index of the right one; null when unknown. */
  readonly answer: number | null;
}

const NUMBERED = /^(?:choice|option|ending|answer|candidate|sol|alternative)[_ ]?(\d+|[a-e])$/i;

/** A number from 0, a letter from A, or the text of the choice itself. */
function answerOf(value: unknown, choices: readonly string[], base: number): number {
  const text = String(value ?? '').trim();
  const at = choices.indexOf(text);
  if (at >= 0) return at;
  if (/^[A-Za-z]$/.test(text)) return text.toUpperCase().charCodeAt(0) - 65;
  return /^\d+$/.test(text) ? Number(text) - base : -1;
}

function choicesOf(row: NamedRow, list: string | undefined, columns: readonly string[]): string[] | null {
  const values = list === undefined ? columns.map((column) => row.values.get(column)) : row.values.get(list);
  if (!Array.isArray(values)) return null;
  return values.every((value) => typeof value === 'string' || typeof value === 'number') ? values.map(String) : null;
}

/**
 * Questions with choices, as a list in one column or as columns like `choice0`, `choice1`. Answers are numbers from 0 (from
 * 1 where the largest is as large as the number of choices), letters, or the choice's own text.
 */
export function readChoices(
  raw: RawTable,
  reading: { readonly columns?: ColumnRequest; readonly answered: boolean },
): Read<ChoiceExample> {
  const table = nameColumns(raw, reading.columns);
  const numbered = table.columns.filter((column) => NUMBERED.test(column));
  const roles = ['question', ...(numbered.length > 1 ? [] : (['choices'] as const))] as const;
  const labelled = reading.answered ? (['label'] as const) : [];
  const columns = findColumns(
    { ...table, columns: table.columns.filter((column) => !numbered.includes(column)) },
    [...roles, ...labelled],
    [],
    reading.columns ?? {},
  );
  const [question = '', list, label] = (['question', 'choices', 'label'] as const).map((role) => columns.of.get(role));
  const problems = new Problems(raw.source);
  const found = table.rows.map((row) => ({ row, choices: choicesOf(row, list, numbered) }));
  const values = label === undefined ? [] : table.rows.map((row) => Number(row.values.get(label)));
  const from1 = Math.min(...values) === 1 && found.some((f, i) => values[i] === f.choices?.length);
  const examples: ChoiceExample[] = [];
  for (const { row, choices } of found) {
    problems.rows++;
    const text = row.values.get(question);
    const answer = label === undefined ? null : answerOf(row.values.get(label), choices ?? [], from1 ? 1 : 0);
    const whole = typeof text === 'string' && choices !== null && choices.length > 1;
    if (!whole) problems.add('choice', row.line, 'a question and at least two choices are needed');
    else if (answer !== null && !(answer >= 0 && answer < choices.length))
      problems.add('choice', row.line, `the answer is ${JSON.stringify(row.values.get(label ?? ''))}`);
    else examples.push({ line: row.line, question: text, choices, answer });
  }
  return { examples, problems, said: columns.said };
}

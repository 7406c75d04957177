import { DataError } from '../../core/errors.js';
import type { RawTable } from '../../core/raw-table.js';
import { nearest } from '../../core/suggest.js';

/** What a column of a task can hold. */
export type Role = 'text' | 'pair' | 'label' | 'words' | 'tags' | 'choices' | 'question' | 'context';

/** Names that data sets give to the columns of a role, the surest first. */
const NAMES: Readonly<Record<Role, readonly string[]>> = {
  text: [
    ...['text', 'sentence', 'sentence1', 'text_a', 'premise', 'question1', 'query', 'question', 'string', 'review'],
    ...['utterance', 'content', 'comment', 'tweet', 'document', 'input', 'title', 'abstract', 'sentences'],
  ],
  pair: [
    ...['text_pair', 'pair', 'sentence2', 'text_b', 'hypothesis', 'question2', 'sentence', 'passage', 'answer'],
    ...['context', 'document', 'text'],
  ],
  label: [
    ...['label', 'labels', 'category', 'class', 'intent', 'domain', 'gold_label', 'target', 'sentiment', 'score'],
    ...['similarity', 'rating', 'stars', 'gold', 'tag', 'y', 'value'],
  ],
  words: ['words', 'tokens', 'text', 'sentence'],
  tags: ['tags', 'ner_tags', 'labels', 'ner', 'label', 'pos_tags'],
  choices: ['choices', 'options', 'endings', 'candidates'],
  question: ['question', 'query', 'query_text', 'sent1', 'prompt', 'context', 'text'],
  context: ['context', 'passage', 'paragraph', 'article', 'text'],
};
/** Names of the two texts of a pair that go together, in their order. */
const PAIRS: readonly (readonly [first: string, second: string])[] = [
  ['sentence1', 'sentence2'],
  ['text_a', 'text_b'],
  ['premise', 'hypothesis'],
  ['question1', 'question2'],
  ['question', 'sentence'],
  ['query', 'passage'],
  ['text', 'text_pair'],
  ['text', 'pair'],
  ['question', 'context'],
];
const KNOWN = new Set([...Object.values(NAMES), ...PAIRS].flat());

/** Columns as a user names them, by name or by number from 1. */
export type ColumnRequest = Partial<Record<Role, string>>;

/** A row with the names of its columns. */
export interface NamedRow {
  readonly line: number;
  readonly values: ReadonlyMap<string, unknown>;
}

export interface NamedTable {
  readonly source: string;
  readonly columns: readonly string[];
  readonly rows: readonly NamedRow[];
  /** Whether the names stand in the file; otherwise they are `1`, `2`, ... */
  readonly header: boolean;
}

const plain = (name: string): string => name.trim().toLowerCase();

/** A first row names the columns when it holds a name that data sets use, or one that the user gave. */
function isHeader(cells: readonly string[], request: ColumnRequest): boolean {
  const given = new Set(Object.values(request).map(plain));
  return (
    new Set(cells.map(plain)).size === cells.length && cells.some((c) => KNOWN.has(plain(c)) || given.has(plain(c)))
  );
}

/** Gives every value the name of its column. */
export function nameColumns(table: RawTable, request: ColumnRequest = {}): NamedTable {
  const { source, rows } = table;
  const first = rows[0]?.cells ?? null;
  if (first === null) {
    const columns = [...new Set(rows.slice(0, 100).flatMap(({ record }) => [...record.keys()]))];
    return { source, columns, rows: rows.map(({ line, record }) => ({ line, values: record })), header: true };
  }
  const header = isHeader(first, request);
  const columns = first.map((cell, i) => (header ? cell.trim() : `${i + 1}`));
  const named = rows.slice(header ? 1 : 0).map(({ line, cells }) => {
    return { line, values: new Map((cells ?? []).slice(0, columns.length).map((cell, i) => [columns[i], cell])) };
  });
  return { source, columns, rows: named, header };
}

/** The column that a user names. @throws {DataError} DATA-COLUMN */
function requested({ columns, source }: NamedTable, name: string): string {
  const found = columns.find((c) => c === name) ?? columns.find((c) => plain(c) === plain(name));
  const numbered = /^\d+$/.test(name) ? columns[Number(name) - 1] : undefined;
  const column = found ?? numbered;
  if (column !== undefined) return column;
  const meant = nearest(name, columns);
  throw new DataError(`${source}: there is no column "${name}"${meant === null ? '' : `; did you mean "${meant}"?`}`, {
    code: 'DATA-COLUMN',
    where: `${source}, with ${columns.slice(0, 12).join(', ') || 'no columns'}`,
    fix: 'name one of these, or its number counted from 1',
  });
}

/** Length and number of different values of a column, over the first rows. */
function shapeOf({ rows }: NamedTable, column: string): { length: number; distinct: number } {
  const values = rows.slice(0, 1000).map(({ values }) => String(values.get(column) ?? ''));
  const length = values.reduce((sum, value) => sum + value.length, 0) / Math.max(1, values.length);
  return { length, distinct: new Set(values).size };
}

/** By what the values look like: the text is the longest, the label has the fewest values. */
function byShape(table: NamedTable, role: Role, left: readonly string[]): string | undefined {
  const shapes = left.map((column) => ({ column, ...shapeOf(table, column) }));
  if (role === 'text' || role === 'pair') return shapes.sort((a, b) => b.length - a.length)[0]?.column;
  if (role === 'label') return shapes.sort((a, b) => a.distinct - b.distinct || a.length - b.length)[0]?.column;
  return undefined;
}

/** Which column has which role, and a sentence that says so. */
export interface Columns {
  readonly of: ReadonlyMap<Role, string>;
  readonly said: string;
}

/**
 * Finds the columns of the roles wanted: as asked, else by names that data sets use, else by what the values look like.
 * Known names that two roles share go to the first role wanted.
 * @param optional roles that may be absent
 * @throws {DataError} DATA-COLUMN: one asked for is not there, or none is left for a role
 */
export function findColumns(
  table: NamedTable,
  wanted: readonly Role[],
  optional: readonly Role[],
  request: ColumnRequest,
): Columns {
  const of = new Map<Role, string>();
  const how = new Map<Role, string>();
  const take = (role: Role, column: string | undefined, why: string): void => {
    if (column === undefined || of.has(role)) return;
    of.set(role, column);
    how.set(role, why);
  };
  const left = (): string[] => table.columns.filter((column) => ![...of.values()].includes(column));
  const roles = [...wanted, ...optional];
  for (const role of roles) if (request[role] !== undefined) take(role, requested(table, request[role]), 'as asked');
  if (wanted.includes('pair')) {
    const named = (name: string): string | undefined => left().find((column) => plain(column) === name);
    const both = PAIRS.find((names) => names.every((name) => named(name) !== undefined));
    if (both !== undefined && !of.has('text') && !of.has('pair')) {
      take('text', named(both[0]), 'by its name');
      take('pair', named(both[1]), 'by its name');
    }
  }
  for (const role of roles) {
    const known = NAMES[role].flatMap((name) => left().filter((column) => plain(column) === name));
    take(role, known[0], 'by its name');
  }
  for (const role of [...wanted].reverse()) take(role, byShape(table, role, left()), 'by its values');
  const lacking = wanted.find((role) => !of.has(role));
  if (lacking === undefined) {
    const said = roles.flatMap((r) => (of.has(r) ? `${r} = "${of.get(r)}" (${how.get(r)})` : []));
    return { of, said: `${table.source}: ${said.join(', ')}${table.header ? '' : '; the file has no header'}` };
  }
  throw new DataError(`${table.source}: no column for the ${lacking} was found`, {
    code: 'DATA-COLUMN',
    where: `${table.source}, with ${table.columns.slice(0, 12).join(', ') || 'no columns'}`,
    fix: `name it: --${lacking} <column>`,
  });
}

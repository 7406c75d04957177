import { DataError } from '../core/errors.js';
import type { RawRow, RawTable } from '../core/raw-table.js';
import { fileLines } from './corpus.js';
import { readParquetRecords } from './corpus-parquet.js';
import { systemError } from './system-errors.js';

/** How the rows of a table are written down. */
export type TableFormat = 'tsv' | 'csv' | 'jsonl' | 'json' | 'parquet';

const FORMATS: Readonly<Record<string, TableFormat>> = {
  tsv: 'tsv',
  txt: 'tsv',
  csv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'json',
  parquet: 'parquet',
};

/** By the name's ending, `.gz` left out. */
export function tableFormat(path: string): TableFormat | null {
  const [, ending = ''] = /\.([^.]+)$/.exec(path.toLowerCase().replace(/\.gz$/, '')) ?? [];
  return FORMATS[ending] ?? null;
}

/** All lines of a text file, the first at index 0. */
export async function readAllLines(path: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const block of fileLines(path)) for (const line of block.lines) lines.push(line);
  return lines;
}

const NONE: ReadonlyMap<string, unknown> = new Map();
const delimited = (line: number, cells: readonly string[]): RawRow => ({ line, cells, record: NONE });
const recorded = (line: number, record: object): RawRow => ({
  line,
  cells: null,
  record: new Map(Object.entries(record)),
});

/** Tabs between cells and nothing else: quotes are text, as in GLUE's files. */
const readTsv = (lines: readonly string[]): RawRow[] =>
  lines.flatMap((line, i) => (line.trim() === '' ? [] : [delimited(i + 1, line.split('\t'))]));

/** RFC 4180: commas, cells in quotes that may hold commas, doubled quotes and line ends. */
export function parseCsv(lines: readonly string[], source: string): RawRow[] {
  const rows: RawRow[] = [];
  let cells: string[] = [];
  let cell = '';
  let [first, opened, quoted] = [1, 1, false];
  for (const [i, line] of lines.entries()) {
    if (!quoted && line.trim() === '') continue;
    if (!quoted) first = i + 1;
    for (let k = 0; k <= line.length; k++) {
      const c = line[k]; // undefined at the end of the line
      if (quoted && c !== '"') cell += c ?? '\n';
      else if (quoted && line[k + 1] === '"') cell += line[k++];
      else if (quoted) quoted = false;
      else if (c === '"' && cell === '') [quoted, opened] = [true, i + 1];
      else if (c === ',' || c === undefined) {
        cells.push(cell);
        cell = '';
      } else cell += c;
    }
    if (quoted) continue;
    rows.push(delimited(first, cells));
    cells = [];
  }
  if (!quoted) return rows;
  throw new DataError(`${source}: a quote of line ${opened} is never closed`, {
    code: 'DATA-CSV',
    where: `${source}:${opened}`,
    fix: 'double the quotes inside a cell, or name the file .tsv if it has tabs and no quoting',
  });
}

function parseJson(text: string, source: string, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${source}: line ${line} is not JSON: ${(error as Error).message}`, {
      code: 'DATA-JSON',
      where: `${source}:${line}`,
      fix: 'JSONL has one object a line, such as {"text": "...", "label": "..."}',
    });
  }
}

const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function recordsOf(lines: readonly string[], source: string): RawRow[] {
  return lines.flatMap((text, i) => {
    if (text.trim() === '') return [];
    const value = parseJson(text, source, i + 1);
    if (isRecord(value)) return [recorded(i + 1, value)];
    throw new DataError(`${source}: line ${i + 1} is not a JSON object`, {
      code: 'DATA-JSON',
      where: `${source}:${i + 1}`,
      fix: 'JSONL has one object a line, such as {"text": "...", "label": "..."}',
    });
  });
}

/** A whole file of JSON: one value, or, as many a `.json` is, an object a line. */
export async function readJsonValue(path: string): Promise<unknown> {
  const lines = await readAllLines(path);
  const filled = lines.filter((line) => line.trim() !== '');
  const perLine = filled.length > 1 && filled.every((line) => /^\s*\{.*\}\s*$/.test(line));
  if (perLine) return recordsOf(lines, path).map(({ record }) => Object.fromEntries(record));
  return parseJson(lines.join('\n'), path, 1);
}

/** An array of records, under "data" or on its own; lines count from 1 in the order of the array. */
async function readJsonRows(path: string): Promise<RawRow[]> {
  const value = await readJsonValue(path);
  const inside = isRecord(value) ? Object.values(value).find(Array.isArray) : value;
  const list: unknown[] = Array.isArray(inside) ? inside : [value];
  return list.filter(isRecord).map((record, i) => recorded(i + 1, record));
}

async function readParquetRows(path: string): Promise<RawRow[]> {
  const rows: RawRow[] = [];
  try {
    for await (const { record, row } of readParquetRecords(path)) rows.push(recorded(row, record));
  } catch (error) {
    throw systemError(error, path, 'read');
  }
  return rows;
}

/**
 * A table of any format, whole. A file without a known ending is looked at: braces are JSONL, tabs TSV, else CSV.
 * @throws {InputError} missing or unreadable; {DataError} DATA-ENCODING, DATA-JSON, DATA-CSV, DATA-PARQUET, DATA-EMPTY
 */
export async function readTable(path: string): Promise<RawTable> {
  const format = tableFormat(path);
  const rows = format === 'parquet' ? await readParquetRows(path) : await readTextRows(path, format);
  if (rows.length > 0) return { source: path, rows };
  throw new DataError(`${path}: holds no rows`, { code: 'DATA-EMPTY', where: path, fix: 'give it a row an example' });
}

async function readTextRows(path: string, format: TableFormat | null): Promise<RawRow[]> {
  if (format === 'json') return await readJsonRows(path);
  const lines = await readAllLines(path);
  const start = lines.find((line) => line.trim() !== '') ?? '';
  const guess = /^\s*\{/.test(start) ? 'jsonl' : start.includes('\t') ? 'tsv' : 'csv';
  const kind = format ?? guess;
  if (kind === 'jsonl') return recordsOf(lines, path);
  return kind === 'csv' ? parseCsv(lines, path) : readTsv(lines);
}

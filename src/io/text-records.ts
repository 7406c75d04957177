import { createReadStream } from 'node:fs';
import { DataError } from '../core/errors.js';
import { type Lines, readLines } from './corpus-lines.js';
import { isObject, type JsonObject, JsonSyntaxError, parseJson } from './json.js';
import { systemError } from './system-errors.js';

/** A text of a stream, and the record it stands in where the stream has records. */
export interface TextRecord {
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
  /** The whole JSON object of the line; null in plain text. */
  readonly record: JsonObject | null;
}

export interface RecordOptions {
  /** `auto`: JSONL if the first line that is not blank begins with "{". */
  readonly format: 'auto' | 'text' | 'jsonl';
  /** Key of the text in JSONL. */
  readonly column: string;
  /** Told of a line that is no record or has no text, which is then passed over. It may throw instead. */
  onBad(error: DataError): void;
}

/** Bytes of one JSON object: a book fits. */
const LONGEST_RECORD = 100e6;

function badLine(source: string, line: number, what: string): DataError {
  return new DataError(`${source}: ${what}`, {
    code: 'DATA-RECORD',
    where: `${source}, line ${line}`,
    fix: 'correct the line, or pass over such lines: --skip-bad',
  });
}

function parse(line: string, number: number, source: string, column: string): TextRecord {
  try {
    const record = parseJson(line);
    if (!isObject(record)) throw badLine(source, number, 'the line is no JSON object');
    const text = record[column];
    if (typeof text !== 'string')
      throw badLine(source, number, `the record has no text under ${JSON.stringify(column)}`);
    return { line: number, text, record };
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw badLine(source, number, `the line is not valid JSON: ${error.message}`);
    throw error;
  }
}

/** Texts of lines, one at a time, in their order. Blank lines of JSONL say nothing; of plain text they are bad lines. */
async function* fromLines(
  blocks: AsyncIterable<Lines>,
  source: string,
  { format, column, onBad }: RecordOptions,
): AsyncGenerator<TextRecord> {
  let json = format === 'auto' ? null : format === 'jsonl';
  for await (const { lines, first } of blocks) {
    for (const [i, line] of lines.entries()) {
      const blank = line.trim() === '';
      if (json === null && !blank) json = line.startsWith('{');
      if (blank && json === true) continue;
      try {
        const found =
          json === true ? parse(line, first + i, source, column) : { line: first + i, text: line, record: null };
        if (found.text.trim() === '') throw badLine(source, first + i, 'the text is blank');
        yield found;
      } catch (error) {
        if (!(error instanceof DataError) || error.code !== 'DATA-RECORD') throw error;
        onBad(error);
      }
    }
  }
}

/**
 * The texts of a file or stream, a text or a JSON object a line; a line at a time is in memory.
 * @param path "-" is the standard input
 * @throws {InputError} missing or unreadable; {DataError} not UTF-8, a line too long
 */
export async function* readTextRecords(path: string, options: RecordOptions): AsyncGenerator<TextRecord> {
  const source = path === '-' ? 'standard input' : path;
  try {
    const bytes = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 2 ** 18 });
    yield* fromLines(readLines(bytes, source, LONGEST_RECORD), source, options);
  } catch (error) {
    throw systemError(error, path, 'read');
  }
}

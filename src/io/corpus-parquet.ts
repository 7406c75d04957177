import { type FileHandle, open } from 'node:fs/promises';
import type { AsyncBuffer } from 'hyparquet';
import { BertgradError, DataError } from '../core/errors.js';
import { readFully } from './files.js';

/** A value of the text column, and its row, counted from 1. */
export interface Row {
  readonly value: unknown;
  readonly row: number;
}

/** Rows that are in memory at once. */
const ROWS = 4096;

function asyncBuffer(handle: FileHandle, path: string, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
      await readFully(handle, path, start, bytes);
      return bytes.buffer;
    },
  };
}

/** A column that a table lacks, with those it has. */
export const missingColumn = (path: string, column: string, known: readonly string[], line?: number): DataError =>
  new DataError(`${path}: there is no column "${column}"`, {
    code: 'DATA-COLUMN',
    where: `${path}${line === undefined ? '' : `, line ${line}`}, with ${known.slice(0, 12).join(', ') || 'no columns'}`,
    fix: 'name the column that holds the text: --column <name>',
  });

/** Rows of a Parquet file, the columns asked for, a few thousand at a time. */
async function* parquetRows(
  path: string,
  columnsOf: (names: readonly string[]) => readonly string[],
): AsyncGenerator<{ readonly record: Record<string, unknown>; readonly row: number }> {
  // With the first such file: they take half as long to load as Node takes to start.
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const handle = await open(path, 'r');
  try {
    const file = asyncBuffer(handle, path, (await handle.stat()).size);
    const metadata = await guarded(path, () => parquetMetadataAsync(file));
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const columns = [...columnsOf(names)];
    let first = 0;
    for (const group of metadata.row_groups) {
      const end = first + Number(group.num_rows);
      for (let rowStart = first; rowStart < end; rowStart += ROWS) {
        const rowEnd = Math.min(end, rowStart + ROWS);
        const read = { file, metadata, compressors, columns, rowStart, rowEnd };
        const rows = await guarded(path, () => parquetReadObjects(read));
        for (let i = 0; i < rows.length; i++) yield { record: rows[i], row: rowStart + i + 1 };
      }
      first = end;
    }
  } finally {
    await handle.close();
  }
}

/**
 * One column of a Parquet file, a few thousand rows at a time. Snappy, gzip, zstd, brotli and lz4 are unpacked.
 * @throws {DataError} DATA-PARQUET not a Parquet file, or damaged; DATA-COLUMN
 */
export async function* readParquet(path: string, column: string): AsyncGenerator<Row> {
  const only = (names: readonly string[]): string[] => {
    if (!names.includes(column)) throw missingColumn(path, column, names);
    return [column];
  };
  for await (const { record, row } of parquetRows(path, only)) yield { value: record[column], row };
}

/** All columns of a Parquet file, row by row. @throws {DataError} DATA-PARQUET */
export async function* readParquetRecords(
  path: string,
): AsyncGenerator<{ readonly record: Record<string, unknown>; readonly row: number }> {
  yield* parquetRows(path, (names) => names);
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BertgradError && error.code !== 'FILE-SHORT') throw error;
    throw new DataError(`${path}: is not a whole Parquet file: ${error instanceof Error ? error.message : error}`, {
      code: 'DATA-PARQUET',
      where: path,
      fix: 'fetch it again, or convert it to JSONL',
      cause: error,
    });
  }
}

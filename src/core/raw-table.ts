/** A row of a table as it stands in a file. */
export interface RawRow {
  /** Its line, or its row in a Parquet file; counted from 1. */
  readonly line: number;
  /** Cells in order, of a file with separators; null in a file of records. */
  readonly cells: readonly string[] | null;
  /** Values by name, of a file of records. */
  readonly record: ReadonlyMap<string, unknown>;
}

/** A table as it stands in a file: nothing is known yet of what its columns mean, nor whether its first row names them. */
export interface RawTable {
  /** The file, for messages. */
  readonly source: string;
  readonly rows: readonly RawRow[];
}

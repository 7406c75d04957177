import { createReadStream } from 'node:fs';
import { BertgradError, DataError } from '../core/errors.js';
import { type CorpusFile, type CorpusKind, listCorpus } from './corpus-files.js';
import { type Lines, readLines } from './corpus-lines.js';
import { missingColumn, readParquet } from './corpus-parquet.js';
import { systemError } from './system-errors.js';

/** A document, or a part of a long one. */
export interface Document {
  /** The file it stands in. */
  readonly source: string;
  /** Its first line in the file, or its row; counted from 1. */
  readonly line: number;
  /** Sentences or paragraphs, trimmed, none of them blank. */
  readonly lines: readonly string[];
  /** True when it goes on with the document before it: long ones come in parts of 1,024 lines. */
  readonly continued: boolean;
  /** True when each line is a sentence for certain, because the text came as a list. */
  readonly sentences: boolean;
}

export interface CorpusOptions {
  /** The column of JSONL and Parquet that holds the text. Default "text". */
  readonly column?: string;
  /** Told of bytes read, packed ones as they are packed. */
  onBytes?(bytes: number): void;
  /** What "-" reads. Default: the standard input. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/** Lines of a document that are in memory at once. */
const PART = 1024;
/** Bytes of one JSON object: a book fits. */
const LONGEST_RECORD = 100e6;

/**
 * All documents of files, folders and patterns, one after the other; the corpus is never in memory as a whole.
 *
 * - text: a sentence or a paragraph a line, a blank line between documents, a new document with each file;
 * - JSONL, Parquet: a document a record, as a text or a list of sentences in one column.
 *
 * Any file may be packed by gzip. "-" is the standard input, text or JSONL.
 * @throws {InputError} INPUT-*, SYSTEM-*; {DataError} DATA-ENCODING, DATA-JSON, DATA-COLUMN, DATA-PARQUET, DATA-FORMAT,
 *   DATA-EMPTY
 */
export async function* readDocuments(paths: readonly string[], options: CorpusOptions = {}): AsyncGenerator<Document> {
  const files = await listCorpus(paths);
  let any = false;
  for (const file of files) {
    for await (const document of documentsOf(file, options)) {
      any = true;
      yield document;
    }
  }
  if (any) return;
  throw new DataError('the corpus is empty: there is no line with text in it', {
    code: 'DATA-EMPTY',
    where: files.map(({ path }) => path).join(', '),
    fix: 'text files hold a sentence or paragraph a line',
  });
}

async function* documentsOf(file: CorpusFile, options: CorpusOptions): AsyncGenerator<Document> {
  const { path } = file;
  const column = options.column ?? 'text';
  try {
    if (file.kind === 'parquet') {
      for await (const { value, row } of readParquet(path, column)) yield* fromValue(value, path, row, 'row');
      options.onBytes?.(file.bytes);
      return;
    }
    const raw = path === '-' ? (options.stdin ?? process.stdin) : createReadStream(path, { highWaterMark: 2 ** 18 });
    const { bytes, kind } = await unpack(counted(raw, options), file);
    const lines = readLines(bytes, path, kind === 'jsonl' ? LONGEST_RECORD : undefined);
    yield* kind === 'jsonl' ? fromJsonl(lines, path, column) : fromText(lines, path);
  } catch (error) {
    throw systemError(fromZlib(error, path), path, 'read');
  }
}

/** Lines of one text file, unpacked where it is packed; "-" is the standard input. @throws as `readDocuments` */
export async function* fileLines(path: string, longest = LONGEST_RECORD): AsyncGenerator<Lines> {
  try {
    const raw = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 2 ** 18 });
    const { bytes } = await unpack(counted(raw, {}), { path, kind: 'text', bytes: 0 });
    yield* readLines(bytes, path, longest);
  } catch (error) {
    throw systemError(fromZlib(error, path), path, 'read');
  }
}

async function* counted(bytes: AsyncIterable<Uint8Array>, { onBytes }: CorpusOptions): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    onBytes?.(chunk.length);
    yield chunk;
  }
}

/** How files begin that hold no plain text, whatever their name. */
const MAGIC: readonly (readonly [bytes: string, what: string, fix: string])[] = [
  ['PAR1', 'a Parquet file', 'name it .parquet'],
  ['PK\x03\x04', 'a zip archive, such as .docx', 'unpack it first'],
  ['\x28\xb5\x2f\xfd', 'packed by zstd', 'unpack it first: zstd -d'],
  ['BZh', 'packed by bzip2', 'unpack it first: bunzip2'],
  ['\xfd7zXZ', 'packed by xz', 'unpack it first: unxz'],
  ['%PDF-', 'a PDF', 'extract its text first: pdftotext'],
  ['version https://git-lfs', 'a pointer of Git LFS, not the file itself', 'fetch it: git lfs pull'],
];

/** Looks at the first bytes: unpacks gzip, refuses what is no text, and finds out what the standard input is. */
async function unpack(
  raw: AsyncGenerator<Uint8Array>,
  { path, kind }: CorpusFile,
): Promise<{ bytes: AsyncIterable<Uint8Array>; kind: CorpusKind }> {
  let head = Buffer.alloc(0);
  while (head.length < 32) {
    const { value, done } = await raw.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  const all = (async function* (): AsyncGenerator<Uint8Array> {
    yield head;
    yield* raw;
  })();
  const start = head.toString('latin1', 0, 32);
  if (start.startsWith('\x1f\x8b')) return unpack(gunzip(all), { path, kind, bytes: 0 });
  for (const [magic, what, fix] of MAGIC) {
    if (!start.startsWith(magic)) continue;
    throw new DataError(`${path}: is ${what}`, { code: 'DATA-FORMAT', where: path, fix });
  }
  return { bytes: all, kind: path === '-' && /^(\xef\xbb\xbf)?\s*\{\s*"/.test(start) ? 'jsonl' : kind };
}

async function* gunzip(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const [{ Readable }, { pipeline }, { createGunzip }] = await Promise.all([
    import('node:stream'),
    import('node:stream/promises'),
    import('node:zlib'),
  ]);
  const unpacker = createGunzip();
  pipeline(Readable.from(bytes), unpacker).catch(() => undefined); // destroys `unpacker`, and the loop throws it
  for await (const chunk of unpacker) yield chunk;
}

function fromZlib(error: unknown, path: string): unknown {
  if (error instanceof BertgradError || !/^Z_/.test(String((error as NodeJS.ErrnoException).code))) return error;
  return new DataError(`${path}: is damaged, or cut short: ${(error as Error).message}`, {
    code: 'DATA-GZIP',
    where: path,
    fix: 'fetch it again; gzip -t tests a file',
    cause: error,
  });
}

async function* fromText(blocks: AsyncIterable<Lines>, source: string): AsyncGenerator<Document> {
  let lines: string[] = [];
  let [line, continued] = [1, false];
  const part = (): Document => ({ source, line, lines, continued, sentences: false });
  for await (const block of blocks) {
    for (let i = 0; i < block.lines.length; i++) {
      const text = block.lines[i].trim();
      if (lines.length > 0 && (text === '' || lines.length === PART)) {
        yield part();
        lines = [];
        continued = true;
      }
      if (text === '') continued = false;
      else if (lines.push(text) === 1) line = block.first + i;
    }
  }
  if (lines.length > 0) yield part();
}

async function* fromJsonl(blocks: AsyncIterable<Lines>, source: string, column: string): AsyncGenerator<Document> {
  for await (const { lines, first } of blocks) {
    for (let i = 0; i < lines.length; i++) {
      if (lines[i].trim() === '') continue;
      const record = parseRecord(lines[i], source, first + i);
      if (!Object.hasOwn(record, column)) throw missingColumn(source, column, Object.keys(record), first + i);
      yield* fromValue(record[column as keyof typeof record], source, first + i, 'line');
    }
  }
}

function parseRecord(text: string, source: string, line: number): object {
  let what = 'is not a JSON object';
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    what = `is not JSON: ${(error as Error).message}`;
  }
  throw new DataError(`${source}: line ${line} ${what}`, {
    code: 'DATA-JSON',
    where: `${source}, line ${line}`,
    fix: 'JSONL has one object a line, such as {"text": "..."}',
  });
}

/** A record's text: a string of lines, or a list of sentences; null and "" are no documents. */
function* fromValue(value: unknown, source: string, line: number, unit: 'line' | 'row'): Generator<Document> {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value ?? ''];
  const odd = list.find((item) => typeof item !== 'string' && item !== null);
  if (odd !== undefined) {
    throw new DataError(
      `${source}: the text of ${unit} ${line} is of type ${typeof odd}, not text or a list of texts`,
      {
        code: 'DATA-COLUMN',
        where: `${source}, ${unit} ${line}`,
        fix: 'name the column that holds the text: --column <name>',
      },
    );
  }
  const sentences = Array.isArray(value);
  const texts = sentences
    ? list.map((item) => String(item ?? '').replace(/\s+/g, ' '))
    : String(list[0]).split(/\r\n|\n|\r/);
  const lines = texts.map((text) => text.replaceAll('\0', '').trim()).filter((text) => text !== '');
  for (let at = 0; at < lines.length; at += PART) {
    yield { source, line, lines: lines.slice(at, at + PART), continued: at > 0, sentences };
  }
}

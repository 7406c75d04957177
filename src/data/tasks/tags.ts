import type { RawTable } from '../../core/raw-table.js';
import { type ColumnRequest, findColumns, nameColumns } from './columns.js';
import { Problems } from './problems.js';
import type { Read } from './sequence.js';

/** Words of a sentence and the tag of each. */
export interface TagExample {
  readonly line: number;
  readonly words: readonly string[];
  /** As many as words; null when unknown. */
  readonly tags: readonly string[] | null;
}

/** BIO (IOB2) or BIOES: whether single words and ends of entities have letters of their own. Null: no entities at all. */
export type TagScheme = 'BIO' | 'BIOES' | null;

const TAG = /^(?:O|[BIES]-.+)$/;

/** The scheme of a set of tags. */
export function schemeOf(tags: Iterable<string>): TagScheme {
  const letters = new Set<string>();
  for (const tag of tags) {
    if (!TAG.test(tag)) return null; // parts of speech, or whatever else
    letters.add(tag[0]);
  }
  return letters.has('E') || letters.has('S') ? 'BIOES' : letters.has('B') || letters.has('I') ? 'BIO' : null;
}

/** Whether a tag goes on with an entity that the tag before it does not belong to. */
function unbegun(before: string, tag: string): boolean {
  if (tag[0] !== 'I' && tag[0] !== 'E') return false;
  return !((before[0] === 'B' || before[0] === 'I') && before.slice(1) === tag.slice(1));
}

/** What all readers of tags look at. */
class TagReader {
  readonly examples: TagExample[] = [];
  readonly problems: Problems;

  constructor(
    source: string,
    private readonly known: ReadonlySet<string> | undefined,
  ) {
    this.problems = new Problems(source);
  }

  add(example: TagExample): void {
    const { line, words, tags } = example;
    this.problems.rows++;
    if (tags !== null && tags.length !== words.length) {
      this.problems.add('tags', line, `${words.length} words, ${tags.length} tags`);
      return;
    }
    const unknown = this.known === undefined ? undefined : tags?.find((tag) => !this.known?.has(tag));
    if (unknown !== undefined) {
      this.problems.add('label', line, `"${unknown.slice(0, 40)}"`);
      return;
    }
    if (words.length === 0) this.problems.add('empty', line);
    if (tags !== null && schemeOf(tags) !== null && tags.some((tag, i) => unbegun(tags[i - 1] ?? 'O', tag)))
      this.problems.add('scheme', line);
    this.examples.push(example);
  }
}

/** Which cells of a CoNLL line are word and tag. */
interface Layout {
  readonly tabs: boolean;
  readonly word: number;
  /** -1: the file has no tags. */
  readonly tag: number;
}

const cellsOf = (line: string, tabs: boolean): string[] => (tabs ? line.split('\t') : line.trim().split(/ +/));

/** Numbered words (CoNLL-U) have the word second; the tag column is the last that holds tags only. */
function layoutOf(lines: readonly string[]): Layout {
  const some = lines.filter((line) => line.trim() !== '').slice(0, 5000);
  const tabs = some.some((line) => line.includes('\t'));
  const rows = some.filter((line) => !isComment(line, tabs)).map((line) => cellsOf(line, tabs));
  const width = Math.max(1, ...rows.map((row) => row.length));
  const all = (column: number, pattern: RegExp): boolean => {
    const filled = rows.filter((row) => row.length > column);
    return filled.length > rows.length / 2 && filled.every((row) => pattern.test(row[column].trim()));
  };
  const columns = Array.from({ length: width }, (_, i) => i);
  const word = all(0, /^\d+([-.]\d+)?$/) && width > 1 && rows.length > 1 ? 1 : 0;
  const tagged = columns.filter((column) => column !== word && all(column, TAG));
  const plain = width > 1 && word === 0 ? width - 1 : -1; // parts of speech and the like stand last
  return { tabs, word, tag: tagged.at(-1) ?? plain };
}

/** `# text = ...`, and the lines between documents; with tabs a `#` may be a word. */
const isComment = (line: string, tabs: boolean): boolean =>
  /^-DOCSTART-/.test(line) || (line.startsWith('#') && !line.includes('\t') && (tabs || line.includes(' = ')));

/**
 * A word a line with its tag, blank lines between sentences: CoNLL 2003, CoNLL-U, or two columns.
 * @param known tags the model knows: sentences with others are bad
 */
export function readConll(lines: readonly string[], source: string, known?: ReadonlySet<string>): Read<TagExample> {
  const reader = new TagReader(source, known);
  const { tabs, word, tag } = layoutOf(lines);
  let [words, tags, first]: [string[], string[], number] = [[], [], 1];
  const end = (): void => {
    if (words.length > 0) reader.add({ line: first, words, tags: tag < 0 ? null : tags });
    [words, tags] = [[], []];
  };
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') end();
    else if (!isComment(line, tabs)) {
      const cells = cellsOf(line, tabs);
      if (words.length === 0) first = i + 1;
      words.push(cells[word] ?? '');
      if (tag >= 0 && cells.length > tag) tags.push(cells[tag].trim());
    }
  }
  end();
  const column = tag < 0 ? 'no tags' : `tags in column ${tag + 1}`;
  return { ...reader, said: `${source}: words in column ${word + 1}, ${column}` };
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' || typeof item === 'number');

/** Records with a list of words and a list of tags. */
export function readTagRecords(
  raw: RawTable,
  reading: { readonly columns?: ColumnRequest; readonly known?: ReadonlySet<string>; readonly tagged: boolean },
): Read<TagExample> {
  const table = nameColumns(raw, reading.columns);
  const roles = reading.tagged ? (['words', 'tags'] as const) : (['words'] as const);
  const columns = findColumns(table, roles, [], reading.columns ?? {});
  const reader = new TagReader(raw.source, reading.known);
  for (const { line, values } of table.rows) {
    const words = values.get(columns.of.get('words') ?? '');
    const tags = values.get(columns.of.get('tags') ?? '');
    if (isTexts(words) && (isTexts(tags) || !reading.tagged)) {
      reader.add({ line, words: words.map(String), tags: isTexts(tags) ? tags.map(String) : null });
    } else {
      reader.problems.rows++;
      reader.problems.add('record', line, 'words and tags must be lists');
    }
  }
  return { ...reader, said: columns.said };
}

/** All tags of examples: O first, then by type. */
export function tagSet(examples: Iterable<TagExample>): string[] {
  const found = new Set<string>();
  for (const { tags } of examples) for (const tag of tags ?? []) found.add(tag);
  const key = (tag: string): string => (tag === 'O' ? '' : `${tag.slice(2)} ${tag[0]}`);
  return [...found].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

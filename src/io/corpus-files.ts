import { readdir, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { InputError } from '../core/errors.js';
import { systemError } from './system-errors.js';

/** What a file holds, besides being packed by gzip or not. */
export type CorpusKind = 'text' | 'jsonl' | 'parquet';

/** A file of a corpus; "-" is the standard input. */
export interface CorpusFile {
  readonly path: string;
  readonly kind: CorpusKind;
  /** Bytes as stored; 0 of the standard input. */
  readonly bytes: number;
}

const KINDS: Readonly<Record<string, CorpusKind>> = {
  txt: 'text',
  text: 'text',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'jsonl', // as Hugging Face names files of JSON lines
  parquet: 'parquet',
};
const KNOWN = '.txt, .jsonl, .parquet, .txt.gz, .jsonl.gz';

/** By the name's ending, `.gz` left out; null when it says nothing. */
function kindOf(name: string): CorpusKind | null {
  const [, ending = ''] = /\.([^.]+)$/.exec(name.toLowerCase().replace(/\.gz$/, '')) ?? [];
  return KINDS[ending] ?? null;
}

/**
 * The files that paths, folders and patterns stand for, each once. A folder means all files below it whose names end as a
 * corpus does, in the order of their names; a pattern (`*`, `?`, `[ab]`, `{a,b}`, `**`) is for shells that leave it alone.
 * A file named outright may have any ending, and is then read as text.
 * @throws {InputError} nothing there, no permission, a folder or pattern without a text
 */
export async function listCorpus(paths: readonly string[]): Promise<CorpusFile[]> {
  const found = new Map<string, CorpusFile>();
  for (const path of paths) {
    for (const file of await filesOf(path)) found.set(file.path === '-' ? '-' : resolve(file.path), file);
  }
  return [...found.values()];
}

async function filesOf(path: string): Promise<CorpusFile[]> {
  if (path === '-') return [{ path, kind: 'text', bytes: 0 }];
  try {
    const about = await stat(path);
    if (!about.isDirectory()) return [{ path, kind: kindOf(path) ?? 'text', bytes: about.size }];
    return await filesBelow(path, () => true, `${path}: there is no text in this folder`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !/[*?[{]/.test(path)) {
      throw systemError(error, path, 'read');
    }
  }
  const pattern = path.split(sep).join('/').replace(/^\.\//, '');
  const fixed = pattern.split('/').slice(0, -1);
  const magic = fixed.findIndex((part) => /[*?[{]/.test(part));
  const base = (magic < 0 ? fixed : fixed.slice(0, magic)).join('/') || (pattern.startsWith('/') ? '/' : '.');
  const matches = patternToRegExp(pattern);
  return await filesBelow(base, (name) => matches.test(name), `${path}: no file matches`);
}

/** Files below a folder, hidden ones left out. */
async function filesBelow(folder: string, wanted: (path: string) => boolean, none: string): Promise<CorpusFile[]> {
  const found: CorpusFile[] = [];
  const strange = new Set<string>();
  const visit = async (at: string): Promise<void> => {
    const entries = await readdir(at, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1)); // by code unit, the same everywhere
    for (const { name } of entries) {
      if (name.startsWith('.')) continue;
      const path = at === '.' ? name : join(at, name);
      const about = await stat(path); // follows links
      if (about.isDirectory()) await visit(path);
      else if (wanted(path.split(sep).join('/'))) {
        const kind = kindOf(name);
        if (kind === null) strange.add(name);
        else found.push({ path, kind, bytes: about.size });
      }
    }
  };
  try {
    await visit(folder);
  } catch (error) {
    throw systemError(error, folder, 'read');
  }
  if (found.length > 0) return found;
  throw new InputError(none, {
    code: 'INPUT-NO-TEXT',
    where: strange.size === 0 ? folder : `${folder} holds ${[...strange].slice(0, 5).join(', ')}`,
    fix: `files must end in ${KNOWN}; one of another name can be named outright`,
  });
}

/** `*` and `?` stay within a name, `**` crosses folders, `{a,b}` means one of them, `[a-z]` one character. */
function patternToRegExp(pattern: string): RegExp {
  let depth = 0;
  const source = pattern.replace(/\*\*\/|\*\*|\*|\?|\[[^\]]*\]|[{},]|[\\^$+.()|\]]/g, (part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part === '{') {
      depth++;
      return '(?:';
    }
    if (part === '}') return depth-- > 0 ? ')' : '\\}';
    if (part === ',') return depth > 0 ? '|' : ',';
    if (part.startsWith('[') && part.length > 2) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    return part.replace(/[\\^$+.()|\][]/g, '\\$&');
  });
  return new RegExp(`^${source}${')'.repeat(Math.max(0, depth))}$`, 'u');
}

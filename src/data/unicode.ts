import { googleTables, hfDifferences } from './unicode-tables.js';

/**
 * Whose rules decide what a character is. `hf`: Hugging Face's fast tokenizer (Rust); `google`: google-research/bert's
 * tokenization.py under Python 3.11. They differ in about 140,000 code points, nearly all of them private use.
 */
export type Dialect = 'hf' | 'google';

/** The character is removed: NUL, U+FFFD, control and format characters; lone surrogates too (they decode to U+FFFD). */
export const DROP = 1;
/** The character separates words. */
export const SPACE = 2;
/** The character is a word by itself. */
export const PUNCT = 4;
/** A non-spacing mark (Mn), removed with the accents. */
export const MARK = 8;
/** The character has a canonical decomposition, so removing accents changes it. */
export const DECOMPOSES = 16;
/** A CJK ideograph: a word by itself. */
export const CJK = 32;

/** What a dialect knows about characters. */
export interface CharTable {
  readonly dialect: Dialect;
  /** [0x110000] DROP, SPACE, PUNCT, MARK, DECOMPOSES and CJK, or'ed. */
  readonly flags: Uint8Array;
  /** Code point to its lower case, where that is one other code point. U+0130 becomes two and is not listed. */
  readonly lower: ReadonlyMap<number, number>;
}

/**
 * Ideographs as google-research/bert tokenization.py:351-359 lists them, ends exclusive. Hugging Face mistyped the start
 * of extension E, 0x2B920 for 0x2B820 (tokenizers/src/normalizers/bert.rs:44): 256 ideographs are not set apart there.
 */
const IDEOGRAPHS = [
  0x3400, 0x4dc0, 0x4e00, 0xa000, 0xf900, 0xfb00, 0x20000, 0x2a6e0, 0x2a700, 0x2b740, 0x2b740, 0x2b820, 0x2b820,
  0x2ceb0, 0x2f800, 0x2fa20,
];

const tables = new Map<Dialect, CharTable>();

/** The table of a dialect; built on first use (about 2 ms, 1.1 MB), then shared. */
export function charTable(dialect: Dialect): CharTable {
  const known = tables.get(dialect);
  if (known !== undefined) return known;
  const table = build(dialect);
  tables.set(dialect, table);
  return table;
}

function build(dialect: Dialect): CharTable {
  const flags = new Uint8Array(0x110000);
  const bits = { drop: DROP, space: SPACE, punct: PUNCT, mark: MARK, decomposes: DECOMPOSES };
  for (const name of ['drop', 'space', 'punct', 'mark', 'decomposes'] as const) {
    const google = unpack(googleTables[name]);
    const bounds = dialect === 'google' ? google : symmetricDifference(google, unpack(hfDifferences[name]));
    setRanges(flags, bounds, bits[name]);
  }
  setRanges(flags, [0xd800, 0xe000], DROP);
  const ideographs = dialect === 'google' ? IDEOGRAPHS : IDEOGRAPHS.with(IDEOGRAPHS.lastIndexOf(0x2b820), 0x2b920);
  setRanges(flags, ideographs, CJK);
  const lower = new Map<number, number>();
  addRuns(lower, googleTables.lower);
  if (dialect === 'hf') addRuns(lower, hfDifferences.lower);
  return { dialect, flags, lower };
}

/** Differences in base 36 -> increasing integers. */
function unpack(text: string): number[] {
  if (text === '') return [];
  let sum = 0;
  return text.split(' ').map((digits) => {
    sum += Number.parseInt(digits, 36);
    return sum;
  });
}

/** Boundaries of the set of elements that only one of two sets has: those boundaries that only one list has. */
function symmetricDifference(a: number[], b: number[]): number[] {
  const out = new Set(a);
  for (const x of b) if (!out.delete(x)) out.add(x);
  return [...out].sort((x, y) => x - y);
}

function setRanges(flags: Uint8Array, bounds: readonly number[], bit: number): void {
  for (let i = 0; i < bounds.length; i += 2) {
    for (let cp = bounds[i]; cp < bounds[i + 1]; cp++) flags[cp] |= bit;
  }
}

/** Runs start,count,step,shift in base 36, starts as differences. */
function addRuns(lower: Map<number, number>, runs: string): void {
  let start = 0;
  for (const run of runs.split(' ')) {
    const [gap, count, step, shift] = run.split(',').map((digits) => Number.parseInt(digits, 36));
    start += gap;
    for (let k = 0; k < count; k++) lower.set(start + k * step, start + k * step + shift);
  }
}

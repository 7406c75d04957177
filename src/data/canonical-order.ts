import type { Dialect } from './unicode.js';

/** Ranges [first, last] of what has a combining class, both dialects know, and is no non-spacing mark. */
const KEPT: readonly (readonly [first: number, last: number])[] = [
  [0x1b44, 0x1b44],
  [0x1baa, 0x1baa],
  [0x1bf2, 0x1bf3],
  [0x302e, 0x302f],
  [0xa953, 0xa953],
  [0xa9c0, 0xa9c0],
  [0x111c0, 0x111c0],
  [0x11235, 0x11235],
  [0x1134d, 0x1134d],
  [0x116b6, 0x116b6],
  [0x1d165, 0x1d166],
  [0x1d16d, 0x1d172],
];
/** Non-spacing marks that Hugging Face's list of marks, of Unicode 8, lacks: they stay, and its NFD, of Unicode 9, sorts them. */
const KEPT_BY_HF: typeof KEPT = [
  [0x8d4, 0x8e1],
  [0x1dfb, 0x1dfb],
  [0x11442, 0x11442],
  [0x11446, 0x11446],
  [0x11c3f, 0x11c3f],
  [0x1e000, 0x1e006],
  [0x1e008, 0x1e018],
  [0x1e01b, 0x1e021],
  [0x1e023, 0x1e024],
  [0x1e026, 0x1e02a],
  [0x1e944, 0x1e94a],
];
/** More in Unicode 14, which Python 3.11 has. */
const KNOWN_TO_PYTHON: typeof KEPT = [
  [0x1715, 0x1715],
  [0x1734, 0x1734],
  [0x1193d, 0x1193d],
  [0x16ff0, 0x16ff1],
];

const expand = (ranges: typeof KEPT): ReadonlySet<number> =>
  new Set(ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)));
/** The characters that have a combining class and stay when accents are removed; made when a text needs them. */
const kept: Partial<Record<Dialect, ReadonlySet<number>>> = {};
const keptBy = (dialect: Dialect): ReadonlySet<number> =>
  (kept[dialect] ??= expand([...KEPT, ...(dialect === 'hf' ? KEPT_BY_HF : KNOWN_TO_PYTHON)]));

/** Whether a non-spacing mark is a starter (class 0), as seen below. */
const starters = new Map<number, boolean>();

/**
 * Canonical order (Unicode 3.11, D109) for decomposed text whose non-spacing marks are about to be removed: only where a
 * character with a class stays can it be seen. `String.normalize` does all of it, in quadratic time.
 * @param cps decomposed code points
 * @param isMark whether a code point is a non-spacing mark
 * @returns for each place the place whose character belongs there, or null if all may stay as they are
 */
export function canonicalOrder(
  cps: readonly number[],
  isMark: (cp: number) => boolean,
  dialect: Dialect,
): number[] | null {
  const stays = keptBy(dialect);
  let order: number[] | null = null;
  let first = 0; // of the characters with a class before place i
  let seen = false; // whether one of them stays
  for (let i = 0; i <= cps.length; i++) {
    const isKept = i < cps.length && stays.has(cps[i]);
    if (isKept) seen = true;
    if (isKept || (i < cps.length && isMark(cps[i]) && !isStarter(cps[i]))) continue;
    if (seen && i - first > 1) order = sortRun(cps, first, i, order);
    first = i + 1;
    seen = false;
  }
  return order;
}

/** Sorts the places [first, end) by class; equal classes stay in order. */
function sortRun(cps: readonly number[], first: number, end: number, order: number[] | null): number[] {
  const result = order ?? cps.map((_, i) => i);
  const marks = [...new Set(cps.slice(first, end))].sort(byClass);
  const ranks = new Map<number, number>();
  for (const [i, mark] of marks.entries()) {
    const isSame = i > 0 && byClass(marks[i - 1], mark) === 0;
    ranks.set(mark, isSame ? (ranks.get(marks[i - 1]) ?? 0) : i);
  }
  const places = result.slice(first, end).sort((a, b) => (ranks.get(cps[a]) ?? 0) - (ranks.get(cps[b]) ?? 0));
  for (const [k, place] of places.entries()) result[first + k] = place;
  return result;
}

/** Compares the classes of two characters that have one: normalising puts the lower one first. */
function byClass(a: number, b: number): number {
  if (changesPlaces(a, b)) return 1;
  return changesPlaces(b, a) ? -1 : 0;
}

const changesPlaces = (a: number, b: number): boolean =>
  a !== b && String.fromCodePoint(a, b).normalize('NFD').codePointAt(0) === b;

/** A starter between a character of class 226 and one of class 6 keeps them in their order. */
function isStarter(mark: number): boolean {
  const known = starters.get(mark);
  if (known !== undefined) return known;
  const text = String.fromCodePoint(0x1d16d, mark, 0x16ff0);
  const starter = text.normalize('NFD').codePointAt(0) === 0x1d16d;
  starters.set(mark, starter);
  return starter;
}

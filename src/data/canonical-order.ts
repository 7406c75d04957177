import type { Dialect } from './unicode.js';

/** Ranges [first, last] and their canonical combining class: what both dialects know and is no non-spacing mark. */
const CLASSES: readonly (readonly [first: number, last: number, combiningClass: number])[] = [
  [0x1b44, 0x1b44, 9],
  [0x1baa, 0x1baa, 9],
  [0x1bf2, 0x1bf3, 9],
  [0x302e, 0x302f, 224],
  [0xa953, 0xa953, 9],
  [0xa9c0, 0xa9c0, 9],
  [0x111c0, 0x111c0, 9],
  [0x11235, 0x11235, 9],
  [0x1134d, 0x1134d, 9],
  [0x116b6, 0x116b6, 9],
  [0x1d165, 0x1d166, 216],
  [0x1d16d, 0x1d16d, 226],
  [0x1d16e, 0x1d172, 216],
];
/** Non-spacing marks that Hugging Face's list of marks, of Unicode 8, lacks: they stay, and its NFD, of Unicode 9, sorts them. */
const KEPT_BY_HF: typeof CLASSES = [
  [0x8d4, 0x8e1, 230],
  [0x1dfb, 0x1dfb, 230],
  [0x11442, 0x11442, 9],
  [0x11446, 0x11446, 7],
  [0x11c3f, 0x11c3f, 9],
  [0x1e000, 0x1e006, 230],
  [0x1e008, 0x1e018, 230],
  [0x1e01b, 0x1e021, 230],
  [0x1e023, 0x1e024, 230],
  [0x1e026, 0x1e02a, 230],
  [0x1e944, 0x1e949, 230],
  [0x1e94a, 0x1e94a, 7],
];
/** More in Unicode 14, which Python 3.11 has. */
const KNOWN_TO_PYTHON: typeof CLASSES = [
  [0x1715, 0x1715, 9],
  [0x1734, 0x1734, 9],
  [0x1193d, 0x1193d, 9],
  [0x16ff0, 0x16ff1, 6],
];

const expand = (ranges: typeof CLASSES): ReadonlyMap<number, number> =>
  new Map(
    ranges.flatMap(([first, last, combiningClass]) =>
      Array.from({ length: last - first + 1 }, (_, i): [number, number] => [first + i, combiningClass]),
    ),
  );
/** Combining classes of the characters that have one and stay when accents are removed. */
const classes: Readonly<Record<Dialect, ReadonlyMap<number, number>>> = {
  hf: expand([...CLASSES, ...KEPT_BY_HF]),
  google: expand([...CLASSES, ...KNOWN_TO_PYTHON]),
};
/**
 * Whether a character may change places with a neighbour and stays. Hugging Face then tells the place it went to, here it is
 * the place it came from.
 */
export const mayMove = (cp: number, dialect: Dialect): boolean => classes[dialect].has(cp);

/** Whether a non-spacing mark is a starter (class 0), as seen below. */
const starters = new Map<number, boolean>();

/**
 * Canonical order (Unicode 3.11, D109) for decomposed text whose non-spacing marks are about to be removed: then only the
 * few characters with a class that stay can be seen to change places. `String.normalize` does all of it, in quadratic time.
 * @param cps decomposed code points
 * @param isMark whether a code point is a non-spacing mark
 * @returns for each place the place whose character belongs there, or null if all are right as they are
 */
export function canonicalOrder(
  cps: readonly number[],
  isMark: (cp: number) => boolean,
  dialect: Dialect,
): number[] | null {
  const known = classes[dialect];
  let order: number[] | null = null;
  let run: number[] = [];
  for (let i = 0; i <= cps.length; i++) {
    if (i < cps.length && known.has(cps[i])) run.push(i);
    else if (run.length > 0 && (i === cps.length || !isMark(cps[i]) || isStarter(cps[i]))) {
      if (run.length > 1) order = sortRun(cps, run, order, known);
      run = [];
    }
  }
  return order;
}

/** Sorts the places of one run by class; equal classes stay in order. */
function sortRun(
  cps: readonly number[],
  run: readonly number[],
  order: number[] | null,
  known: ReadonlyMap<number, number>,
): number[] {
  const result = order ?? cps.map((_, i) => i);
  const sorted = [...run].sort((a, b) => (known.get(cps[a]) ?? 0) - (known.get(cps[b]) ?? 0));
  for (const [k, place] of run.entries()) result[place] = sorted[k];
  return result;
}

/** A starter between a character of class 226 and one of class 6 keeps them in their order. */
function isStarter(mark: number): boolean {
  const known = starters.get(mark);
  if (known !== undefined) return known;
  const text = String.fromCodePoint(0x1d16d, mark, 0x16ff0);
  const starter = text.normalize('NFD').codePointAt(0) === 0x1d16d;
  starters.set(mark, starter);
  return starter;
}

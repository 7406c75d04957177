/** A part of a long text: pieces first .. end - 1. */
export interface Window {
  readonly first: number;
  readonly end: number;
}

/**
 * Windows over pieces that do not fit at once, each beginning `stride` after the one before (run_squad.py:353-364).
 * @param bounds where a window may begin and end: rising, from 0 to the number of pieces; words are not cut then
 */
export function windowsOver(bounds: ArrayLike<number>, room: number, stride: number): Window[] {
  const last = bounds.length - 1;
  const windows: Window[] = [];
  for (let from = 0; ; ) {
    let to = from + 1;
    while (to < last && bounds[to + 1] - bounds[from] <= room) to++;
    windows.push({ first: bounds[from], end: Math.min(bounds[to] ?? bounds[from], bounds[from] + room) });
    if (to >= last) return windows;
    let next = from + 1;
    while (next < to && bounds[next + 1] - bounds[from] <= stride) next++;
    from = next;
  }
}

/** The window in which a piece has the most context on its poorer side; the first of equals (run_squad.py:513-547). */
export function ownerOf(windows: readonly Window[], piece: number): number {
  let [best, owner] = [Number.NEGATIVE_INFINITY, -1];
  for (const [w, { first, end }] of windows.entries()) {
    if (piece < first || piece >= end) continue;
    const score = Math.min(piece - first, end - 1 - piece) + 0.01 * (end - first);
    if (score > best) [best, owner] = [score, w];
  }
  return owner;
}

/** Unit roundoff of float32. */
export const U = 2 ** -24;

/** Below this, float32 numbers lose digits, or are flushed to 0. */
export const TINY = 2 ** -126;

/** Relative error of n roundings (Higham 2002, lemma 3.1). */
export const gamma = (n: number): number => (n * U) / (1 - n * U);

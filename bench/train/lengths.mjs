// Sequences as long as real ones.
import { readFileSync } from 'node:fs';

/** Lengths in tokens of the paragraphs of a text, at 1.3 tokens a word, cut to `seq`. */
export function realLengths(seq) {
  const text = readFileSync(new URL('../../examples/en/corpus.txt', import.meta.url), 'utf8');
  const words = text.split('\n').map((line) => line.split(/\s+/).filter((word) => word !== '').length);
  return words.filter((n) => n > 0).map((n) => Math.min(seq, Math.round(1.3 * n) + 2));
}

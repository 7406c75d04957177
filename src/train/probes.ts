import type { PretrainDataset } from '../data/dataset.js';
import { documentCount, startsWord } from '../data/document.js';
import type { Tokenizer } from '../data/tokenizer.js';

/** Tokens of a sentence that is short enough to be read at a glance and long enough to guess from. */
const LENGTH = { least: 6, most: 14 };

/**
 * Sentences of the documents that are held back (or, where none are, of the corpus), each with one word masked: what a
 * run is asked again and again. The masked word is the longest one that is a single token.
 */
export function probeTexts(data: PretrainDataset, tokenizer: Tokenizer, count = 4): string[] {
  const { corpus, split } = data;
  const from = split.heldOut.length > 0 ? split.heldOut : split.train;
  const texts: string[] = [];
  const documents = Math.min(from.length, documentCount(corpus));
  for (let round = 0; texts.length < count && round < 20; round++) {
    for (let i = 0; i < documents && texts.length < count; i++) {
      const text = probe(data, tokenizer, corpus.documentStarts[from[i]] + round, corpus.documentStarts[from[i] + 1]);
      if (text !== null) texts.push(text);
    }
  }
  return texts;
}

function probe({ corpus }: PretrainDataset, tokenizer: Tokenizer, sentence: number, end: number): string | null {
  if (sentence >= end) return null;
  const [first, last] = [corpus.sentenceStarts[sentence], corpus.sentenceStarts[sentence + 1]];
  if (last - first < LENGTH.least || last - first > LENGTH.most) return null;
  const ids = Array.from(corpus.ids.subarray(first, last));
  if (ids.includes(tokenizer.vocab.unk)) return null;
  const whole = (i: number): boolean =>
    startsWord(corpus, first + i) && (i + 1 === ids.length || startsWord(corpus, first + i + 1));
  const size = (i: number): number => (whole(i) ? tokenizer.vocab.token(ids[i]).length : 0);
  const target = ids.reduce((best, _, i) => (i > 1 && size(i) > size(best) ? i : best), 1);
  if (size(target) === 0) return null;
  ids[target] = tokenizer.vocab.mask;
  return tokenizer.decode(ids);
}

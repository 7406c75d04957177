import { Rng } from '../../src/core/random.js';
import type { TokenCorpus } from '../../src/core/token-corpus.js';

/** A corpus from documents of sentences of ids; an id from `insideFrom` on continues a word. */
export function corpusOf(
  documents: readonly (readonly (readonly number[])[])[],
  insideFrom = Number.POSITIVE_INFINITY,
): TokenCorpus {
  const ids: number[] = [];
  const sentenceStarts = [0];
  const documentStarts = [0];
  for (const sentences of documents) {
    for (const sentence of sentences) {
      for (const id of sentence) ids.push(id);
      sentenceStarts.push(ids.length);
    }
    documentStarts.push(sentenceStarts.length - 1);
  }
  const wordStarts = new Uint8Array(Math.ceil(ids.length / 8));
  ids.forEach((id, i) => {
    if (id < insideFrom) wordStarts[i >> 3] |= 1 << (i & 7);
  });
  return {
    ids: Uint32Array.from(ids),
    sentenceStarts: Uint32Array.from(sentenceStarts),
    documentStarts: Uint32Array.from(documentStarts),
    wordStarts,
  };
}

/** A vocabulary as `PretrainDataset` wants it: five special tokens, then `size - 5` words. */
export const vocabOf = (size: number) => ({ size, pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 });

/** Random documents of ids [5, size); sentences of 3 to 30 tokens, documents of 2 to `most` sentences. */
export function randomDocuments(count: number, size: number, most = 40, seed = 1): number[][][] {
  const rng = new Rng(seed, 99);
  const times = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make);
  return times(count, () => times(2 + rng.int(most - 1), () => times(3 + rng.int(28), () => 5 + rng.int(size - 5))));
}

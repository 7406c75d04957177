import type { ProductSize } from '../backend/backend.js';
import type { BertConfig } from './config.js';

/** Most of what a layer computes for `tokens` tokens: a projection, and both products of the feed-forward network. */
export const productsOf = (
  { hiddenSize, intermediateSize }: Pick<BertConfig, 'hiddenSize' | 'intermediateSize'>,
  tokens: number,
): readonly ProductSize[] => [
  { m: tokens, n: hiddenSize, k: hiddenSize },
  { m: tokens, n: intermediateSize, k: hiddenSize },
  { m: tokens, n: hiddenSize, k: intermediateSize },
];

import { type BertConfig, parseConfig } from '../../src/bert/config.js';

/** Two layers of width 32, 40 tokens. */
export const smallConfig = (positions: number): BertConfig =>
  parseConfig({
    vocab_size: 40,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 64,
    max_position_embeddings: positions,
  });

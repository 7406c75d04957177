/**
 * A corpus cut into ids: documents of sentences of tokens, all in one row. `io` reads and writes it, `data` makes batches
 * of it. Nothing in it depends on a seed.
 */
export interface TokenCorpus {
  /** [tokens] */
  readonly ids: Uint16Array | Uint32Array;
  /** [sentences + 1]: first token of each sentence, and the end. */
  readonly sentenceStarts: Uint32Array;
  /** [documents + 1]: first sentence of each document, and the end. */
  readonly documentStarts: Uint32Array;
  /** [ceil(tokens / 8)]: bit i % 8 of byte i / 8 is 1 when token i begins a word, Chinese words included. */
  readonly wordStarts: Uint8Array;
}

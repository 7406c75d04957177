import type { Initializer } from '../nn/init.js';
import { Module } from '../nn/module.js';
import type { Pass } from '../nn/pass.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { BertEmbeddings } from './embeddings.js';
import { Encoder } from './encoder.js';
import { type BertInput, checkLength } from './input.js';
import { Pooler } from './pooler.js';

/** What the encoder makes of a batch. */
export interface Encoded {
  /** Output of the last layer, [rows, hidden]. */
  readonly hidden: Tensor;
  /** Output of every layer, the embeddings' first: layers + 1 tensors of [rows, hidden]. */
  readonly layers: readonly Tensor[];
  /** [sequences, hidden] */
  readonly pooled: Tensor;
}

/** BERT without a head: embeddings, encoder, pooler (Devlin et al. 2019, arXiv:1810.04805, sec. 3). */
export class BertModel extends Module {
  readonly embeddings: BertEmbeddings;
  readonly encoder: Encoder;
  readonly pooler: Pooler;

  constructor(
    readonly config: BertConfig,
    init: Initializer,
  ) {
    super();
    this.embeddings = new BertEmbeddings(config, init);
    this.encoder = new Encoder(config, init);
    this.pooler = new Pooler(config, init);
  }

  /** @throws {ConfigError} a sequence longer than the position table; {ShapeError} ids outside the vocabulary */
  forward(input: BertInput, pass: Pass): Encoded {
    checkLength(input, this.config.maxPositionEmbeddings);
    const embedded = this.embeddings.forward(input, pass); // [rows, hidden]
    const layers = [embedded, ...this.encoder.forward(embedded, input, pass)];
    const hidden = layers.at(-1) as Tensor; // [rows, hidden]
    return { hidden, layers, pooled: this.pooler.forward(hidden, input, pass) };
  }
}

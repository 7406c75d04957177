import { UsageError } from '../core/errors.js';
import type { Initializer } from '../nn/init.js';
import { Module } from '../nn/module.js';
import type { Pass } from '../nn/pass.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { BertEmbeddings } from './embeddings.js';
import { Encoder } from './encoder.js';
import { type BertInput, checkLength } from './input.js';
import { Pooler } from './pooler.js';
import { type ReadRows, readRows } from './read-rows.js';

/** What the encoder makes of a batch, token by token. */
export interface Hidden {
  /** Output of the last layer, [rows, hidden]. */
  readonly hidden: Tensor;
  /** Output of every layer, the embeddings' first: layers + 1 tensors of [rows, hidden]. */
  readonly layers: readonly Tensor[];
}

/** The same, and each sequence as a whole. */
export interface Encoded extends Hidden {
  /** [sequences, hidden] */
  readonly pooled: Tensor;
}

/** BERT without a head: embeddings, encoder, pooler (Devlin et al. 2019, arXiv:1810.04805, sec. 3). */
export class BertModel extends Module {
  readonly embeddings: BertEmbeddings;
  readonly encoder: Encoder;
  /** Null in a model whose head looks at tokens only. */
  readonly pooler: Pooler | null;

  constructor(
    readonly config: BertConfig,
    init: Initializer,
    options: { readonly pooler?: boolean } = {},
  ) {
    super();
    this.embeddings = new BertEmbeddings(config, init);
    this.encoder = new Encoder(config, init);
    this.pooler = options.pooler === false ? null : new Pooler(config, init);
  }

  /** All but the pooler. @throws {ConfigError} a sequence too long for the position table; {ShapeError} unknown ids */
  encode(input: BertInput, pass: Pass): Hidden {
    checkLength(input, this.config.maxPositionEmbeddings);
    const embedded = this.embeddings.forward(input, pass); // [rows, hidden]
    const layers = [embedded, ...this.encoder.forward(embedded, input, pass)];
    return { hidden: layers.at(-1) as Tensor, layers };
  }

  /** @throws as `encode`; {UsageError} the model was made without a pooler */
  forward(input: BertInput, pass: Pass): Encoded {
    if (this.pooler === null) throw new UsageError('this BERT has no pooler', { fix: 'call encode()' });
    const encoded = this.encode(input, pass);
    const starts = input.offsets.slice(0, input.sequences);
    return { ...encoded, pooled: this.pooler.forward(encoded.hidden, starts, pass) };
  }

  /**
   * The output of the last layer at some rows, to the bits that `encode` gives them, for less work.
   * @returns [reads, hidden] @throws as `encode`
   */
  read(input: BertInput, reads: ReadRows, pass: Pass): Tensor {
    checkLength(input, this.config.maxPositionEmbeddings);
    return this.encoder.read(this.embeddings.forward(input, pass), input, reads, pass);
  }

  /** Each sequence as a whole, with the last layer computed for [CLS] alone. @returns [sequences, hidden] @throws as `forward` */
  pooled(input: BertInput, pass: Pass): Tensor {
    if (this.pooler === null) throw new UsageError('this BERT has no pooler', { fix: 'call encode()' });
    const reads = readRows(input, new Int32Array(0));
    return this.pooler.forward(this.read(input, reads, pass), reads.starts, pass);
  }
}

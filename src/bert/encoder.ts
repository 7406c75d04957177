import type { Initializer } from '../nn/init.js';
import { Module } from '../nn/module.js';
import type { Pass } from '../nn/pass.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { type AttentionLayout, SelfAttention } from './attention.js';
import type { BertConfig } from './config.js';
import { FeedForward } from './feed-forward.js';
import type { BertInput } from './input.js';

/** One block: attention, then feed-forward, each with its residual and LayerNorm behind it (post-LN). */
export class EncoderLayer extends Module {
  readonly attention: SelfAttention;
  readonly feedForward: FeedForward;

  constructor(config: BertConfig, layer: number, init: Initializer) {
    super();
    this.attention = new SelfAttention(config, layer, init);
    this.feedForward = new FeedForward(config, layer, init);
  }

  /** @param x [rows, hidden] @returns [rows, hidden] */
  forward(x: Tensor, layout: AttentionLayout, pass: Pass): Tensor {
    return this.feedForward.forward(this.attention.forward(x, layout, pass), pass);
  }
}

/** The stack of blocks (modeling.py:754-888). */
export class Encoder extends Module {
  readonly layers: readonly EncoderLayer[];

  constructor(config: BertConfig, init: Initializer) {
    super();
    this.layers = Array.from({ length: config.numHiddenLayers }, (_, i) => new EncoderLayer(config, i, init));
  }

  /** @param x [rows, hidden] @returns output of every layer, each [rows, hidden] */
  forward(x: Tensor, input: BertInput, pass: Pass): Tensor[] {
    const { backend } = x;
    const layout: AttentionLayout = {
      input,
      keyBias: tensor(input.keyBias, [input.rows], { backend }),
      offsets: tensor(input.offsets, [input.sequences + 1], { backend }),
    };
    const outputs: Tensor[] = [];
    let hidden = x;
    for (const layer of this.layers) {
      hidden = layer.forward(hidden, layout, pass);
      outputs.push(hidden);
    }
    return outputs;
  }
}

import { isRecording } from '../autograd/apply.js';
import { scope } from '../autograd/scope.js';
import type { Initializer } from '../nn/init.js';
import { Module } from '../nn/module.js';
import { type Pass, watched } from '../nn/pass.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Asking, type AttentionLayout, SelfAttention } from './attention.js';
import type { BertConfig } from './config.js';
import { FeedForward } from './feed-forward.js';
import { LAYER_HOOKS, layerHook } from './hooks.js';
import type { BertInput } from './input.js';
import type { ReadRows } from './read-rows.js';

/** One block: attention, then feed-forward, each with its residual and LayerNorm behind it (post-LN). */
export class EncoderLayer extends Module {
  readonly attention: SelfAttention;
  readonly feedForward: FeedForward;

  constructor(config: BertConfig, layer: number, init: Initializer) {
    super();
    this.attention = new SelfAttention(config, layer, init);
    this.feedForward = new FeedForward(config, layer, init);
  }

  /** @param x [rows, hidden] @param asking rows that are wanted; absent: all @returns [rows or asking, hidden] */
  forward(x: Tensor, layout: AttentionLayout, pass: Pass, asking?: Asking): Tensor {
    return this.feedForward.forward(this.attention.forward(x, layout, pass, asking), pass, asking?.rows);
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
    const layout = layoutOf(x, input);
    const outputs: Tensor[] = [];
    let hidden = x;
    // Without a gradient to come, and with nobody looking, what is inside of a layer is free at its end.
    const within = isRecording() || pass.hooks.size > 0 ? (body: () => Tensor): Tensor => body() : scope<Tensor>;
    for (const layer of this.layers) {
      const before = hidden;
      hidden = within(() => layer.forward(before, layout, pass));
      outputs.push(hidden);
    }
    return outputs;
  }

  /** The last layer's output at some rows, computed for these alone unless somebody looks at it. @returns [reads, hidden] */
  read(x: Tensor, input: BertInput, reads: ReadRows, pass: Pass): Tensor {
    const layout = layoutOf(x, input);
    const { backend } = x;
    const ids = (data: Int32Array): Tensor => tensor(data, [data.length], { backend });
    const last = this.layers.length - 1;
    let hidden = x;
    for (const layer of this.layers.slice(0, last)) hidden = layer.forward(hidden, layout, pass);
    const rows = ids(reads.rows);
    const hooks = LAYER_HOOKS.map((name) => layerHook(last, name));
    if (watched(pass, hooks)) return this.layers[last].forward(hidden, layout, pass).gather(rows);
    const asking = { rows, offsets: ids(reads.offsets), places: ids(reads.places) };
    return this.layers[last].forward(hidden, layout, pass, asking);
  }
}

function layoutOf({ backend }: Tensor, input: BertInput): AttentionLayout {
  return {
    input,
    keyBias: tensor(input.keyBias, [input.rows], { backend }),
    offsets: tensor(input.offsets, [input.sequences + 1], { backend }),
  };
}

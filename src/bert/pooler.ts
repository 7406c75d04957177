import type { Initializer } from '../nn/init.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { look, type Pass } from '../nn/pass.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';

/** tanh of a dense layer over each sequence's first token, [CLS] (modeling.py:218-230). */
export class Pooler extends Module {
  readonly dense: Linear;

  constructor(config: BertConfig, init: Initializer) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize, init, config.initializerRange);
  }

  /** @param hidden [rows, hidden] @param starts [sequences] rows of [CLS] @returns [sequences, hidden] */
  forward(hidden: Tensor, starts: Int32Array, pass: Pass): Tensor {
    const first = hidden.gather(tensor(starts, [starts.length], { backend: hidden.backend })); // [sequences, hidden]
    return look(pass, 'pooler', this.dense.forward(first).tanh());
  }
}

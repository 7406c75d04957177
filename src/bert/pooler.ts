import type { Initializer } from '../nn/init.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { look, type Pass } from '../nn/pass.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import type { BertInput } from './input.js';

/** tanh of a dense layer over each sequence's first token, [CLS] (modeling.py:218-230). */
export class Pooler extends Module {
  readonly dense: Linear;

  constructor(config: BertConfig, init: Initializer) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize, init, config.initializerRange);
  }

  /** @param hidden [rows, hidden] @returns [sequences, hidden] */
  forward(hidden: Tensor, input: BertInput, pass: Pass): Tensor {
    const starts = tensor(input.offsets.slice(0, input.sequences), [input.sequences], { backend: hidden.backend });
    const first = hidden.gather(starts); // [sequences, hidden]
    return look(pass, 'pooler', this.dense.forward(first).tanh());
  }
}

import { dropout } from '../nn/dropout.js';
import type { Initializer } from '../nn/init.js';
import { LayerNorm } from '../nn/layer-norm.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { look, type Pass } from '../nn/pass.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { layerHook, SITE } from './hooks.js';

/** The activation a configuration names. */
export function activate(x: Tensor, name: BertConfig['hiddenAct']): Tensor {
  if (name === 'relu') return x.relu();
  return name === 'gelu' ? x.gelu() : x.geluTanh();
}

/** hidden -> intermediate -> activation -> hidden, then residual and LayerNorm (modeling.py:855-880). */
export class FeedForward extends Module {
  readonly intermediate: Linear;
  readonly output: Linear;
  readonly norm: LayerNorm;

  constructor(
    private readonly config: BertConfig,
    private readonly layer: number,
    init: Initializer,
  ) {
    super();
    const { hiddenSize, intermediateSize, initializerRange, layerNormEps } = config;
    this.intermediate = new Linear(hiddenSize, intermediateSize, init, initializerRange);
    this.output = new Linear(intermediateSize, hiddenSize, init, initializerRange);
    this.norm = new LayerNorm(hiddenSize, layerNormEps, init);
  }

  /** @param x [rows, hidden] @returns [rows, hidden] */
  forward(x: Tensor, pass: Pass): Tensor {
    const show = (name: Parameters<typeof layerHook>[1], value: Tensor): Tensor =>
      look(pass, layerHook(this.layer, name), value);
    const wide = show('feedForward.intermediate', this.intermediate.forward(x)); // [rows, intermediate]
    const active = show('feedForward.activation', activate(wide, this.config.hiddenAct)); // [rows, intermediate]
    const narrow = show('feedForward.output', this.output.forward(active)); // [rows, hidden]
    const dropped = dropout(narrow, this.config.hiddenDropoutProb, SITE.feedForwardOutput(this.layer), pass);
    return show('output', this.norm.forward(dropped.add(x)));
  }
}

import { droppedAt } from '../nn/dropout.js';
import type { Initializer } from '../nn/init.js';
import { LayerNorm } from '../nn/layer-norm.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { look, type Pass, watched } from '../nn/pass.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { layerHook, SITE } from './hooks.js';

/** Our names of the activations that a configuration names. */
const ACTIVATIONS = { gelu: 'gelu', gelu_new: 'geluTanh', relu: 'relu' } as const;

/** The activation a configuration names. */
export const activate = (x: Tensor, name: BertConfig['hiddenAct']): Tensor => x[ACTIVATIONS[name]]();

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

  /**
   * @param x [rows, hidden]
   * @param rows i32 [rows], where these are some rows of a batch: which ones, for dropout's numbers
   * @returns [rows, hidden]
   */
  forward(x: Tensor, pass: Pass, rows?: Tensor): Tensor {
    const name = (hook: Parameters<typeof layerHook>[1]): string => layerHook(this.layer, hook);
    const between = [name('feedForward.intermediate'), name('feedForward.activation')];
    const both = watched(pass, between)
      ? this.spelledOut(x, pass, between)
      : x.feedForward([this.intermediate, this.output], ACTIVATIONS[this.config.hiddenAct]);
    const narrow = look(pass, name('feedForward.output'), both); // [rows, hidden]
    const dropout = droppedAt(this.config.hiddenDropoutProb, SITE.feedForwardOutput(this.layer), pass);
    return look(pass, name('output'), this.norm.afterResidual(narrow, x, dropout, rows));
  }

  /** The same in single steps, so that what lies between the layers can be looked at. */
  private spelledOut(x: Tensor, pass: Pass, [intermediate, activation]: readonly string[]): Tensor {
    const wide = look(pass, intermediate, this.intermediate.forward(x)); // [rows, intermediate]
    return this.output.forward(look(pass, activation, activate(wide, this.config.hiddenAct)));
  }
}

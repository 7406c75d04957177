import type { Initializer } from '../../nn/init.js';
import { LayerNorm } from '../../nn/layer-norm.js';
import { Linear } from '../../nn/linear.js';
import { Module } from '../../nn/module.js';
import { look, type Pass } from '../../nn/pass.js';
import { tensor } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import { activate } from '../feed-forward.js';
import { type Labels, lossAndHits } from './losses.js';

/**
 * Masked-language-model head: masked rows -> dense, activation, LayerNorm -> times the word table itself (tied), or a
 * table of its own where the configuration says so, plus a bias of its own (google-research/bert
 * run_pretraining.py:240-268). Logits exist at the masked rows only: at every position they would cost more than the
 * whole of a small encoder.
 */
export class MlmHead extends Module {
  readonly dense: Linear;
  readonly norm: LayerNorm;
  /** [vocab, hidden] of an untied head, else null. */
  readonly decoder: Tensor | null;
  /** [vocab] */
  readonly bias: Tensor;

  constructor(
    private readonly config: BertConfig,
    init: Initializer,
  ) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize, init, config.initializerRange);
    this.norm = new LayerNorm(config.hiddenSize, config.layerNormEps, init);
    const { vocabSize, hiddenSize, tieWordEmbeddings, initializerRange } = config;
    this.decoder = tieWordEmbeddings ? null : init.truncatedNormal([vocabSize, hiddenSize], initializerRange);
    this.bias = init.constant([config.vocabSize], 0);
  }

  /**
   * @param hidden [rows, hidden]
   * @param positions rows to predict
   * @param words the word embedding table, [vocab, hidden]
   * @returns logits [positions, vocab]
   */
  forward(hidden: Tensor, positions: Int32Array, words: Tensor, pass: Pass): Tensor {
    const features = this.transform(hidden, positions, pass); // [positions, hidden]
    return look(pass, 'mlm.logits', features.linear(this.decoder ?? words, this.bias)); // [positions, vocab]
  }

  /**
   * Cross-entropy over the vocabulary, whose logits are not kept unless somebody looks at them.
   * @returns [2]: the loss, and how many of the likeliest words are right
   */
  loss(hidden: Tensor, positions: Int32Array, words: Tensor, labels: Labels, pass: Pass): Tensor {
    const features = this.transform(hidden, positions, pass); // [positions, hidden]
    const layer = { weight: this.decoder ?? words, bias: this.bias };
    return lossAndHits(features, layer, labels, 'mlm.logits', pass);
  }

  private transform(hidden: Tensor, positions: Int32Array, pass: Pass): Tensor {
    const rows = tensor(positions, [positions.length], { backend: hidden.backend });
    const gathered = look(pass, 'mlm.gathered', hidden.gather(rows)); // [positions, hidden]
    const transformed = this.norm.forward(activate(this.dense.forward(gathered), this.config.hiddenAct));
    return look(pass, 'mlm.transform', transformed); // [positions, hidden]
  }
}

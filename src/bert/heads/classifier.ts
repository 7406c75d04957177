import type { Initializer } from '../../nn/init.js';
import { Linear } from '../../nn/linear.js';
import { Module } from '../../nn/module.js';
import { dropoutKey, look, type Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import { SITE } from '../hooks.js';

/**
 * Dropout, then a number for each label (google-research/bert run_classifier.py:592-618): over pooled sequences, or over
 * tokens.
 */
export class ClassifierHead extends Module {
  readonly dense: Linear;

  constructor(
    private readonly config: BertConfig,
    labels: number,
    init: Initializer,
  ) {
    super();
    this.dense = new Linear(config.hiddenSize, labels, init, config.initializerRange);
  }

  /**
   * @param x [items, hidden]
   * @param first the number of the first item within the global batch, for the random numbers of dropout
   * @returns [items, labels]
   */
  forward(x: Tensor, first: number, pass: Pass): Tensor {
    const rate = this.config.classifierDropout ?? this.config.hiddenDropoutProb;
    const site = SITE.classifier(this.config.numHiddenLayers);
    const kept = pass.training && rate > 0 ? x.dropout(rate, dropoutKey(pass, site, first)) : x; // [items, hidden]
    return look(pass, 'classifier.logits', this.dense.forward(look(pass, 'classifier.input', kept)));
  }
}

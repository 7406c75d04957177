import type { Initializer } from '../../nn/init.js';
import { Linear } from '../../nn/linear.js';
import { Module } from '../../nn/module.js';
import { look, type Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import { type Labels, lossAndHits } from './losses.js';

/** What the pair of sentences is asked: does B follow A (NSP), are A and B in order (SOP), or nothing. */
export type SentenceTask = 'nsp' | 'sop' | 'none';

/** Label 0 and label 1 of each task, for people. */
export const SENTENCE_LABELS = { nsp: ['next', 'random'], sop: ['in order', 'swapped'] } as const;

/**
 * Two logits from the pooled [CLS]: next-sentence prediction (run_pretraining.py:285-305; 0 = next, 1 = random) or
 * sentence order (Lan et al. 2020, arXiv:1909.11942, sec. 3.1; 0 = in order, 1 = swapped). One form, two questions.
 */
export class SentenceHead extends Module {
  readonly dense: Linear;

  constructor(config: BertConfig, init: Initializer) {
    super();
    this.dense = new Linear(config.hiddenSize, 2, init, config.initializerRange);
  }

  /** @param pooled [sequences, hidden] @returns [sequences, 2] */
  forward(pooled: Tensor, pass: Pass): Tensor {
    return look(pass, 'sentence.logits', this.dense.forward(pooled));
  }

  /** @returns [2]: the loss, and how many pairs are judged right */
  loss(pooled: Tensor, labels: Labels, pass: Pass): Tensor {
    return lossAndHits(pooled, this.dense, labels, 'sentence.logits', pass);
  }
}

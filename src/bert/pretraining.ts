import { Initializer } from '../nn/init.js';
import { Module } from '../nn/module.js';
import type { Pass } from '../nn/pass.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { MlmHead } from './heads/mlm.js';
import { SentenceHead } from './heads/sentence.js';
import type { BertInput } from './input.js';
import { BertModel, type Encoded } from './model.js';
import { summaryText } from './summary.js';

/** What is asked of a batch. Totals are those of the whole global batch, of which this may be a part. */
export interface PretrainingTargets {
  /** [masked] rows of the input. */
  readonly maskedPositions: Int32Array;
  /** [masked] the tokens that stood there. */
  readonly maskedLabels: Int32Array;
  /** [sequences]: 0, 1, or -1 for none. */
  readonly sentenceLabels: Int32Array;
  readonly maskedTotal: number;
  readonly sentenceTotal: number;
}

export interface PretrainingOutput extends Encoded {
  /** [masked, vocab] */
  readonly mlmLogits: Tensor;
  /** [sequences, 2] */
  readonly sentenceLogits: Tensor;
}

export interface PretrainingLoss extends PretrainingOutput {
  /** [1] This part's share of the mean over the global batch's masked tokens. */
  readonly mlmLoss: Tensor;
  /** [1] This part's share of the mean over the global batch's labelled pairs. */
  readonly sentenceLoss: Tensor;
  /** [1] Their sum (run_pretraining.py:148). */
  readonly loss: Tensor;
}

/** Label that cross-entropy passes over. */
const NO_LABEL = -1;

/** BERT with the two heads of pre-training: masked words, and the pair of sentences. */
export class BertForPreTraining extends Module {
  readonly bert: BertModel;
  readonly mlm: MlmHead;
  readonly sentence: SentenceHead;

  constructor(
    readonly config: BertConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    const init = options.init ?? new Initializer(options.seed ?? 0);
    this.bert = new BertModel(config, init);
    this.mlm = new MlmHead(config, init);
    this.sentence = new SentenceHead(config, init);
  }

  /** Parameters by part, one line each. */
  summary(): string {
    return summaryText(this);
  }

  forward(input: BertInput, maskedPositions: Int32Array, pass: Pass): PretrainingOutput {
    const encoded = this.bert.forward(input, pass);
    const words = this.bert.embeddings.word.weight; // [vocab, hidden]
    return {
      ...encoded,
      mlmLogits: this.mlm.forward(encoded.hidden, maskedPositions, words, pass),
      sentenceLogits: this.sentence.forward(encoded.pooled, pass),
    };
  }

  /**
   * Losses of a batch or of a part of one. They are weighted by the totals of the whole global batch, so that the
   * parts' losses and gradients add up to the whole's however unevenly the masks fall (a mean of means would not).
   */
  loss(input: BertInput, targets: PretrainingTargets, pass: Pass): PretrainingLoss {
    const output = this.forward(input, targets.maskedPositions, pass);
    const mean = (total: number) => ({ ignoreIndex: NO_LABEL, scale: 1 / Math.max(total, 1) });
    const mlmLoss = output.mlmLogits.crossEntropy(targets.maskedLabels, mean(targets.maskedTotal));
    const sentenceLoss = output.sentenceLogits.crossEntropy(targets.sentenceLabels, mean(targets.sentenceTotal));
    return { ...output, mlmLoss, sentenceLoss, loss: mlmLoss.add(sentenceLoss) };
  }
}

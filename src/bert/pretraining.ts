import { Initializer } from '../nn/init.js';
import { Module } from '../nn/module.js';
import type { Pass } from '../nn/pass.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { MlmHead } from './heads/mlm.js';
import { SentenceHead } from './heads/sentence.js';
import type { BertInput } from './input.js';
import { BertModel, type Encoded } from './model.js';
import type { Pooler } from './pooler.js';
import { type ReadRows, readRows } from './read-rows.js';
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
  /** What `readRows` says of the input and the masked positions, where it is known already. */
  readonly reads?: ReadRows;
}

export interface PretrainingOutput extends Encoded {
  /** [masked, vocab] */
  readonly mlmLogits: Tensor;
  /** [sequences, 2] */
  readonly sentenceLogits: Tensor;
}

/** Logits at the rows that were asked for. */
export type PretrainingLogits = Pick<PretrainingOutput, 'mlmLogits' | 'sentenceLogits'>;

/** Losses of a batch or of a part of one, [1] each. */
export interface PretrainingLoss {
  /** This part's share of the mean over the global batch's masked tokens. */
  readonly mlmLoss: Tensor;
  /** This part's share of the mean over the global batch's labelled pairs. */
  readonly sentenceLoss: Tensor;
  /** Their sum (run_pretraining.py:148). */
  readonly loss: Tensor;
  /** Masked tokens whose likeliest word is right. */
  readonly maskedHits: Tensor;
  /** Labelled pairs that are judged right. */
  readonly sentenceHits: Tensor;
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

  /** The logits alone, with the last layer computed only where they need it. */
  predict(input: BertInput, maskedPositions: Int32Array, pass: Pass): PretrainingLogits {
    const reads = readRows(input, maskedPositions);
    const hidden = this.bert.read(input, reads, pass); // [reads, hidden]
    return {
      mlmLogits: this.mlm.forward(hidden, reads.positions, this.bert.embeddings.word.weight, pass),
      sentenceLogits: this.sentence.forward(this.poolerOf(hidden, reads, pass), pass),
    };
  }

  /**
   * Losses of a batch or of a part of one. They are weighted by the totals of the whole global batch, so that the
   * parts' losses and gradients add up to the whole's however unevenly the masks fall (a mean of means would not).
   */
  loss(input: BertInput, targets: PretrainingTargets, pass: Pass): PretrainingLoss {
    const reads = targets.reads ?? readRows(input, targets.maskedPositions);
    const hidden = this.bert.read(input, reads, pass); // [reads, hidden]
    const words = { ids: targets.maskedLabels, none: NO_LABEL, total: targets.maskedTotal };
    const pairs = { ids: targets.sentenceLabels, none: NO_LABEL, total: targets.sentenceTotal };
    const mlm = this.mlm.loss(hidden, reads.positions, this.bert.embeddings.word.weight, words, pass);
    const sentence = this.sentence.loss(this.poolerOf(hidden, reads, pass), pairs, pass);
    const part = (of: Tensor, i: number): Tensor => of.slice(0, i, i + 1);
    const [mlmLoss, sentenceLoss] = [part(mlm, 0), part(sentence, 0)];
    return {
      mlmLoss,
      sentenceLoss,
      loss: mlmLoss.add(sentenceLoss),
      maskedHits: part(mlm.detach(), 1),
      sentenceHits: part(sentence.detach(), 1),
    };
  }

  private poolerOf(hidden: Tensor, { starts }: ReadRows, pass: Pass): Tensor {
    return (this.bert.pooler as Pooler).forward(hidden, starts, pass); // [sequences, hidden]
  }
}

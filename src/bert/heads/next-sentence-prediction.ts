import { Initializer } from '../../nn/init.js';
import type { Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import type { BertInput } from '../input.js';
import { BertModel } from '../model.js';
import { HeadModel } from './head-model.js';
import { weightedCrossEntropy } from './losses.js';
import { SentenceHead } from './sentence.js';

/** BERT with the sentence head alone: does the second text follow the first. */
export class BertForNextSentencePrediction extends HeadModel<{ readonly labels: Int32Array; readonly total: number }> {
  readonly architecture = 'BertForNextSentencePrediction';
  readonly labelConfig = null;
  readonly bert: BertModel;
  readonly sentence: SentenceHead;

  constructor(
    readonly config: BertConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    const init = options.init ?? new Initializer(options.seed ?? 0);
    this.bert = new BertModel(config, init);
    this.sentence = new SentenceHead(config, init);
  }

  /** @returns [sequences, 2]: 0 = next, 1 = random */
  forward(input: BertInput, pass: Pass): Tensor {
    return this.sentence.forward(this.bert.pooled(input, pass), pass);
  }

  /** @param targets.labels [sequences] @param targets.total labelled pairs of the global batch */
  loss(logits: Tensor, { labels, total }: { readonly labels: Int32Array; readonly total: number }): Tensor {
    return weightedCrossEntropy(logits, labels, null, total);
  }
}

import { Initializer } from '../../nn/init.js';
import type { Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import type { BertInput } from '../input.js';
import { BertModel } from '../model.js';
import { ClassifierHead } from './classifier.js';
import { HeadModel } from './head-model.js';
import { weightedCrossEntropy } from './losses.js';

export interface ChoiceTargets {
  /** [questions]: the right one, or NO_LABEL. */
  readonly labels: Int32Array;
  /** Sequences of a question; those of one question follow one another. */
  readonly choices: number;
  /** Labelled questions of the global batch. */
  readonly total: number;
}

/** Which of several texts fits: each is read with the question and gets one number. */
export class BertForMultipleChoice extends HeadModel<ChoiceTargets> {
  readonly architecture = 'BertForMultipleChoice';
  readonly labelConfig = null;
  readonly bert: BertModel;
  readonly classifier: ClassifierHead;

  constructor(
    readonly config: BertConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    const init = options.init ?? new Initializer(options.seed ?? 0);
    this.bert = new BertModel(config, init);
    this.classifier = new ClassifierHead(config, 1, init);
  }

  /** @returns [sequences, 1] */
  forward(input: BertInput, pass: Pass): Tensor {
    return this.classifier.forward(this.bert.pooled(input, pass), pass.firstSequence, pass);
  }

  loss(logits: Tensor, { labels, choices, total }: ChoiceTargets): Tensor {
    return weightedCrossEntropy(logits.reshape([-1, choices]), labels, null, total); // [questions, choices]
  }
}

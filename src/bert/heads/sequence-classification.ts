import { Initializer } from '../../nn/init.js';
import type { Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import type { BertInput } from '../input.js';
import type { LabelConfig } from '../labels.js';
import { BertModel } from '../model.js';
import { ClassifierHead } from './classifier.js';
import { HeadModel } from './head-model.js';
import { binaryCrossEntropy, squaredError, weightedCrossEntropy } from './losses.js';

/** What is known of the sequences of a batch, in the form that the problem type asks for. */
export interface SequenceTargets {
  /**
   * One of several classes: i32 [sequences], NO_LABEL for none. Several labels at once: i32 [sequences * labels], 0 or 1.
   * Regression: f32 [sequences * labels].
   */
  readonly labels: Int32Array | Float32Array;
  /** [sequences], for one of several classes only: how much each counts. */
  readonly weights?: Float32Array;
  /** Labels (their weights) of the global batch; for the other two problem types sequences * labels of it. */
  readonly total: number;
}

/** A class, a set of labels, or numbers for a text or a pair of texts, from the pooled [CLS]. */
export class BertForSequenceClassification extends HeadModel<SequenceTargets> {
  readonly architecture = 'BertForSequenceClassification';
  readonly bert: BertModel;
  readonly classifier: ClassifierHead;

  constructor(
    readonly config: BertConfig,
    readonly labelConfig: LabelConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    const init = options.init ?? new Initializer(options.seed ?? 0);
    this.bert = new BertModel(config, init);
    this.classifier = new ClassifierHead(config, labelConfig.labels.length, init);
  }

  /** @returns [sequences, labels] */
  forward(input: BertInput, pass: Pass): Tensor {
    return this.classifier.forward(this.bert.pooled(input, pass), pass.firstSequence, pass);
  }

  loss(logits: Tensor, { labels, weights, total }: SequenceTargets): Tensor {
    if (labels instanceof Float32Array) return squaredError(logits, labels, total);
    if (this.labelConfig.problemType === 'multi_label_classification') return binaryCrossEntropy(logits, labels, total);
    return weightedCrossEntropy(logits, labels, weights ?? null, total);
  }
}

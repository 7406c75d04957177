import { Initializer } from '../../nn/init.js';
import type { Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import type { BertInput } from '../input.js';
import type { LabelConfig } from '../labels.js';
import { BertModel } from '../model.js';
import { ClassifierHead } from './classifier.js';
import { HeadModel } from './head-model.js';
import { weightedCrossEntropy } from './losses.js';

export interface TokenTargets {
  /** [rows] of the input, NO_LABEL where a token has none: special ones, and all but the first piece of a word. */
  readonly labels: Int32Array;
  /** [rows]: how much each counts. */
  readonly weights?: Float32Array;
  /** Labels (their weights) of the global batch. */
  readonly total: number;
}

/** A class for each token. */
export class BertForTokenClassification extends HeadModel<TokenTargets> {
  readonly architecture = 'BertForTokenClassification';
  readonly bert: BertModel;
  readonly classifier: ClassifierHead;

  constructor(
    readonly config: BertConfig,
    readonly labelConfig: LabelConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    const init = options.init ?? new Initializer(options.seed ?? 0);
    this.bert = new BertModel(config, init, { pooler: false });
    this.classifier = new ClassifierHead(config, labelConfig.labels.length, init);
  }

  /** @returns [rows, labels] */
  forward(input: BertInput, pass: Pass): Tensor {
    return this.classifier.forward(this.bert.encode(input, pass).hidden, pass.firstRow, pass);
  }

  loss(logits: Tensor, { labels, weights, total }: TokenTargets): Tensor {
    return weightedCrossEntropy(logits, labels, weights ?? null, total);
  }
}

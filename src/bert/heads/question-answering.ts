import { Initializer } from '../../nn/init.js';
import type { Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import type { BertInput } from '../input.js';
import { BertModel } from '../model.js';
import { HeadModel } from './head-model.js';
import { NO_LABEL } from './losses.js';
import { SpanHead } from './span.js';

export interface SpanTargets {
  /** [sequences]: the token at which the answer begins, counted within its sequence; 0 for no answer, NO_LABEL. */
  readonly starts: Int32Array;
  /** [sequences]: its last token. */
  readonly ends: Int32Array;
  /** Labelled sequences of the global batch. */
  readonly total: number;
}

/** Where in the text the answer to a question stands. */
export class BertForQuestionAnswering extends HeadModel<SpanTargets> {
  readonly architecture = 'BertForQuestionAnswering';
  readonly labelConfig = null;
  readonly bert: BertModel;
  readonly span: SpanHead;

  constructor(
    readonly config: BertConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    const init = options.init ?? new Initializer(options.seed ?? 0);
    this.bert = new BertModel(config, init, { pooler: false });
    this.span = new SpanHead(config, init);
  }

  /** @returns [2 * sequences, maxSeq]: starts of all sequences, then their ends; padding at -10000 */
  forward(input: BertInput, pass: Pass): Tensor {
    return this.span.forward(this.bert.encode(input, pass).hidden, input, pass);
  }

  /** The mean of both cross-entropies (run_squad.py:657-660). */
  loss(logits: Tensor, { starts, ends, total }: SpanTargets): Tensor {
    const labels = new Int32Array(starts.length + ends.length);
    labels.set(starts);
    labels.set(ends, starts.length);
    return logits.crossEntropy(labels, { ignoreIndex: NO_LABEL, scale: 1 / Math.max(1, 2 * total) });
  }
}

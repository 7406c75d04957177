import { Initializer } from '../../nn/init.js';
import { Module } from '../../nn/module.js';
import type { Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import type { BertInput } from '../input.js';
import { BertModel } from '../model.js';
import { readRows } from '../read-rows.js';
import { weightedCrossEntropy } from './losses.js';
import { MlmHead } from './mlm.js';

/** BERT with the masked-word head alone. */
export class BertForMaskedLM extends Module {
  readonly architecture = 'BertForMaskedLM';
  readonly bert: BertModel;
  readonly mlm: MlmHead;

  constructor(
    readonly config: BertConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    const init = options.init ?? new Initializer(options.seed ?? 0);
    this.bert = new BertModel(config, init, { pooler: false });
    this.mlm = new MlmHead(config, init);
  }

  /** @param positions rows to predict @returns [positions, vocab] */
  forward(input: BertInput, positions: Int32Array, pass: Pass): Tensor {
    const reads = readRows(input, positions);
    return this.mlm.forward(
      this.bert.read(input, reads, pass),
      reads.positions,
      this.bert.embeddings.word.weight,
      pass,
    );
  }

  /** @param labels [positions] the tokens that stood there @param total places of the global batch @returns [1] */
  loss(logits: Tensor, { labels, total }: { readonly labels: Int32Array; readonly total: number }): Tensor {
    return weightedCrossEntropy(logits, labels, null, total);
  }
}

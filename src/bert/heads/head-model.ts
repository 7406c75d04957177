import { Module } from '../../nn/module.js';
import type { Pass } from '../../nn/pass.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import type { BertInput } from '../input.js';
import type { LabelConfig } from '../labels.js';
import type { BertModel } from '../model.js';

/**
 * A BERT with one head for one task. Losses are over totals of the whole global batch, of which a call may see a part,
 * so that the parts' losses and gradients add up to the whole's.
 */
export abstract class HeadModel<Targets> extends Module {
  /** The name of transformers' class, as config.json has it. */
  abstract readonly architecture: string;
  abstract readonly config: BertConfig;
  /** Null where a head answers with places in the text, not with labels. */
  abstract readonly labelConfig: LabelConfig | null;
  abstract readonly bert: BertModel;

  abstract forward(input: BertInput, pass: Pass): Tensor;

  /** @param logits of `forward` @returns [1] */
  abstract loss(logits: Tensor, targets: Targets): Tensor;
}

import { Initializer } from '../nn/init.js';
import { Module } from '../nn/module.js';
import type { BertConfig } from './config.js';
import { BertModel } from './model.js';

/** An encoder without a head, whose parameters have the same names as in a model with one. */
export class BareBert extends Module {
  readonly architecture = 'BertModel';
  readonly bert: BertModel;

  constructor(
    readonly config: BertConfig,
    options: { seed?: number; init?: Initializer } = {},
  ) {
    super();
    this.bert = new BertModel(config, options.init ?? new Initializer(options.seed ?? 0));
  }
}

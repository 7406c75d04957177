import type { Initializer } from '../../nn/init.js';
import { Linear } from '../../nn/linear.js';
import { Module } from '../../nn/module.js';
import { look, type Pass } from '../../nn/pass.js';
import { tensor } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { BertConfig } from '../config.js';
import { type BertInput, HIDDEN_KEY_BIAS } from '../input.js';

/**
 * How well a span of text begins, and ends, at each token (google-research/bert run_squad.py:547-592). Padding scores
 * -10000: it takes no part in the softmax over a sequence, so a batch says the same with padding and without. Google and
 * transformers let padding take part, and the model learns to avoid it.
 */
export class SpanHead extends Module {
  readonly dense: Linear;

  constructor(config: BertConfig, init: Initializer) {
    super();
    this.dense = new Linear(config.hiddenSize, 2, init, config.initializerRange);
  }

  /** @param hidden [rows, hidden] @returns [2 * sequences, maxSeq]: starts of all sequences, then their ends */
  forward(hidden: Tensor, input: BertInput, pass: Pass): Tensor {
    const { sequences, maxSeq, offsets, keyBias } = input;
    const rows = new Int32Array(sequences * maxSeq);
    const bias = new Float32Array(sequences * maxSeq).fill(HIDDEN_KEY_BIAS);
    for (let s = 0; s < sequences; s++) {
      const [start, end] = [offsets[s], offsets[s + 1]];
      rows.fill(start, s * maxSeq, (s + 1) * maxSeq); // a place without a token may read any row: its bias hides it
      for (let row = start; row < end; row++) {
        rows[s * maxSeq + row - start] = row;
        bias[s * maxSeq + row - start] = keyBias[row];
      }
    }
    const { backend } = hidden;
    const scores = this.dense.forward(hidden); // [rows, 2]
    const grid = scores.gather(tensor(rows, [rows.length], { backend })); // [sequences * maxSeq, 2]
    const hiding = tensor(bias, [bias.length, 1], { backend });
    const both = grid.add(hiding).permute([1, 0]); // [2, sequences * maxSeq]
    return look(pass, 'span.logits', both.reshape([2 * sequences, maxSeq])); // [2 * sequences, maxSeq]
  }
}

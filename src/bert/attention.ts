import { ShapeError } from '../core/errors.js';
import { droppedAt } from '../nn/dropout.js';
import type { Initializer } from '../nn/init.js';
import { LayerNorm } from '../nn/layer-norm.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { dropoutKey, look, type Pass, watched } from '../nn/pass.js';
import type { AttentionAttrs } from '../ops/attention.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { layerHook, SITE } from './hooks.js';
import type { BertInput } from './input.js';

/** The parts of a batch that attention needs on the backend. */
export interface AttentionLayout {
  readonly input: BertInput;
  /** [rows] */
  readonly keyBias: Tensor;
  /** i32 [sequences + 1] */
  readonly offsets: Tensor;
}

/** The rows that ask, where not all of them do (`ReadRows`). */
export interface Asking {
  /** i32 [count] rows of the input. */
  readonly rows: Tensor;
  /** i32 [sequences + 1] */
  readonly offsets: Tensor;
  /** i32 [count] */
  readonly places: Tensor;
}

/**
 * Multi-head self-attention, its output projection, and the residual with LayerNorm after it (post-LN):
 * softmax(q k^T / sqrt(headDim) + keyBias) v (Vaswani et al. 2017, sec. 3.2; modeling.py:524-751, 826-852).
 */
export class SelfAttention extends Module {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  readonly norm: LayerNorm;

  constructor(
    private readonly config: BertConfig,
    private readonly layer: number,
    init: Initializer,
  ) {
    super();
    const { hiddenSize, initializerRange, layerNormEps } = config;
    this.query = new Linear(hiddenSize, hiddenSize, init, initializerRange);
    this.key = new Linear(hiddenSize, hiddenSize, init, initializerRange);
    this.value = new Linear(hiddenSize, hiddenSize, init, initializerRange);
    this.output = new Linear(hiddenSize, hiddenSize, init, initializerRange);
    this.norm = new LayerNorm(hiddenSize, layerNormEps, init);
  }

  /**
   * @param x [rows, hidden]
   * @param asking rows whose output is wanted, absent: all; nobody may be looking at this layer then
   * @returns [rows, hidden] or [asking, hidden]
   */
  forward(x: Tensor, layout: AttentionLayout, pass: Pass, asking?: Asking): Tensor {
    const show = (name: Parameters<typeof layerHook>[1], value: Tensor): Tensor =>
      look(pass, layerHook(this.layer, name), value);
    const own = asking === undefined ? x : x.gather(asking.rows); // [asking, hidden]
    const q = show('attention.query', this.query.forward(own)); // [asking, hidden]
    const k = show('attention.key', this.key.forward(x)); // [rows, hidden]
    const v = show('attention.value', this.value.forward(x)); // [rows, hidden]
    const single = (['attention.scores', 'attention.probs'] as const).map((name) => layerHook(this.layer, name));
    const mixed = watched(pass, single)
      ? this.spelledOut(q, k, v, layout, pass)
      : this.fused(q, k, v, layout, pass, asking);
    const context = show('attention.context', mixed); // [asking, hidden]
    const projected = show('attention.output', this.output.forward(context)); // [asking, hidden]
    const dropout = droppedAt(this.config.hiddenDropoutProb, SITE.attentionOutput(this.layer), pass);
    return show('attention.norm', this.norm.afterResidual(projected, own, dropout, asking?.rows));
  }

  private get scale(): number {
    return 1 / Math.sqrt(this.config.hiddenSize / this.config.numAttentionHeads);
  }

  /** One kernel per head and block of queries: the [seq, seq] probabilities never reach memory. */
  private fused(q: Tensor, k: Tensor, v: Tensor, layout: AttentionLayout, pass: Pass, asking?: Asking): Tensor {
    const attrs = {
      heads: this.config.numAttentionHeads,
      scale: this.scale,
      maxSeq: layout.input.maxSeq,
      dropout: this.probsDropout(layout, pass),
      precision: this.precision(pass),
    };
    return q.attention(k, v, layout.keyBias, layout.offsets, attrs, asking);
  }

  /** Where weights are multiplied in fewer bits, scores and probabilities are as well, unless they are to be trained by. */
  private precision({ training }: Pass): 'f32' | 'bf16' {
    const { factor } = this.query.weight;
    return training || factor === null || factor.precision === 'f32' ? 'f32' : 'bf16';
  }

  private probsDropout(layout: AttentionLayout, pass: Pass): AttentionAttrs['dropout'] {
    const rate = this.config.attentionProbsDropoutProb;
    if (!pass.training || rate === 0) return null;
    const row = pass.firstSequence * this.config.numAttentionHeads * layout.input.maxSeq;
    return { rate, key: dropoutKey(pass, SITE.attentionProbs(this.layer), row) };
  }

  /** The same in single steps, so that scores and probabilities can be looked at; padded batches only. */
  private spelledOut(q: Tensor, k: Tensor, v: Tensor, layout: AttentionLayout, pass: Pass): Tensor {
    const { sequences, maxSeq, uniform, rows } = layout.input;
    if (!uniform) {
      throw new ShapeError(
        'attention',
        'scores and probabilities can be watched in padded batches only; use paddedInput()',
      );
    }
    const { numAttentionHeads: heads, hiddenSize } = this.config;
    const split = (t: Tensor): Tensor =>
      t.reshape([sequences, maxSeq, heads, hiddenSize / heads]).permute([0, 2, 1, 3]); // [sequences, heads, seq, headDim]
    const bias = layout.keyBias.reshape([sequences, 1, 1, maxSeq]); // 0 = keep, -10000 = padding
    const raw = split(q).matmul(split(k), { transposeB: true }).mul(this.scale).add(bias); // [sequences, heads, seq, seq]
    const scores = look(pass, layerHook(this.layer, 'attention.scores'), raw);
    const probs = look(pass, layerHook(this.layer, 'attention.probs'), scores.softmax()); // [sequences, heads, seq, seq]
    const drop = this.probsDropout(layout, pass);
    const kept = drop === null ? probs : probs.dropout(drop.rate, drop.key);
    return kept.matmul(split(v)).permute([0, 2, 1, 3]).reshape([rows, hiddenSize]); // [rows, hidden]
  }
}

import { apply } from '../autograd/apply.js';
import { boundsOf } from '../autograd/value.js';
import type { Buf } from '../backend/backend.js';
import type { RandomKey } from '../core/random.js';
import { broadcastShapes, normalizeAxis, rowsOf, type Shape, sameShape } from '../core/shape.js';
import { argmax } from '../ops/argmax.js';
import { type AttentionAttrs, attention } from '../ops/attention.js';
import { concat } from '../ops/concat.js';
import { crossEntropy } from '../ops/cross-entropy.js';
import { dropout } from '../ops/dropout.js';
import * as el from '../ops/elementwise.js';
import { gather } from '../ops/embedding.js';
import { type EmbeddingNormAttrs, embeddingNorm } from '../ops/embedding-norm.js';
import { expand } from '../ops/expand.js';
import { type FeedForwardAttrs, feedForward } from '../ops/feed-forward.js';
import { gelu, geluTanh } from '../ops/gelu.js';
import { layerNorm } from '../ops/layer-norm.js';
import { linear } from '../ops/linear.js';
import { linearCrossEntropy } from '../ops/linear-cross-entropy.js';
import { logSoftmax } from '../ops/log-softmax.js';
import { matmul } from '../ops/matmul.js';
import { permute } from '../ops/permute.js';
import * as red from '../ops/reduce.js';
import { reshape } from '../ops/reshape.js';
import { type ResidualNormAttrs, residualNorm } from '../ops/residual-norm.js';
import { slice } from '../ops/slice.js';
import { softmax } from '../ops/softmax.js';
import { where } from '../ops/where.js';
import { TensorValues } from './values.js';

/** A tensor, or a number that stands for a tensor full of it. */
export type Operand = Tensor | number;

/**
 * An n-dimensional array on a backend. Methods check shapes, enqueue a kernel and return at once; `await t.data()`
 * waits for the values. A tensor made from one with `requiresGrad` remembers how, and `backward(loss)` walks back.
 */
export class Tensor extends TensorValues {
  override grad: Tensor | null = null;

  override wrap(buf: Buf, shape: Shape): Tensor {
    return new Tensor(this.backend, buf, shape);
  }

  /** The same values without history. */
  detach(): Tensor {
    const view = this.wrap(this.backend.view(this.buf, 0, this.size), this.shape);
    view.bounds = this.bounds;
    return view;
  }

  // Elementwise, with broadcasting: sizes equal or 1, aligned at the last axis.
  add(b: Operand): Tensor {
    return typeof b === 'number' ? apply(el.addScalar, [this], { c: b }) : apply(el.add, [this, b], {});
  }
  sub(b: Operand): Tensor {
    return typeof b === 'number' ? apply(el.addScalar, [this], { c: -b }) : apply(el.sub, [this, b], {});
  }
  mul(b: Operand): Tensor {
    return typeof b === 'number' ? apply(el.mulScalar, [this], { c: b }) : apply(el.mul, [this, b], {});
  }
  div(b: Operand): Tensor {
    return typeof b === 'number' ? apply(el.mulScalar, [this], { c: 1 / b }) : apply(el.div, [this, b], {});
  }
  pow(exponent: number): Tensor {
    return apply(el.powScalar, [this], { c: exponent });
  }
  maximum(b: Tensor): Tensor {
    return apply(el.maximum, [this, b], {});
  }
  minimum(b: Tensor): Tensor {
    return apply(el.minimum, [this, b], {});
  }
  /** 1 where equal, else 0; no gradient. */
  equal(b: Tensor): Tensor {
    return apply(el.equal, [this, b], {});
  }
  greater(b: Tensor): Tensor {
    return apply(el.greater, [this, b], {});
  }
  less(b: Tensor): Tensor {
    return apply(el.less, [this, b], {});
  }
  neg(): Tensor {
    return apply(el.neg, [this], { c: 0 });
  }
  abs(): Tensor {
    return apply(el.abs, [this], { c: 0 });
  }
  exp(): Tensor {
    return apply(el.exp, [this], { c: 0 });
  }
  log(): Tensor {
    return apply(el.log, [this], { c: 0 });
  }
  sqrt(): Tensor {
    return apply(el.sqrt, [this], { c: 0 });
  }
  rsqrt(): Tensor {
    return apply(el.rsqrt, [this], { c: 0 });
  }
  square(): Tensor {
    return apply(el.square, [this], { c: 0 });
  }
  reciprocal(): Tensor {
    return apply(el.reciprocal, [this], { c: 0 });
  }
  tanh(): Tensor {
    return apply(el.tanh, [this], { c: 0 });
  }
  sigmoid(): Tensor {
    return apply(el.sigmoid, [this], { c: 0 });
  }
  relu(): Tensor {
    return apply(el.relu, [this], { c: 0 });
  }
  erf(): Tensor {
    return apply(el.erf, [this], { c: 0 });
  }
  /** x * Phi(x), by erf (Hendrycks and Gimpel 2016). */
  gelu(): Tensor {
    return apply(gelu, [this], { c: 0 });
  }
  /** The tanh form that google-research/bert uses. */
  geluTanh(): Tensor {
    return apply(geluTanh, [this], { c: 0 });
  }
  /** This where `condition` is not 0, else `other`; shapes broadcast. */
  where(condition: Tensor, other: Tensor): Tensor {
    const shape = broadcastShapes('where', broadcastShapes('where', condition.shape, this.shape), other.shape);
    return apply(where, [condition.expand(shape), this.expand(shape), other.expand(shape)], {});
  }

  /** Matrix product over the last two axes; leading axes broadcast. */
  matmul(b: Tensor, options: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
    return apply(matmul, [this, b], {
      transposeA: options.transposeA ?? false,
      transposeB: options.transposeB ?? false,
    });
  }
  /** x W^T + b. @param weight [out, in] @param bias [out] @returns [..., out] */
  linear(weight: Tensor, bias: Tensor): Tensor {
    return apply(linear, [this, weight, bias], {});
  }
  /** fn(this W1^T + b1) W2^T + b2. @param layers weight [out, in] and bias [out] of both @returns [..., out] */
  feedForward(
    [first, second]: readonly [{ weight: Tensor; bias: Tensor }, { weight: Tensor; bias: Tensor }],
    activation: FeedForwardAttrs['activation'],
  ): Tensor {
    return apply(feedForward, [this, first.weight, first.bias, second.weight, second.bias], { activation });
  }

  sum(axis?: number | readonly number[], keepDims = false): Tensor {
    return apply(red.sum, [this], { axes: this.axes(axis), keepDims });
  }
  mean(axis?: number | readonly number[], keepDims = false): Tensor {
    return apply(red.mean, [this], { axes: this.axes(axis), keepDims });
  }
  max(axis?: number | readonly number[], keepDims = false): Tensor {
    return apply(red.max, [this], { axes: this.axes(axis), keepDims });
  }
  min(axis?: number | readonly number[], keepDims = false): Tensor {
    return apply(red.min, [this], { axes: this.axes(axis), keepDims });
  }
  /** i32 index of the largest value along the last axis. */
  argmax(): Tensor {
    const result = apply(argmax, [this as Tensor], {});
    const last = rowsOf(this.shape)[1] - 1;
    result.bounds = { min: 0, max: last, next: last };
    return result;
  }
  /** Along the last axis. */
  softmax(): Tensor {
    return apply(softmax, [this], {});
  }
  logSoftmax(): Tensor {
    return apply(logSoftmax, [this], {});
  }
  /** Over the last axis. @param gamma, beta [width] */
  layerNorm(gamma: Tensor, beta: Tensor, eps = 1e-12): Tensor {
    return apply(layerNorm, [this, gamma, beta], { eps });
  }
  /**
   * LayerNorm(dropout(this) + residual) in one pass.
   * @param rows i32 [rows]: which row of a larger tensor each of these is, for dropout to draw that row's numbers
   */
  residualNorm(residual: Tensor, gamma: Tensor, beta: Tensor, attrs: ResidualNormAttrs, rows?: Tensor): Tensor {
    return apply(residualNorm, [this, residual, gamma, beta, ...(rows === undefined ? [] : [rows])], attrs);
  }

  /** Rows of this table. @param ids i32 of any shape @returns [...ids.shape, width] @throws {ShapeError} ids out of range */
  gather(ids: Tensor): Tensor {
    ids.mustLieIn('gather', 0, (this.shape[0] ?? 0) - 1);
    return apply(gather, [this, ids], {});
  }
  /**
   * Cross-entropy of rows of logits. @param labels [rows], classes, or `ignoreIndex` for rows that do not count
   * @param options.scale multiplies the sum (1 / number of labels that count: a mean); null gives the [rows] losses
   */
  crossEntropy(labels: Tensor | Int32Array, options: { ignoreIndex?: number; scale?: number | null } = {}): Tensor {
    const ignoreIndex = options.ignoreIndex ?? -100;
    const ids = labels instanceof Int32Array ? this.ids(labels) : labels;
    ids.mustLieIn('crossEntropy', 0, (this.shape[1] ?? 0) - 1, ignoreIndex);
    return apply(crossEntropy, [this, ids], {
      ignoreIndex,
      scale: options.scale === undefined ? 1 / Math.max(1, ids.size) : options.scale,
    });
  }
  /**
   * Cross-entropy of `linear(weight, bias)`, whose logits are not kept: `[2]`, the sum of the losses times `scale` and
   * the number of rows whose label has the largest logit. This is [rows, in].
   * @param labels [rows], classes, or `ignoreIndex` for rows that do not count
   */
  linearCrossEntropy(
    weight: Tensor,
    bias: Tensor,
    labels: Tensor | Int32Array,
    options: { ignoreIndex?: number; scale?: number } = {},
  ): Tensor {
    const ignoreIndex = options.ignoreIndex ?? -100;
    const ids = labels instanceof Int32Array ? this.ids(labels) : labels;
    ids.mustLieIn('linearCrossEntropy', 0, (weight.shape[0] ?? 0) - 1, ignoreIndex);
    return apply(linearCrossEntropy, [this, weight, bias, ids], {
      ignoreIndex,
      scale: options.scale ?? 1 / Math.max(1, ids.size),
    });
  }
  /**
   * dropout(LayerNorm(sum of a row of each table)); this is the first table. @param tables the two others
   * @param ids i32 [rows] for each table @returns [rows, width] @throws {ShapeError} ids out of range
   */
  embeddingNorm(
    tables: readonly [Tensor, Tensor],
    ids: readonly [Tensor, Tensor, Tensor],
    gamma: Tensor,
    beta: Tensor,
    attrs: EmbeddingNormAttrs,
  ): Tensor {
    for (const [i, table] of [this, ...tables].entries()) {
      ids[i].mustLieIn('embeddingNorm', 0, (table.shape[0] ?? 0) - 1);
    }
    return apply(embeddingNorm, [this, ...tables, gamma, beta, ...ids], attrs);
  }
  dropout(rate: number, key: RandomKey): Tensor {
    return apply(dropout, [this], { rate, key });
  }
  /**
   * This holds queries; see ops/attention.ts.
   * @param queries where not every row asks: i32 [sequences + 1], where the queries of each sequence begin in this
   *   tensor, and i32 [queries], which row of its sequence each one is
   * @returns [queries, heads * headDim]
   */
  attention(
    keys: Tensor,
    values: Tensor,
    keyBias: Tensor,
    offsets: Tensor,
    attrs: AttentionAttrs,
    queries?: { readonly offsets: Tensor; readonly places: Tensor },
  ): Tensor {
    offsets.mustLieIn('attention', 0, keys.shape[0] ?? 0);
    if (queries === undefined) return apply(attention, [this, keys, values, keyBias, offsets], attrs);
    queries.offsets.mustLieIn('attention', 0, this.shape[0] ?? 0);
    queries.places.mustLieIn('attention', 0, attrs.maxSeq - 1);
    return apply(attention, [this, keys, values, keyBias, offsets, queries.offsets, queries.places], attrs);
  }

  /** The same memory under another shape; one size may be -1 and is worked out. */
  reshape(shape: readonly number[]): Tensor {
    const known = shape.reduce((n, size) => (size === -1 ? n : n * size), 1);
    const target = shape.map((size) => (size === -1 ? this.size / known : size));
    return apply(reshape, [this], { shape: target });
  }
  permute(axes: readonly number[]): Tensor {
    return apply(permute, [this], { axes: axes.map((axis) => normalizeAxis('permute', axis, this.rank)) });
  }
  /** Swaps two axes, the last two by default. */
  transpose(a = -2, b = -1): Tensor {
    const axes = this.shape.map((_, i) => i);
    const [i, j] = [normalizeAxis('transpose', a, this.rank), normalizeAxis('transpose', b, this.rank)];
    axes[i] = j;
    axes[j] = i;
    return this.permute(axes);
  }
  /** Elements start .. end - 1 of one axis. */
  slice(axis: number, start: number, end: number): Tensor {
    return apply(slice, [this], { axis: normalizeAxis('slice', axis, this.rank), start, end });
  }
  concat(others: readonly Tensor[], axis: number): Tensor {
    return apply(concat, [this as Tensor, ...others], { axis: normalizeAxis('concat', axis, this.rank) });
  }
  expand(shape: Shape): Tensor {
    return sameShape(shape, this.shape) ? this : apply(expand, [this as Tensor], { shape });
  }

  private ids(data: Int32Array): Tensor {
    const result = new Tensor(this.backend, this.backend.upload(data), [data.length]);
    result.bounds = boundsOf(data);
    return result;
  }
}

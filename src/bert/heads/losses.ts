import { look, type Pass, watched } from '../../nn/pass.js';
import { full, tensor } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Label of an item that does not count. */
export const NO_LABEL = -100;

/**
 * Cross-entropy, each item times its weight, over `total`: torch's CrossEntropyLoss(weight), whose total is the sum of
 * the weights of the global batch.
 * @param logits [items, classes] @param labels [items] @param weights [items]; null: all 1 @returns [1]
 */
export function weightedCrossEntropy(
  logits: Tensor,
  labels: Int32Array,
  weights: Float32Array | null,
  total: number,
): Tensor {
  const scale = total > 0 ? 1 / total : 0;
  if (weights === null) return logits.crossEntropy(labels, { ignoreIndex: NO_LABEL, scale });
  const losses = logits.crossEntropy(labels, { ignoreIndex: NO_LABEL, scale: null }); // [items]
  return losses
    .mul(tensor(weights, [weights.length], { backend: logits.backend }))
    .sum(0, true)
    .mul(scale); // [1]
}

/**
 * Binary cross-entropy of each logit alone: log(1 + e^x) - y x, which is the cross-entropy of the two logits 0 and x.
 * @param logits [items, labels] @param truths [items * labels]: 0, 1, or NO_LABEL @returns [1]
 */
export function binaryCrossEntropy(logits: Tensor, truths: Int32Array, total: number): Tensor {
  const x = logits.reshape([logits.size, 1]); // [items * labels, 1]
  const zeros = full([logits.size, 1], 0, { backend: logits.backend });
  const pairs = zeros.concat([x], 1); // [items * labels, 2]
  return pairs.crossEntropy(truths, { ignoreIndex: NO_LABEL, scale: total > 0 ? 1 / total : 0 });
}

/** Sum of squared differences over `total`. @param logits [items, values] @param truths [items * values] @returns [1] */
export function squaredError(logits: Tensor, truths: Float32Array, total: number): Tensor {
  const wanted = tensor(truths, logits.shape, { backend: logits.backend });
  const squares = logits.sub(wanted).square().reshape([logits.size]); // [items * values]
  return squares.sum(0, true).mul(total > 0 ? 1 / total : 0); // [1]
}

/** Classes of a batch or of a part of one. */
export interface Labels {
  /** [items] classes; those that are `none` do not count. */
  readonly ids: Int32Array;
  readonly none: number;
  /** Labels of the whole global batch that count. */
  readonly total: number;
}

/**
 * Cross-entropy of a linear layer's classes over `total`, and the number of items whose likeliest class is right.
 * @param x [items, in] @param hook name of the logits: they exist as a tensor when somebody looks at them @returns [2]
 */
export function lossAndHits(
  x: Tensor,
  { weight, bias }: { readonly weight: Tensor; readonly bias: Tensor },
  { ids, none, total }: Labels,
  hook: string,
  pass: Pass,
): Tensor {
  const options = { ignoreIndex: none, scale: 1 / Math.max(total, 1) };
  if (!watched(pass, [hook])) return x.linearCrossEntropy(weight, bias, ids, options);
  const logits = look(pass, hook, x.linear(weight, bias)); // [items, classes]
  return logits.crossEntropy(ids, options).concat([hits(logits, ids, none)], 0);
}

/** @returns [1] */
function hits(logits: Tensor, ids: Int32Array, none: number): Tensor {
  const { backend } = logits;
  const [items, classes] = logits.shape;
  const places = ids.map((id, i) => i * classes + (id === none ? 0 : id));
  const flat = logits.detach().reshape([logits.size, 1]); // [items * classes, 1]
  const own = flat.gather(tensor(places, [items], { backend })); // [items, 1]
  const counts = Float32Array.from(ids, (id) => (id === none ? 0 : 1));
  const right = own.equal(logits.detach().max(1, true)).mul(tensor(counts, [items, 1], { backend }));
  return right.sum(0, true).reshape([1]);
}

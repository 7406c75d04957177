import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { along, type Call, not, type Run } from './onnx-call.js';

/** Rows of classes: [batch, classes, ...] as [rows, classes], as cross-entropy takes them. */
const rowsOfClasses = (x: Tensor): Tensor => {
  const moved = x.permute([0, ...x.shape.slice(2).map((_, i) => i + 2), 1]);
  return moved.reshape([-1, x.shape[1]]);
};

/** What a loss says of its rows: labels inside the classes, and 0 or the weight of the class for each. */
function weightsOfRows(c: Call, ignoreIndex: number): { labels: Int32Array; weights: Float32Array } {
  const given = c.numbers(1) as number[];
  const ofClass = c.numbers(2);
  const counts = (label: number): boolean => label !== ignoreIndex;
  return {
    labels: Int32Array.from(given, (label) => (counts(label) ? label : 0)),
    weights: Float32Array.from(given, (label) => (counts(label) ? (ofClass?.[label] ?? 1) : 0)),
  };
}

function reduced(c: Call, losses: Tensor, weights: Float32Array): Tensor {
  const weighted = losses.mul(tensor(weights));
  const reduction = c.attr('reduction', 'mean');
  if (reduction === 'none') return weighted.reshape(c.stored(1).shape);
  const total = weighted.sum();
  return reduction === 'sum' ? total : total.mul(1 / weights.reduce((sum, weight) => sum + weight, 0));
}

/** Without weights of classes the op counts and scales by itself. */
function crossEntropy(c: Call): Tensor[] {
  const ignoreIndex = c.attr('ignore_index', -1);
  const logProbs = along(c.x(), 1, (x) => x.logSoftmax());
  const rows = rowsOfClasses(c.x());
  if (c.has(2)) {
    const { labels, weights } = weightsOfRows(c, ignoreIndex);
    return [reduced(c, rows.crossEntropy(labels, { scale: null }), weights), logProbs];
  }
  const labels = Int32Array.from(c.numbers(1) as number[]);
  const reduction = c.attr('reduction', 'mean');
  const counted = labels.filter((label) => label !== ignoreIndex).length;
  const scale = reduction === 'none' ? null : reduction === 'sum' ? 1 : 1 / counted;
  const values = rows.crossEntropy(labels, { ignoreIndex, scale });
  return [values.reshape(scale === null ? c.stored(1).shape : []), logProbs];
}

/** Takes logarithms of probabilities, so that only the choice of the label is left. */
function negativeLogLikelihood(c: Call): Tensor {
  const { labels, weights } = weightsOfRows(c, c.attr('ignore_index', -1));
  const classes = c.x().shape[1];
  const cells = labels.map((label, row) => row * classes + label);
  const picked = rowsOfClasses(c.x())
    .reshape([-1, 1])
    .gather(tensor(cells, [cells.length]));
  return reduced(c, picked.reshape([cells.length]).neg(), weights);
}

function attention(c: Call): Tensor[] {
  const heads = c.attr<number | null>('q_num_heads', null);
  if (![0, 3].includes(c.attr('qk_matmul_output_mode', 0))) not('scores before their softmax');
  const split = (x: Tensor): Tensor => {
    if (heads === null) return x;
    const [batch, seq, width] = x.shape;
    return x.reshape([batch, seq, heads, width / heads]).permute([0, 2, 1, 3]); // [batch, heads, seq, size]
  };
  const [q, k, v] = [0, 1, 2].map((i) => split(c.x(i)));
  const scale = c.attr('scale', 1 / Math.sqrt(q.shape[3]));
  const scores = q.matmul(k, { transposeB: true }).mul(scale); // [batch, heads, seq, seq of k]
  const probs = masked(c, scores).softmax();
  const y = probs.matmul(v);
  return [heads === null ? y : y.permute([0, 2, 1, 3]).reshape([c.x().shape[0], c.x().shape[1], -1]), probs];
}

function masked(c: Call, scores: Tensor): Tensor {
  const hidden = tensor(Float32Array.of(-Infinity), [1, 1]).expand(scores.shape);
  let seen = scores;
  if (c.has(3)) {
    const isBool = c.stored(3).dtype === 'bool';
    seen = isBool ? seen.where(c.x(3).expand(scores.shape), hidden) : seen.add(c.x(3));
  }
  if (c.attr('is_causal', 0) === 0) return seen;
  const [rows, cols] = scores.shape.slice(-2);
  const before = triangle(rows, cols, (row, col) => col <= row);
  return seen.where(before.expand(scores.shape), hidden);
}

const triangle = (rows: number, cols: number, isIn: (row: number, col: number) => boolean): Tensor =>
  tensor(
    Float32Array.from({ length: rows * cols }, (_, i) => Number(isIn(Math.floor(i / cols), i % cols))),
    [rows, cols],
  );

function trilu(c: Call): Tensor {
  const [rows, cols] = c.x().shape.slice(-2);
  const k = c.numbers(1)?.[0] ?? 0;
  const upper = c.attr('upper', 1) === 1;
  return c.x().mul(triangle(rows, cols, (row, col) => (upper ? col - row >= k : col - row <= k)));
}

/** A product with a triangle of ones. */
function cumulated(c: Call): Tensor {
  const [reverse, exclusive] = [c.attr('reverse', 0) === 1, c.attr('exclusive', 0) === 1];
  const axis = (c.numbers(1) as number[])[0];
  return along(c.x(), axis, (x) => {
    const size = x.shape[x.rank - 1];
    const counts = (from: number, to: number): boolean =>
      reverse ? (exclusive ? from > to : from >= to) : exclusive ? from < to : from <= to;
    return x
      .reshape([-1, size])
      .matmul(triangle(size, size, counts))
      .reshape(x.shape);
  });
}

function rmsNorm(c: Call): Tensor {
  const x = c.x();
  const axis = c.attr('axis', -1);
  const axes = x.shape.map((_, i) => i).slice(axis < 0 ? axis + x.rank : axis);
  const root = x.square().mean(axes, true).add(c.attr('epsilon', 1e-5)).rsqrt();
  return x.mul(root).mul(c.x(1));
}

const tiled = (c: Call): Tensor =>
  (c.numbers(1) as number[]).reduce(
    (x, times, axis) => (times === 1 ? x : x.concat(Array<Tensor>(times - 1).fill(x), axis)),
    c.x(),
  );

/** Cells of a tensor by their places in memory. */
const cellsOf = (x: Tensor, places: readonly number[], shape: readonly number[]): Tensor =>
  x
    .reshape([-1, 1])
    .gather(tensor(Int32Array.from(places), [places.length]))
    .reshape(shape);

const strides = (shape: readonly number[]): number[] =>
  shape.map((_, i) => shape.slice(i + 1).reduce((n, size) => n * size, 1));

function gatherElements(c: Call): Tensor {
  const { shape, data } = c.stored(1);
  const x = c.x();
  const axis = c.attr('axis', 0);
  const at = axis < 0 ? axis + x.rank : axis;
  const [ofIndex, ofX] = [strides(shape), strides(x.shape)];
  const places = data.map((given, i) => {
    const id = Number(given) < 0 ? Number(given) + x.shape[at] : Number(given);
    return shape.reduce((sum, size, d) => sum + (d === at ? id : Math.floor(i / ofIndex[d]) % size) * ofX[d], 0);
  });
  return cellsOf(x, places, shape);
}

function gatherND(c: Call): Tensor {
  const { shape, data } = c.stored(1);
  const x = c.x();
  const batch = c.attr('batch_dims', 0);
  const depth = shape[shape.length - 1];
  const ofX = strides(x.shape);
  const inner = x.shape.slice(batch + depth);
  const width = inner.reduce((n, size) => n * size, 1);
  const rows = data.length / depth;
  const perBatch = rows / x.shape.slice(0, batch).reduce((n, size) => n * size, 1);
  const places = Array.from({ length: rows * width }, (_, i) => {
    const row = Math.floor(i / width);
    const start = batch === 0 ? 0 : Math.floor(row / perBatch) * ofX[batch - 1];
    const at = (d: number): number => Number(data[row * depth + d]);
    const inside = Array.from({ length: depth }, (_, d) => {
      const size = x.shape[batch + d];
      return (at(d) < 0 ? at(d) + size : at(d)) * ofX[batch + d];
    });
    return inside.reduce((sum, step) => sum + step, start + (i % width));
  });
  return cellsOf(x, places, [...shape.slice(0, -1), ...inner]);
}

function oneHot(c: Call): Tensor {
  const { shape, data } = c.stored(0);
  const depth = (c.numbers(1) as number[])[0];
  const [off, on] = c.numbers(2) as number[];
  const ids = Float32Array.from(data, (id) => (Number(id) < 0 ? Number(id) + depth : Number(id)));
  const classes = tensor(Float32Array.from({ length: depth }, (_, i) => i));
  const hot = tensor(ids, [...shape, 1])
    .equal(classes)
    .mul(on - off)
    .add(off); // [..., depth]
  const axis = c.attr('axis', -1);
  const at = axis < 0 ? axis + hot.rank : axis;
  const order = shape.map((_, i) => i);
  return hot.permute([...order.slice(0, at), hot.rank - 1, ...order.slice(at)]);
}

function constant(c: Call): Tensor {
  const { shape, data } = c.attr('value', { shape: [0], data: [] as number[] });
  return tensor(Float32Array.from(data, Number), shape);
}

/** Operators that are several methods of Tensor. */
export const COMPOSED: Readonly<Record<string, Run>> = {
  SoftmaxCrossEntropyLoss: crossEntropy,
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  Attention: attention,
  RMSNormalization: rmsNorm,
  Trilu: trilu,
  CumSum: cumulated,
  Tile: tiled,
  GatherElements: gatherElements,
  GatherND: gatherND,
  OneHot: oneHot,
  Constant: constant,
};

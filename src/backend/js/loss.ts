import type { Buf, CrossEntropyInPlaceCall } from '../backend.js';
import { dataOf } from './memory.js';
import { logSumExp } from './rows.js';

export function crossEntropy(
  logits: Buf,
  labels: Buf,
  losses: Buf,
  lse: Buf,
  rows: number,
  cols: number,
  ignoreIndex: number,
): void {
  const [xs, ids, out, sums] = [dataOf(logits), dataOf(labels), dataOf(losses), dataOf(lse)];
  for (let row = 0; row < rows; row++) {
    const sum = logSumExp(xs, row * cols, cols);
    sums[row] = sum;
    out[row] = ids[row] === ignoreIndex ? 0 : sum - xs[row * cols + ids[row]];
  }
}

/** The softmax minus the one-hot label: the reason why softmax and cross-entropy are computed together. */
export function crossEntropyGrad(
  logits: Buf,
  labels: Buf,
  lse: Buf,
  dLosses: Buf,
  dLogits: Buf,
  rows: number,
  cols: number,
  ignoreIndex: number,
): void {
  const [xs, ids, sums, dOut, dXs] = [dataOf(logits), dataOf(labels), dataOf(lse), dataOf(dLosses), dataOf(dLogits)];
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    if (ids[row] === ignoreIndex) {
      dXs.fill(0, start, start + cols);
      continue;
    }
    for (let col = 0; col < cols; col++) {
      const probability = Math.exp(xs[start + col] - sums[row]);
      dXs[start + col] = dOut[row] * (probability - (col === ids[row] ? 1 : 0));
    }
  }
}

/** The largest logit is looked for as `argmax` does: the first one of equals. */
export function crossEntropyInPlace(call: CrossEntropyInPlaceCall): void {
  const { rows, cols, ignoreIndex, scale } = call;
  const [xs, ids, results] = [dataOf(call.logits), dataOf(call.labels), dataOf(call.results)];
  const sums = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    const label = ids[row];
    let best = 0;
    for (let col = 1; col < cols; col++) if (xs[start + col] > xs[start + best]) best = col;
    const lse = logSumExp(xs, start, cols);
    const factor = label === ignoreIndex ? 0 : scale;
    results[row] = label === ignoreIndex ? 0 : scale * (lse - xs[start + label]);
    results[rows + row] = best === label && label !== ignoreIndex ? 1 : 0;
    for (let col = 0; col < cols; col++) {
      const gradient = factor * (Math.exp(xs[start + col] - lse) - (col === label ? 1 : 0));
      xs[start + col] = gradient;
      sums[col] += gradient;
    }
  }
  dataOf(call.sums).set(sums);
}

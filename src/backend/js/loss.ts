import type { Buf } from '../backend.js';
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

import type { MatmulCall } from '../backend.js';
import { dataOf } from './memory.js';

/**
 * Three loops. The middle one runs over the inner size, so that a row of `b` is read and a row of sums written in
 * memory order; each sum is kept in double precision and taken in rising order of the inner index.
 */
export function matmul(call: MatmulCall): void {
  const { m, n, k, transposeA, transposeB } = call;
  const [a, b, y] = [dataOf(call.a), dataOf(call.b), dataOf(call.y)];
  const bias = call.bias && dataOf(call.bias);
  const sums = new Float64Array(n);
  // Steps along a row and down a column of op(a) and op(b).
  const [aRow, aCol] = transposeA ? [1, m] : [k, 1];
  const [bRow, bCol] = transposeB ? [1, k] : [n, 1];
  for (let batch = 0; batch < call.batch; batch++) {
    const startA = batch * call.strideA;
    const startB = batch * call.strideB;
    for (let i = 0; i < m; i++) {
      sums.fill(0);
      for (let p = 0; p < k; p++) {
        const value = a[startA + i * aRow + p * aCol];
        for (let j = 0, at = startB + p * bRow; j < n; j++, at += bCol) sums[j] += value * b[at];
      }
      const start = (batch * m + i) * n;
      for (let j = 0; j < n; j++) y[start + j] = bias ? sums[j] + bias[j] : sums[j];
    }
  }
}

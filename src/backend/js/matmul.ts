import type { MatmulCall } from '../backend.js';
import { roundBf16 } from '../precision.js';
import { matmulInt8 } from './int8.js';
import { dataOf } from './memory.js';

/** What becomes of t, an element of the product with its bias, at place `at` of y. */
type Finish = (t: number, at: number) => number;

function finishOf({ epilogue, y }: MatmulCall): Finish {
  if (epilogue === undefined) return (t) => t;
  if (epilogue.kind === 'add') {
    const before = dataOf(y);
    return (t, at) => before[at] + t;
  }
  const { fn } = epilogue;
  if (epilogue.kind === 'slope') {
    const x = dataOf(epilogue.x);
    return (t, at) => t * fn.dJs(x[at], fn.js(x[at], 0), 0);
  }
  const pre = epilogue.pre && dataOf(epilogue.pre);
  return (t, at) => {
    if (pre) pre[at] = t;
    return fn.js(t, 0);
  };
}

/** sums[i] = sum over p of op(a)[i, p]. */
function sumRows({ a, sums, epilogue, m, k, transposeA }: MatmulCall): void {
  if (sums === undefined) return;
  const [from, to] = [dataOf(a), dataOf(sums)];
  const [row, col] = transposeA ? [1, m] : [k, 1];
  for (let i = 0; i < m; i++) {
    let sum = epilogue?.kind === 'add' ? to[i] : 0;
    for (let p = 0; p < k; p++) sum += from[i * row + p * col];
    to[i] = sum;
  }
}

/** The operands of a product as it sees them. */
function operandsOf({ a, b, precision }: MatmulCall): readonly ArrayLike<number>[] {
  return [a, b].map((buf) => (precision === 'bf16' ? dataOf(buf).map(roundBf16) : dataOf(buf)));
}

export function matmul(call: MatmulCall): void {
  const { n } = call;
  const y = dataOf(call.y);
  const bias = call.bias && dataOf(call.bias);
  const finish = finishOf(call);
  const end = (sum: number, at: number, j: number): void => {
    y[at] = finish(bias ? sum + bias[j] : sum, at);
  };
  if (call.precision === 'int8') matmulInt8(call, (sum, i, j) => end(sum, i * n + j, j));
  else multiply(call, end);
  sumRows(call);
}

/**
 * Three loops. The middle one runs over the inner size, so that a row of `b` is read and a row of sums written in
 * memory order; each sum is kept in double precision and taken in rising order of the inner index.
 * @param end takes each sum with its place in y and its column
 */
function multiply(call: MatmulCall, end: (sum: number, at: number, j: number) => void): void {
  const { m, n, k, transposeA, transposeB } = call;
  const [a, b] = operandsOf(call);
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
      for (let j = 0; j < n; j++) end(sums[j], start + j, j);
    }
  }
}

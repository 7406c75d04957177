import type { Buf, Epilogue, MatmulCall } from '../../backend.js';
import { line, type PlainKernel, type PlainRunner } from '../spec.js';
import { accumulate, unary, unaryGrad } from './elementwise.js';
import { reduce } from './rows.js';
import { withScratch } from './scratch.js';

/**
 * One element of y a thread: a row of op(a) times a column of op(b). Transposing is another order of the index, which is
 * computed with integers inside the brackets.
 */
function kernelOf(transposeA: boolean, transposeB: boolean, bias: boolean): PlainKernel {
  const a = transposeA ? 'i * m + this.thread.y' : 'this.thread.y * k + i';
  const b = transposeB ? 'this.thread.x * k + i' : 'i * n + this.thread.x';
  const sizes = { m: 'int', n: 'int', k: 'int', strideA: 'int', strideB: 'int' } as const;
  return {
    name: `matmul ${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}${bias ? ' bias' : ''}`,
    params: { a: 'f32', b: 'f32', ...(bias ? { bias: 'f32' } : {}), ...sizes },
    rank: 3,
    loop: 'k',
    text: `function (a, b, ${bias ? 'bias, ' : ''}m, n, k, strideA, strideB) {
  let sum = 0;
  for (let i = 0; i < k; i++) {
    sum += a[this.thread.z * strideA + ${a}] * b[this.thread.z * strideB + ${b}];
  }
  return sum${bias ? ' + bias[this.thread.x]' : ''};
}`,
  };
}

/** y = op(a) op(b) (+ bias), and nothing else of the call. */
export type Product = (runner: PlainRunner, call: MatmulCall, y: Buf) => void;

export const product: Product = (runner, call, y) => {
  const { a, b, bias, m, n, k, transposeA, transposeB, batch, strideA, strideB } = call;
  const kernel = kernelOf(transposeA, transposeB, bias !== undefined);
  const added = bias === undefined ? [] : [line(bias)];
  runner.run(kernel, [line(a), line(b), ...added, m, n, k, strideA, strideB], [n, m, batch], y);
};

/** A product that its epilogue reads before it becomes y. */
function throughEpilogue(runner: PlainRunner, call: MatmulCall, epilogue: Epilogue, multiply: Product): void {
  const { y } = call;
  const finish = (t: Buf): void => {
    multiply(runner, call, t);
    if (epilogue.kind === 'add') accumulate(runner, t, y);
    else if (epilogue.kind === 'activate') unary(runner, epilogue.fn, t, y, 0);
    else unaryGrad(runner, epilogue.fn, epilogue.x, epilogue.x, t, y, 0);
  };
  if (epilogue.kind === 'activate' && epilogue.pre !== undefined) finish(epilogue.pre);
  else withScratch(runner, [y.length], ([t]) => finish(t));
}

/** A kernel like `reduce` in rows.ts. */
type Reduce<R> = (runner: R, fn: 'sum', x: Buf, y: Buf, outer: number, size: number, inner: number) => void;

/** sums[i] (+)= sum over k of op(a)[i, :]. */
export function sumRows<R extends PlainRunner>(
  runner: R,
  reduce: Reduce<R>,
  { a, sums, epilogue, m, k, transposeA }: MatmulCall,
): void {
  if (sums === undefined) return;
  const sum = (to: Buf): void =>
    transposeA ? reduce(runner, 'sum', a, to, 1, k, m) : reduce(runner, 'sum', a, to, m, k, 1);
  if (epilogue?.kind !== 'add') sum(sums);
  else {
    withScratch(runner, [m], ([part]) => {
      sum(part);
      accumulate(runner, part, sums);
    });
  }
}

/** @param multiply for modes that have a faster one */
export function matmul(runner: PlainRunner, call: MatmulCall, multiply: Product = product): void {
  if (call.epilogue === undefined) multiply(runner, call, call.y);
  else throughEpilogue(runner, call, call.epilogue, multiply);
  sumRows(runner, reduce, call);
}

import { bytesPer } from '../../core/dtype.js';
import type { AttentionCall, Buf, Kernels, MatmulCall } from '../backend.js';
import type { CallLog } from '../trace.js';
import { dataOf } from './memory.js';

const isBuf = (value: unknown): value is Buf =>
  typeof value === 'object' && value !== null && 'dtype' in value && 'length' in value;

/** Bytes of all buffers among the arguments of a kernel and in its call, each counted once. */
function bytesOf(args: readonly unknown[], seen = new Set<Buf>()): number {
  let sum = 0;
  for (const arg of args) {
    if (isBuf(arg)) {
      if (!seen.has(arg)) sum += arg.length * bytesPer(arg.dtype);
      seen.add(arg);
    } else if (typeof arg === 'object' && arg !== null && !Array.isArray(arg)) sum += bytesOf(Object.values(arg), seen);
  }
  return sum;
}

/** Both products of attention (five on the way back, where scores are made again), sequence by sequence. */
function attentionFlops(call: AttentionCall, products: number): number {
  const offsets = dataOf(call.offsets);
  const starts = call.queries === null ? offsets : dataOf(call.queries.offsets);
  let scores = 0;
  for (let s = 0; s < call.sequences; s++) scores += (offsets[s + 1] - offsets[s]) * (starts[s + 1] - starts[s]);
  return 2 * products * call.heads * call.headDim * scores;
}

function flopsOf(kernel: string, [call]: readonly unknown[]): number {
  if (kernel === 'matmul') {
    const { m, n, k, batch } = call as MatmulCall;
    return 2 * m * n * k * batch;
  }
  if (kernel === 'attention') return attentionFlops(call as AttentionCall, 2);
  return kernel === 'attentionGrad' ? attentionFlops(call as AttentionCall, 5) : 0;
}

/** The same kernels with a clock: they run at once here, so the time of a call is the time of its work. */
export function timed(kernels: Kernels, trace: CallLog): Kernels {
  return new Proxy(kernels, {
    get(target, kernel: keyof Kernels) {
      return (...args: unknown[]): unknown => {
        const begin = performance.now();
        const result: unknown = Reflect.apply(target[kernel], target, args);
        const ms = performance.now() - begin;
        trace.add({ kernel, ...trace.label(bytesOf(args)), begin, ms, flops: flopsOf(kernel, args) });
        return result;
      };
    },
  });
}

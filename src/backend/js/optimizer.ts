import type { AdamWCall, Buf } from '../backend.js';
import { dataOf } from './memory.js';

export function sumSquares(x: Buf, out: Buf): void {
  const xs = dataOf(x);
  let sum = 0;
  for (let i = 0; i < xs.length; i++) sum += xs[i] * xs[i];
  dataOf(out)[0] = sum;
}

/**
 * Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2, with the clip factor of the global norm folded in
 * (Pascanu et al. 2013, arXiv:1211.5063; the 1e-6 is PyTorch's). A norm that is not finite skips the whole update:
 * one overflowing gradient must not reach the moments.
 */
export function adamw(call: AdamWCall): void {
  const { lr, beta1, beta2, eps, weightDecay, correction1, correction2 } = call;
  const [params, grads, ms, vs] = [dataOf(call.param), dataOf(call.grad), dataOf(call.m), dataOf(call.v)];
  const squares = dataOf(call.sumSquares)[0];
  if (!Number.isFinite(squares)) return;
  const norm = Math.sqrt(squares) * call.gradScale;
  const factor = call.gradScale * Math.min(1, call.maxNorm / (norm + 1e-6));
  for (let i = 0; i < params.length; i++) {
    const g = grads[i] * factor;
    ms[i] = beta1 * ms[i] + (1 - beta1) * g;
    vs[i] = beta2 * vs[i] + (1 - beta2) * g * g;
    const update = (ms[i] * correction1) / (Math.sqrt(vs[i] * correction2) + eps);
    params[i] -= lr * (update + weightDecay * params[i]);
  }
}

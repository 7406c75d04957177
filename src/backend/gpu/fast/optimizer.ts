import type { AdamWCall, Buf } from '../../backend.js';
import { clipNorm, adamw as plainAdamw } from '../kernels/optimizer.js';
import { type FastKernel, line } from '../spec.js';
import { sumOfRows } from './reduce.js';
import { type FastRunner, foldThreads, inFours, LINE_MAIN } from './runner.js';

export const sumSquares = (runner: FastRunner, x: Buf, out: Buf): void => sumOfRows(runner, x, out, 1, x.length, true);

/** Four parameters a thread, read and written once. A norm that is not finite skips the update: its exponent is all ones. */
const ADAMW: FastKernel = {
  name: 'adamw',
  params: {
    grad: 'vec4',
    sumSquares: 'f32',
    count: 'int',
    gradScale: 'float',
    maxNorm: 'float',
    lr: 'float',
    beta1: 'float',
    rest1: 'float',
    beta2: 'float',
    rest2: 'float',
    eps: 'float',
    weightDecay: 'float',
    correction1: 'float',
    correction2: 'float',
  },
  outputs: { param: 'vec4', m: 'vec4', v: 'vec4' },
  wgsl: `${LINE_MAIN}
  let squares = sumSquares_at(0u);
  if ((bitcast<u32>(squares) & 0x7f800000u) == 0x7f800000u) { return; }
  let norm = sqrt(squares) * params.gradScale;
  let g = grad_at(i) * (params.gradScale * min(1.0, params.maxNorm / (norm + 0.000001)));
  let m = params.beta1 * m_at(i) + params.rest1 * g;
  let v = params.beta2 * v_at(i) + params.rest2 * g * g;
  let before = param_at(i);
  let update = m * params.correction1 / (sqrt(v * params.correction2) + params.eps);
  set_m(i, m);
  set_v(i, v);
  set_param(i, before - params.lr * (update + params.weightDecay * before));
}`,
};

export function adamw(runner: FastRunner, call: AdamWCall): void {
  const { param, grad, m, v, beta1, beta2 } = call;
  if (!inFours(runner, param.length, param, grad, m, v)) {
    plainAdamw(runner, call);
    return;
  }
  const count = param.length / 4;
  const rates = [call.lr, beta1, 1 - beta1, beta2, 1 - beta2, call.eps, call.weightDecay];
  const numbers = [count, call.gradScale, clipNorm(call.maxNorm), ...rates, call.correction1, call.correction2];
  runner.launch(
    ADAMW,
    [line(grad), line(call.sumSquares), ...numbers],
    [line(param), line(m), line(v)],
    foldThreads(count),
  );
}

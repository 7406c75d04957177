import type { AdamWCall, Buf } from '../../backend.js';
import { line, type PlainKernel, type PlainRunner } from '../spec.js';
import { withScratch } from './scratch.js';

/** Elements that one thread sums. */
const CHUNK = 256;

const SQUARES: PlainKernel = {
  name: 'sumSquares',
  params: { x: 'f32', count: 'int', chunk: 'int' },
  rank: 1,
  text: `function (x, count, chunk) {
  let sum = 0;
  for (let i = 0; i < chunk; i++) {
    if (this.thread.x * chunk + i < count) { sum += x[this.thread.x * chunk + i] * x[this.thread.x * chunk + i]; }
  }
  return sum;
}`,
};

const CHUNK_SUMS: PlainKernel = {
  name: 'chunkSums',
  params: { x: 'f32', count: 'int', chunk: 'int' },
  rank: 1,
  text: `function (x, count, chunk) {
  let sum = 0;
  for (let i = 0; i < chunk; i++) {
    if (this.thread.x * chunk + i < count) { sum += x[this.thread.x * chunk + i]; }
  }
  return sum;
}`,
};

/** Sums of chunks, then sums of these, until one is left: the order follows from the length alone. */
function sumChunks(runner: PlainRunner, kernel: PlainKernel, x: Buf, out: Buf): void {
  const count = Math.max(1, Math.ceil(x.length / CHUNK));
  const args = [line(x), x.length, CHUNK];
  if (count === 1) runner.run(kernel, args, [1, 1, 1], out);
  else
    withScratch(runner, [count], ([sums]) => {
      runner.run(kernel, args, [count, 1, 1], sums);
      sumChunks(runner, CHUNK_SUMS, sums, out);
    });
}

export const sumSquares = (runner: PlainRunner, x: Buf, out: Buf): void => sumChunks(runner, SQUARES, x, out);

/** g = grad times the clip factor. Where the norm is not finite, nothing is updated. */
const CLIPPED = `
  const squares = sumSquares[0];
  const norm = Math.sqrt(squares) * gradScale;
  const g = grad[this.thread.x] * gradScale * Math.min(1, maxNorm / (norm + 0.000001));`;

const MOMENT_PARAMS = { old: 'f32', grad: 'f32', sumSquares: 'f32', gradScale: 'float', maxNorm: 'float' } as const;

const FIRST_MOMENT: PlainKernel = {
  name: 'adamw m',
  params: { ...MOMENT_PARAMS, beta: 'float', rest: 'float' },
  rank: 1,
  inPlace: 'old',
  text: `function (old, grad, sumSquares, gradScale, maxNorm, beta, rest) {
  ${CLIPPED}
  const before = old[this.thread.x];
  return squares <= 3e38 ? beta * before + rest * g : before;
}`,
};

const SECOND_MOMENT: PlainKernel = {
  ...FIRST_MOMENT,
  name: 'adamw v',
  text: FIRST_MOMENT.text.replace('rest * g', 'rest * g * g'),
};

const PARAMETER: PlainKernel = {
  name: 'adamw p',
  params: {
    ...{ param: 'f32', m: 'f32', v: 'f32', sumSquares: 'f32' },
    ...{ lr: 'float', eps: 'float', weightDecay: 'float', correction1: 'float', correction2: 'float' },
  },
  rank: 1,
  inPlace: 'param',
  text: `function (param, m, v, sumSquares, lr, eps, weightDecay, correction1, correction2) {
  const before = param[this.thread.x];
  const update = m[this.thread.x] * correction1 / (Math.sqrt(v[this.thread.x] * correction2) + eps);
  return sumSquares[0] <= 3e38 ? before - lr * (update + weightDecay * before) : before;
}`,
};

/** The largest number that stands for "never clip": infinity is no constant of a shader. */
export const clipNorm = (maxNorm: number): number => Math.min(maxNorm, 1e38);

export function adamw(runner: PlainRunner, call: AdamWCall): void {
  const { param, grad, m, v, gradScale, beta1, beta2 } = call;
  const output = [param.length, 1, 1] as const;
  const squares = line(call.sumSquares);
  const clip = [line(grad), squares, gradScale, clipNorm(call.maxNorm)];
  runner.run(FIRST_MOMENT, [line(m), ...clip, beta1, 1 - beta1], output, m);
  runner.run(SECOND_MOMENT, [line(v), ...clip, beta2, 1 - beta2], output, v);
  const rates = [call.lr, call.eps, call.weightDecay, call.correction1, call.correction2];
  runner.run(PARAMETER, [line(param), line(m), line(v), squares, ...rates], output, param);
}

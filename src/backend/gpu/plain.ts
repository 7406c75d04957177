import type { Kernels } from '../backend.js';
import { attention, attentionGrad } from './kernels/attention.js';
import { dropout } from './kernels/dropout.js';
import { accumulate, binary, copy, fill, unary, unaryGrad, where } from './kernels/elementwise.js';
import { gather, scatterAdd } from './kernels/embedding.js';
import { crossEntropy, crossEntropyGrad, crossEntropyInPlace } from './kernels/loss.js';
import { matmul } from './kernels/matmul.js';
import { layerNorm, layerNormGrad } from './kernels/normalize.js';
import { adamw, sumSquares } from './kernels/optimizer.js';
import { argmax, logSoftmaxGrad, reduce, softmax, softmaxGrad } from './kernels/rows.js';
import { embeddingNorm, embeddingNormGrad, residualNorm, residualNormGrad } from './kernels/sum-norm.js';
import type { PlainRunner } from './spec.js';

/** Rows and columns are read as they lie: there is nothing to pack. */
const UNPACKED = { packedLength: () => 0, pack: () => undefined };

/** Tier 1: every kernel as text that gpu.js translates, for all modes. What runs them is the runner's affair. */
export const plainKernels = (runner: PlainRunner): Kernels => ({
  fill: (y, value) => fill(runner, y, value),
  copy: (x, y, shape, from, to) => copy(runner, x, y, shape, from, to),
  accumulate: (x, y) => accumulate(runner, x, y),
  unary: (fn, x, y, c) => unary(runner, fn, x, y, c),
  unaryGrad: (fn, x, y, dY, dX, c) => unaryGrad(runner, fn, x, y, dY, dX, c),
  binary: (fn, a, b, y, shape, stridesA, stridesB) => binary(runner, fn, [a, b, y], shape, stridesA, stridesB),
  where: (condition, a, b, y) => where(runner, condition, a, b, y),
  reduce: (fn, x, y, outer, size, inner) => reduce(runner, fn, x, y, outer, size, inner),
  argmax: (x, y, rows, cols) => argmax(runner, x, y, rows, cols),
  matmul: (call) => matmul(runner, call),
  ...UNPACKED,
  unpack: () => undefined,
  softmax: (x, y, rows, cols) => softmax(runner, x, y, rows, cols),
  softmaxGrad: (y, dY, dX, rows, cols) => softmaxGrad(runner, y, dY, dX, rows, cols),
  logSoftmax: (x, y, rows, cols) => softmax(runner, x, y, rows, cols, true),
  logSoftmaxGrad: (y, dY, dX, rows, cols) => logSoftmaxGrad(runner, y, dY, dX, rows, cols),
  layerNorm: (x, gamma, beta, y, mean, rstd, rows, cols, eps) =>
    layerNorm(runner, [x, gamma, beta], [y, mean, rstd], rows, cols, eps),
  layerNormGrad: (x, gamma, mean, rstd, dY, dX, dGamma, dBeta, rows, cols) =>
    layerNormGrad(runner, [x, gamma, mean, rstd, dY], [dX, dGamma, dBeta], rows, cols),
  crossEntropy: (logits, labels, losses, lse, rows, cols, ignoreIndex) =>
    crossEntropy(runner, [logits, labels], [losses, lse], rows, cols, ignoreIndex),
  crossEntropyGrad: (logits, labels, lse, dLosses, dLogits, rows, cols, ignoreIndex) =>
    crossEntropyGrad(runner, [logits, labels, lse, dLosses], dLogits, rows, cols, ignoreIndex),
  crossEntropyInPlace: (call) => crossEntropyInPlace(runner, call),
  residualNorm: (call, y, mean, rstd) => residualNorm(runner, call, y, mean, rstd),
  residualNormGrad: (call, mean, rstd, dY, dX, dResidual, dGamma, dBeta) =>
    residualNormGrad(runner, call, [mean, rstd, dY], [dX, dResidual, dGamma, dBeta]),
  embeddingNorm: (call, y, mean, rstd) => embeddingNorm(runner, call, y, mean, rstd),
  embeddingNormGrad: (call, mean, rstd, dY, dSum, dGamma, dBeta) =>
    embeddingNormGrad(runner, call, [mean, rstd, dY], [dSum, dGamma, dBeta]),
  gather: (table, ids, y, rows, width) => gather(runner, table, ids, y, rows, width),
  scatterAdd: (ids, dY, dTable, rows, width, tableRows) => scatterAdd(runner, ids, dY, dTable, rows, width, tableRows),
  dropout: (x, y, rows, cols, rate, key) => dropout(runner, x, y, rows, cols, rate, key),
  attention: (call, y, lse) => attention(runner, call, y, lse),
  attentionGrad: (call, y, lse, dY, dQ, dK, dV) => attentionGrad(runner, call, [y, lse, dY], [dQ, dK, dV]),
  sumSquares: (x, out) => sumSquares(runner, x, out),
  adamw: (call) => adamw(runner, call),
});

import type { Kernels } from '../../backend.js';
import { embeddingNorm, embeddingNormGrad } from '../kernels/sum-norm.js';
import { plainKernels } from '../plain.js';
import { attention, attentionGrad, takesAttention } from './attention.js';
import { copy, scatterAdd } from './indexing.js';
import { crossEntropy, crossEntropyInPlace } from './loss.js';
import { matmul, type TileOf } from './matmul.js';
import { bindingsFit, layerNorm, layerNormGrad, residualNorm, residualNormGrad, rowFits } from './norm.js';
import { adamw, sumSquares } from './optimizer.js';
import { reduce } from './reduce.js';
import type { FastRunner } from './runner.js';
import { softmax, softmaxGrad } from './softmax.js';

/** Norms of rows that fit into workgroup memory; others are left to the plain kernels. */
function normKernels(runner: FastRunner, plain: Kernels): Partial<Kernels> {
  const fits = (rows: number, cols: number): boolean => rows > 0 && rowFits(runner, cols);
  const norms: Pick<Kernels, 'layerNorm' | 'layerNormGrad'> = {
    layerNorm: (x, gamma, beta, y, mean, rstd, rows, cols, eps) =>
      fits(rows, cols)
        ? layerNorm(runner, [x, gamma, beta], [y, mean, rstd], { rows, cols, eps })
        : plain.layerNorm(x, gamma, beta, y, mean, rstd, rows, cols, eps),
    layerNormGrad: (x, gamma, mean, rstd, dY, dX, dGamma, dBeta, rows, cols) =>
      fits(rows, cols)
        ? layerNormGrad(runner, [x, gamma, mean, rstd, dY], [dX, dGamma, dBeta], rows, cols)
        : plain.layerNormGrad(x, gamma, mean, rstd, dY, dX, dGamma, dBeta, rows, cols),
  };
  return {
    ...norms,
    embeddingNorm: (call, y, mean, rstd) => embeddingNorm(runner, call, y, mean, rstd, norms),
    embeddingNormGrad: (call, mean, rstd, dY, dSum, dGamma, dBeta) =>
      embeddingNormGrad(runner, call, [mean, rstd, dY], [dSum, dGamma, dBeta], norms),
    residualNorm: (call, y, mean, rstd) =>
      fits(call.rows, call.cols) ? residualNorm(runner, call, y, mean, rstd) : plain.residualNorm(call, y, mean, rstd),
    residualNormGrad: (call, mean, rstd, dY, dX, dResidual, dGamma, dBeta) =>
      fits(call.rows, call.cols) && bindingsFit(runner)
        ? residualNormGrad(runner, call, [mean, rstd, dY], [dX, dResidual, dGamma, dBeta])
        : plain.residualNormGrad(call, mean, rstd, dY, dX, dResidual, dGamma, dBeta),
  };
}

/** Tier 2: our own shaders where they pay, the plain kernels elsewhere. */
export function fastKernels(runner: FastRunner, tileOf: TileOf): Kernels {
  const plain = plainKernels(runner);
  return {
    ...plain,
    ...normKernels(runner, plain),
    copy: (x, y, shape, from, to) => copy(runner, x, y, shape, from, to),
    reduce: (fn, x, y, outer, size, inner) => reduce(runner, fn, x, y, outer, size, inner),
    matmul: (call) => matmul(runner, tileOf, call),
    softmax: (x, y, rows, cols) => softmax(runner, x, y, rows, cols),
    softmaxGrad: (y, dY, dX, rows, cols) => softmaxGrad(runner, y, dY, dX, rows, cols),
    logSoftmax: (x, y, rows, cols) => softmax(runner, x, y, rows, cols, true),
    logSoftmaxGrad: (y, dY, dX, rows, cols) => softmaxGrad(runner, y, dY, dX, rows, cols, true),
    crossEntropy: (logits, labels, losses, lse, rows, cols, ignoreIndex) =>
      crossEntropy(runner, [logits, labels], [losses, lse], rows, cols, ignoreIndex),
    crossEntropyInPlace: (call) => crossEntropyInPlace(runner, call),
    scatterAdd: (ids, dY, dTable, rows, width, tableRows) =>
      scatterAdd(runner, ids, dY, dTable, rows, width, tableRows),
    attention: (call, y, lse) =>
      takesAttention(runner, call) ? attention(runner, call, y, lse) : plain.attention(call, y, lse),
    attentionGrad: (call, y, lse, dY, dQ, dK, dV) =>
      takesAttention(runner, call)
        ? attentionGrad(runner, call, [y, lse, dY], [dQ, dK, dV])
        : plain.attentionGrad(call, y, lse, dY, dQ, dK, dV),
    sumSquares: (x, out) => sumSquares(runner, x, out),
    adamw: (call) => adamw(runner, call),
  };
}

// LayerNorm over sums, in small steps: the sum, the norm, dropout. The fast kernels do without the sum in memory.
import type { Buf, EmbeddingNormCall, Kernels, ResidualNormCall, RowDropout } from '../../backend.js';
import type { PlainRunner } from '../spec.js';
import { rowDropout } from './dropout.js';
import { accumulate, copyLine } from './elementwise.js';
import { gather } from './embedding.js';
import { layerNorm, layerNormGrad } from './normalize.js';
import { withScratch } from './scratch.js';

/** y = x through dropout, where there is any: `use` is given x itself or the dropped copy. */
function throughDropout(
  runner: PlainRunner,
  x: Buf,
  { rows, cols, dropout }: { rows: number; cols: number; dropout: RowDropout | null },
  use: (x: Buf) => void,
): void {
  if (dropout === null) use(x);
  else {
    withScratch(runner, [rows * cols], ([dropped]) => {
      rowDropout(runner, x, dropped, rows, cols, dropout);
      use(dropped);
    });
  }
}

/** sum += x through dropout. */
function addDropped(runner: PlainRunner, call: ResidualNormCall, sum: Buf): void {
  throughDropout(runner, call.x, call, (x) => accumulate(runner, x, sum));
}

/** x (through dropout) + residual. */
function withResidualSum(runner: PlainRunner, call: ResidualNormCall, use: (sum: Buf) => void): void {
  withScratch(runner, [call.rows * call.cols], ([sum]) => {
    copyLine(runner, call.residual, sum);
    addDropped(runner, call, sum);
    use(sum);
  });
}

export function residualNorm(runner: PlainRunner, call: ResidualNormCall, y: Buf, mean: Buf, rstd: Buf): void {
  const { gamma, beta, rows, cols, eps } = call;
  withResidualSum(runner, call, (sum) => layerNorm(runner, [sum, gamma, beta], [y, mean, rstd], rows, cols, eps));
}

export function residualNormGrad(
  runner: PlainRunner,
  call: ResidualNormCall,
  [mean, rstd, dY]: readonly [Buf, Buf, Buf],
  [dX, dResidual, dGamma, dBeta]: readonly [Buf, Buf, Buf, Buf],
): void {
  const { gamma, rows, cols, dropout } = call;
  withResidualSum(runner, call, (sum) => {
    layerNormGrad(runner, [sum, gamma, mean, rstd, dY], [dResidual, dGamma, dBeta], rows, cols);
  });
  if (dropout === null) copyLine(runner, dResidual, dX);
  else rowDropout(runner, dResidual, dX, rows, cols, dropout);
}

/** words[ids] + types[ids] + positions[ids]. */
function withEmbeddingSum(runner: PlainRunner, call: EmbeddingNormCall, use: (sum: Buf) => void): void {
  const { rows, cols, tables, ids } = call;
  withScratch(runner, [rows * cols, rows * cols], ([sum, part]) => {
    for (const [i, place] of [0, 2, 1].entries()) {
      gather(runner, tables[place], ids[place], i === 0 ? sum : part, rows, cols);
      if (i > 0) accumulate(runner, part, sum);
    }
    use(sum);
  });
}

/** LayerNorm and its gradient, of modes that have faster ones. */
type Norms = Pick<Kernels, 'layerNorm' | 'layerNormGrad'>;

/** Those of this tier. */
const plainNorms = (runner: PlainRunner): Norms => ({
  layerNorm: (x, gamma, beta, y, mean, rstd, rows, cols, eps) =>
    layerNorm(runner, [x, gamma, beta], [y, mean, rstd], rows, cols, eps),
  layerNormGrad: (x, gamma, mean, rstd, dY, dX, dGamma, dBeta, rows, cols) =>
    layerNormGrad(runner, [x, gamma, mean, rstd, dY], [dX, dGamma, dBeta], rows, cols),
});

export function embeddingNorm(
  runner: PlainRunner,
  call: EmbeddingNormCall,
  y: Buf,
  mean: Buf,
  rstd: Buf,
  norms: Norms = plainNorms(runner),
): void {
  const { gamma, beta, rows, cols, eps, dropout } = call;
  withEmbeddingSum(runner, call, (sum) => {
    if (dropout === null) norms.layerNorm(sum, gamma, beta, y, mean, rstd, rows, cols, eps);
    else {
      withScratch(runner, [rows * cols], ([whole]) => {
        norms.layerNorm(sum, gamma, beta, whole, mean, rstd, rows, cols, eps);
        rowDropout(runner, whole, y, rows, cols, dropout);
      });
    }
  });
}

export function embeddingNormGrad(
  runner: PlainRunner,
  call: EmbeddingNormCall,
  [mean, rstd, dY]: readonly [Buf, Buf, Buf],
  [dSum, dGamma, dBeta]: readonly [Buf, Buf, Buf],
  norms: Norms = plainNorms(runner),
): void {
  const { gamma, rows, cols } = call;
  throughDropout(runner, dY, call, (d) => {
    withEmbeddingSum(runner, call, (sum) => {
      norms.layerNormGrad(sum, gamma, mean, rstd, d, dSum, dGamma, dBeta, rows, cols);
    });
  });
}

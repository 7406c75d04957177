import type { RandomKey } from '../../src/core/random.js';
import type { Case } from './native-cases.js';
import type { Trial } from './native-trial.js';

const key: RandomKey = { seed: 2 ** 40 + 12345, stream: 1024, step: 17, row: 5 };
const SHAPES = [
  [0, 5],
  [1, 3],
  [5, 4],
  [7, 64],
  [4, 130],
  [33, 257],
  [3, 1501],
  [140, 128],
] as const;

const each = (name: string, tolerance: number, body: (t: Trial, rows: number, cols: number) => void): Case => ({
  name,
  tolerance,
  body: (t) => {
    for (const [rows, cols] of SHAPES) body(t, rows, cols);
  },
});

/** All rows, the rows of a larger tensor, and no dropout at all. */
const drops = (t: Trial, rows: number) => [
  null,
  { rate: 0.1, key, rows: null },
  { rate: 0.5, key, rows: t.ids(rows, 1000) },
];

/** Variances are far from 0, or any rounding would be any error. */
const eps = 1e-2;

export const fusedCases: readonly Case[] = [
  each('residualNorm', 1e-4, (t, rows, cols) => {
    const n = rows * cols;
    const [x, residual, gamma, beta] = [t.floats(n), t.floats(n), t.floats(cols), t.floats(cols)];
    for (const dropout of drops(t, rows)) {
      const call = { x, residual, gamma, beta, rows, cols, eps, dropout };
      const [mean, rstd] = [t.out(rows), t.out(rows)];
      t.kernels.residualNorm(call, t.out(n), mean, rstd);
      t.kernels.residualNormGrad(call, mean, rstd, t.floats(n), t.out(n), t.out(n), t.out(cols), t.out(cols));
    }
  }),
  each('embeddingNorm', 1e-4, (t, rows, cols) => {
    const n = rows * cols;
    const tables = [t.floats(11 * cols), t.floats(6 * cols), t.floats(2 * cols)] as const;
    const ids = [t.ids(rows, 11), t.ids(rows, 6), t.ids(rows, 2)] as const;
    const [gamma, beta] = [t.floats(cols), t.floats(cols)];
    for (const dropout of drops(t, rows)) {
      const call = { tables, ids, gamma, beta, rows, cols, eps, dropout };
      const [mean, rstd] = [t.out(rows), t.out(rows)];
      t.kernels.embeddingNorm(call, t.out(n), mean, rstd);
      t.kernels.embeddingNormGrad(call, mean, rstd, t.floats(n), t.out(n), t.out(cols), t.out(cols));
    }
  }),
  each('crossEntropyInPlace', 2e-5, (t, rows, cols) => {
    const logits = t.watch(t.floats(rows * cols, -8, 8));
    const bufs = { logits, labels: t.ids(rows, cols), results: t.out(2 * rows), sums: t.out(cols) };
    t.kernels.crossEntropyInPlace({ ...bufs, rows, cols, ignoreIndex: rows > 2 ? 1 : -100, scale: 0.5 });
  }),
];

// The product in all its forms, for native-cases.ts.
import type { Buf, MatmulCall, Precision } from '../../src/backend/backend.js';
import { relu } from '../../src/ops/elementwise.js';
import { gelu, geluTanh } from '../../src/ops/gelu.js';
import type { Case } from './native-cases.js';
import type { Trial } from './native-trial.js';

/** Unit roundoff of f32. */
const U = 2 ** -24;
/** |fl(x . y) - x . y| <= k u |x| . |y| to first order (Higham 2002, sec. 3.1), for elements up to 2. */
export const dotTolerance = (k: number): number => (k + 1) * U * 4 * k + 1e-6;

const MATMULS = [
  // m, n, k, batch
  [1, 1, 1, 1],
  [3, 5, 7, 1],
  [0, 5, 7, 2],
  [5, 0, 7, 2],
  [5, 7, 0, 2],
  [4, 4, 4, 0],
  [17, 33, 19, 3],
  [65, 130, 257, 1],
  [1, 300, 128, 1],
  [128, 64, 32, 5],
] as const;

/** Layout and precision of a product. */
interface Form {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly precision: Precision;
}

const FORMS: readonly Form[] = (['f32', 'bf16', 'int8'] as const).flatMap((precision) =>
  [false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB) =>
      precision === 'int8' && transposeA ? [] : [{ transposeA, transposeB, precision }],
    ),
  ),
);

const nameOf = ({ transposeA, transposeB, precision }: Form): string =>
  `matmul ${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'} ${precision}`;

const matmulCases: Case[] = FORMS.map((form) => {
  const { precision } = form;
  return {
    name: nameOf(form),
    // Both sides round to fewer bits alike, so that only the sums differ; those of integers do not.
    tolerance: precision === 'int8' ? 2 * U : dotTolerance(257),
    body: (t: Trial) => {
      for (const [m, n, k, batch] of MATMULS) {
        for (const strideB of precision === 'int8' ? [0] : [0, k * n]) {
          const a = t.floats(batch * m * k);
          const b = t.floats(strideB === 0 ? k * n : batch * strideB);
          const bias = strideB === 0 ? { bias: t.floats(n) } : {};
          const call = { ...form, a, b, m, n, k, batch, strideA: m * k, strideB, ...bias };
          t.kernels.matmul({ ...call, y: t.out(batch * m * n) });
        }
      }
    },
  };
});

/** Every epilogue on one product, with sums, and on a packed b; values stay within [-4, 4], as sums of k terms would not. */
function endings(t: Trial, m: number, n: number, k: number, form: Form): void {
  const { transposeB, precision } = form;
  const size = Math.min(2, 2 / Math.sqrt(k));
  const sizes = { ...form, m, n, k, batch: 1, strideA: 0, strideB: 0 };
  const [a, b] = [t.floats(m * k, -size, size), t.floats(k * n, -size, size)];
  const call = { ...sizes, a, b, bias: t.floats(n, -1, 1) };
  for (const { fn } of [gelu, geluTanh, relu]) {
    const x = t.floats(m * n);
    t.kernels.matmul({ ...call, y: t.out(m * n), epilogue: { kind: 'activate', fn } });
    t.kernels.matmul({ ...call, y: t.out(m * n), epilogue: { kind: 'activate', fn, pre: t.out(m * n) } });
    t.kernels.matmul({ ...call, y: t.out(m * n), epilogue: { kind: 'slope', fn, x } });
  }
  const { bias: _, ...plain } = call;
  const sums = (buf: Buf): Pick<MatmulCall, 'sums'> => (precision === 'int8' ? {} : { sums: t.watch(buf) });
  const y = t.watch(t.floats(m * n));
  t.kernels.matmul({ ...plain, y, ...sums(t.floats(m)), epilogue: { kind: 'add' } });
  t.kernels.matmul({ ...call, y: t.out(m * n), ...sums(t.scratch(m)) });
  const packed = t.scratch(t.kernels.packedLength(k, n, precision));
  t.kernels.pack(b, packed, k, n, transposeB, precision);
  t.kernels.matmul({ ...call, y: t.out(m * n), packed, epilogue: { kind: 'activate', fn: gelu.fn } });
}

const endingCases: Case[] = FORMS.map((form) => ({
  name: `${nameOf(form)}, epilogues`,
  tolerance: 1e-5, // up to 1100 terms of at most 4 / k each, and functions that are exact to a few units of 2^-24
  body: (t: Trial) => {
    for (const [m, n, k] of [
      [1, 1, 1],
      [5, 7, 0],
      [17, 33, 19],
      [33, 70, 600],
      [3, 130, 1100],
      [130, 40, 64],
    ]) {
      endings(t, m, n, k, form);
    }
  },
}));

export const MATMUL_CASES: readonly Case[] = [...matmulCases, ...endingCases];

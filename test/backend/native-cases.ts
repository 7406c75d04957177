import type { Buf } from '../../src/backend/backend.js';
import type { RandomKey } from '../../src/core/random.js';
import * as elementwise from '../../src/ops/elementwise.js';
import { gelu, geluTanh } from '../../src/ops/gelu.js';
import { fusedCases } from './native-fused-cases.js';
import { dotTolerance, MATMUL_CASES } from './native-matmul-cases.js';
import type { Trial } from './native-trial.js';

/** A kernel on some sizes. `tolerance` is absolute, for inputs within [-2, 2] unless the case says otherwise. */
export interface Case {
  readonly name: string;
  readonly tolerance: number;
  body(t: Trial): void;
}

const SIZES = [0, 1, 7, 16, 63, 1000, 17_001];
const ROWS = [
  [0, 5],
  [3, 0],
  [1, 1],
  [5, 3],
  [7, 64],
  [4, 130],
  [33, 257],
  [3, 1501],
  [140, 128],
] as const;
const key: RandomKey = { seed: 2 ** 40 + 12345, stream: 1024, step: 17, row: 5 };

export const UNARY = [...Object.values(elementwise), gelu, geluTanh].flatMap((op) => ('fn' in op ? [op] : []));
/** Where a function is defined, and not so steep that a rounded input alone explains any difference. */
const RANGES: Record<string, [number, number]> = {
  log: [0.1, 3],
  sqrt: [0.1, 3],
  rsqrt: [0.2, 3],
  reciprocal: [0.2, 3],
  powScalar: [0.1, 3],
};

const unaryCases: Case[] = UNARY.map(({ fn }) => ({
  name: `unary ${fn.name}`,
  tolerance: 4e-5, // values up to 125 (the derivative of rsqrt at 0.2 is 5.6, 1 / 0.2^2 = 25), a few units in the last place
  body: (t) => {
    for (const n of SIZES) {
      const x = t.floats(n, ...(RANGES[fn.name] ?? [-4, 4]));
      const [y, dX] = [t.out(n), t.out(n)];
      t.kernels.unary(fn, x, y, 1.75);
      t.kernels.unaryGrad(fn, x, y, t.floats(n), dX, 1.75);
    }
  },
}));

export const BINARY = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  maximum: Math.max,
  minimum: Math.min,
  equal: (a: number, b: number) => Number(a === b),
  greater: (a: number, b: number) => Number(a > b),
  less: (a: number, b: number) => Number(a < b),
};

/** [shape, strides of a, strides of b]: equal shapes, a row, a column, a scalar, both repeated, many axes. */
const BROADCASTS: readonly [number[], number[], number[]][] = [
  [[], [], []],
  [[0], [1], [1]],
  [
    [5, 0, 3],
    [0, 3, 1],
    [0, 3, 1],
  ],
  [[17_001], [1], [1]],
  [
    [33, 7],
    [7, 1],
    [0, 1],
  ],
  [
    [33, 70],
    [70, 1],
    [1, 0],
  ],
  [
    [9, 11],
    [0, 0],
    [11, 1],
  ],
  [
    [4, 5, 6],
    [6, 0, 1],
    [0, 6, 1],
  ],
  [
    [2, 1, 3, 2, 1, 2, 2, 3],
    [72, 72, 24, 12, 12, 6, 3, 1],
    [0, 0, 0, 12, 12, 6, 3, 1],
  ],
  [
    [2, 1, 3, 2, 1, 2, 2, 3, 2, 1],
    [144, 0, 48, 24, 0, 12, 6, 2, 1, 0],
    [0, 0, 0, 24, 0, 12, 6, 2, 1, 0],
  ],
];
const extent = (shape: readonly number[], strides: readonly number[]): number =>
  shape.includes(0) ? 0 : 1 + shape.reduce((sum, length, i) => sum + (length - 1) * strides[i], 0);

const binaryCases: Case[] = Object.entries(BINARY).map(([name, js]) => ({
  name: `binary ${name}`,
  tolerance: 1e-6,
  body: (t) => {
    for (const [shape, sa, sb] of BROADCASTS) {
      const b = t.floats(extent(shape, sb), 1, 2); // no quotient above 2
      const y = t.out(shape.reduce((n, length) => n * length, 1));
      t.kernels.binary({ name, js }, t.floats(extent(shape, sa)), b, y, shape, sa, sb);
    }
  },
}));

/** Permutations, slices, concatenations and expansions as walks. */
function copies(t: Trial): void {
  const walk = (offset: number, ...strides: number[]) => ({ offset, strides });
  t.kernels.copy(t.floats(1), t.out(1), [], walk(0), walk(0));
  t.kernels.copy(t.floats(0), t.out(0), [3, 0], walk(0, 0, 1), walk(0, 0, 1));
  t.kernels.copy(t.floats(35 * 67), t.out(35 * 67), [67, 35], walk(0, 1, 67), walk(0, 35, 1));
  t.kernels.copy(
    t.floats(2 * 9 * 4 * 8),
    t.out(2 * 9 * 4 * 8),
    [2, 4, 9, 8],
    walk(0, 288, 8, 32, 1),
    walk(0, 288, 72, 8, 1),
  );
  t.kernels.copy(t.floats(50), t.out(12), [3, 4], walk(11, 10, 1), walk(0, 4, 1)); // a window
  t.kernels.copy(t.floats(7), t.out(7 * 4000), [4000, 7], walk(0, 0, 1), walk(0, 7, 1));
  t.kernels.copy(t.ids(12, 1 << 30), t.out(12, 'i32'), [4, 3], walk(0, 1, 4), walk(0, 3, 1));
  const joined = t.out(30); // two halves of a concatenation
  t.kernels.copy(t.floats(12), joined, [3, 4], walk(0, 4, 1), walk(0, 10, 1));
  t.kernels.copy(t.floats(18), joined, [3, 6], walk(0, 6, 1), walk(4, 10, 1));
}

const small: Case[] = [
  { name: 'copy', tolerance: 0, body: copies },
  {
    name: 'fill, accumulate, where',
    tolerance: 0,
    body: (t) => {
      for (const n of SIZES) {
        t.kernels.fill(t.out(n), 1.5);
        t.kernels.fill(t.out(n, 'i32'), -7);
        t.kernels.where(t.values(Array.from({ length: n }, (_, i) => i % 3)), t.floats(n), t.floats(n), t.out(n));
        const sum = t.watch(t.values(Array.from({ length: n }, (_, i) => i % 17)));
        t.kernels.accumulate(t.values(Array.from({ length: n }, (_, i) => (i % 5) / 4)), sum);
      }
    },
  },
  {
    name: 'reduce',
    tolerance: dotTolerance(40),
    body: (t) => {
      const shapes = [
        [0, 3, 2],
        [2, 0, 3],
        [4, 3, 0],
        [1, 1, 1],
        [5, 33, 1],
        [3, 7, 65],
        [1, 1000, 130],
        [300, 200, 1],
      ];
      for (const [outer, size, inner] of shapes) {
        for (const fn of ['sum', 'max', 'min'] as const) {
          // Small values for the sums, whose error grows with the number of terms.
          const x = t.floats(outer * size * inner, -40 / (size + 1), 40 / (size + 1));
          t.kernels.reduce(fn, x, t.out(outer * inner), outer, size, inner);
        }
      }
    },
  },
  {
    name: 'argmax',
    tolerance: 0,
    body: (t) => {
      for (const [rows, cols] of ROWS)
        if (cols > 0) t.kernels.argmax(t.floats(rows * cols), t.out(rows, 'i32'), rows, cols);
      t.kernels.argmax(t.values([1, 3, 3, 2, 0, 0, 0, 0]), t.out(2, 'i32'), 2, 4); // the first of equals
    },
  },
  {
    name: 'gather and scatterAdd',
    tolerance: dotTolerance(8),
    body: (t) => {
      for (const [rows, width, tableRows] of [
        [0, 4, 3],
        [5, 1, 2],
        [9, 33, 4],
        [200, 128, 90],
        [3, 0, 2],
      ]) {
        const ids = t.ids(rows, tableRows);
        t.kernels.gather(t.floats(tableRows * width), ids, t.out(rows * width), rows, width);
        const table = t.watch(t.floats(tableRows * width));
        t.kernels.scatterAdd(ids, t.floats(rows * width), table, rows, width, tableRows);
      }
    },
  },
  {
    name: 'dropout',
    tolerance: 1e-6,
    body: (t) => {
      for (const [rows, cols] of ROWS) {
        for (const rate of [0, 0.1, 0.999]) {
          const x = t.floats(rows * cols, 1 - rate, 2 - 2 * rate);
          t.kernels.dropout(x, t.out(rows * cols), rows, cols, rate, key);
        }
      }
    },
  },
  {
    name: 'sumSquares',
    tolerance: dotTolerance(60),
    body: (t) => {
      for (const n of SIZES) t.kernels.sumSquares(t.floats(n, -2 / Math.sqrt(n + 1), 2 / Math.sqrt(n + 1)), t.out(1));
    },
  },
];

/** Kernels that see [rows, cols]. */
const rowsCase = (name: string, tolerance: number, body: (t: Trial, rows: number, cols: number) => void): Case => ({
  name,
  tolerance,
  body: (t) => {
    for (const [rows, cols] of ROWS) body(t, rows, cols);
  },
});

const rowCases: Case[] = [
  rowsCase('softmax', 2e-6, (t, rows, cols) => {
    const n = rows * cols;
    const y = t.out(n);
    t.kernels.softmax(t.floats(n, -8, 8), y, rows, cols);
    t.kernels.softmaxGrad(y, t.floats(n), t.out(n), rows, cols);
  }),
  rowsCase('logSoftmax', 2e-5, (t, rows, cols) => {
    const n = rows * cols;
    const y = t.out(n);
    t.kernels.logSoftmax(t.floats(n, -8, 8), y, rows, cols);
    t.kernels.logSoftmaxGrad(y, t.floats(n, 0, 1 / (cols + 1)), t.out(n), rows, cols);
  }),
  rowsCase('layerNorm', 1e-4, (t, rows, cols) => {
    if (cols < 3) return; // 1 / deviation is then anything up to 1 / sqrt(eps), and so is the error
    const n = rows * cols;
    const [x, gamma, y] = [t.floats(n), t.floats(cols), t.out(n)];
    const [mean, rstd] = [t.out(rows), t.out(rows)];
    t.kernels.layerNorm(x, gamma, t.floats(cols), y, mean, rstd, rows, cols, 1e-12);
    const dX = t.out(n);
    t.kernels.layerNormGrad(x, gamma, mean, rstd, t.floats(n), dX, t.out(cols), t.out(cols), rows, cols);
  }),
  rowsCase('crossEntropy', 2e-5, (t, rows, cols) => {
    if (cols === 0) return;
    const n = rows * cols;
    const [logits, lse] = [t.floats(n, -8, 8), t.out(rows)];
    const labels = t.ids(rows, cols);
    const ignored = rows > 2 ? 1 : -100; // a class to skip, or a label that no row has
    t.kernels.crossEntropy(logits, labels, t.out(rows), lse, rows, cols, ignored);
    t.kernels.crossEntropyGrad(logits, labels, lse, t.floats(rows), t.out(n), rows, cols, ignored);
  }),
];

function ends(lengths: readonly number[]): number[] {
  const offsets = [0];
  for (const length of lengths) offsets.push(offsets[offsets.length - 1] + length);
  return offsets;
}

/** Sequences of several lengths, an empty one among them; where `step` is given, every step-th row asks. */
function attends(t: Trial, lengths: readonly number[], heads: number, headDim: number, rate: number, step = 0): void {
  const offsets = ends(lengths);
  const rows = offsets[lengths.length];
  const n = rows * heads * headDim;
  const places = lengths.map((length) => Array.from({ length }, (_, i) => i).filter((i) => i % step === 0));
  const starts = ends(places.map((list) => list.length));
  const queryRows = step === 0 ? rows : starts[lengths.length];
  const m = queryRows * heads * headDim;
  const hidden = Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? -10_000 : 0));
  const call = {
    q: t.floats(m),
    k: t.floats(n),
    v: t.floats(n),
    keyBias: t.values(hidden),
    offsets: t.ints(offsets),
    queries: step === 0 ? null : { offsets: t.ints(starts), places: t.ints(places.flat()) },
    rows,
    queryRows,
    sequences: lengths.length,
    heads,
    headDim,
    maxSeq: Math.max(0, ...lengths),
    scale: 1 / Math.sqrt(headDim),
    dropout: rate === 0 ? null : { rate, key },
  };
  const [y, lse] = [t.out(m), t.out(queryRows * heads)];
  t.kernels.attention(call, y, lse);
  const [dY, dQ, dK, dV]: Buf[] = [t.floats(m), t.out(m), t.out(n), t.out(n)];
  t.kernels.attentionGrad(call, y, lse, dY, dQ, dK, dV);
}

const attentionCases: Case[] = [0, 0.1].map((rate) => ({
  name: `attention, dropout ${rate}`,
  tolerance: 2e-4, // two products of up to 130 terms one after the other, and exponentials of scores up to 23
  body: (t) => {
    attends(t, [], 2, 8, rate);
    attends(t, [1], 1, 4, rate);
    attends(t, [3, 0, 17, 5], 3, 8, rate);
    attends(t, [130, 64], 2, 32, rate);
    attends(t, [33, 2, 65], 1, 64, rate);
    attends(t, [130, 0, 5], 2, 64, rate, 7);
  },
}));

const adamwCase: Case = {
  name: 'adamw',
  tolerance: 2e-6,
  body: (t) => {
    for (const n of SIZES) {
      for (const squares of [4, Number.NaN]) {
        const [param, m] = [t.watch(t.floats(n)), t.watch(t.floats(n, -0.1, 0.1))];
        const v = t.watch(t.floats(n, 0.01, 0.1));
        const moments = { beta1: 0.9, beta2: 0.999, eps: 1e-6, correction1: 1 / 0.19, correction2: 1 / 0.002 };
        const rates = { lr: 1e-3, weightDecay: 0.01, gradScale: 0.5, maxNorm: 0.7 };
        t.kernels.adamw({ param, m, v, grad: t.floats(n), sumSquares: t.values([squares]), ...moments, ...rates });
      }
    }
  },
};

export const CASES: readonly Case[] = [
  ...unaryCases,
  ...binaryCases,
  ...small,
  ...rowCases,
  ...fusedCases,
  ...MATMUL_CASES,
  ...attentionCases,
  adamwCase,
];

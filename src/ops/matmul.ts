import { ShapeError } from '../core/errors.js';
import { broadcastShapes, numel, type Shape } from '../core/shape.js';
import { takes } from './check.js';
import { gradientPrecision } from './factor.js';
import type { Arg, BackwardCtx, BadSample, Op, Sample } from './op.js';
import { batchOf, type MatmulAttrs, matrixOf, multiply, product } from './product.js';
import { bytesOf, seenAs, unbroadcast } from './reduction.js';

function shapeOf(inputs: readonly Shape[], { transposeA, transposeB }: MatmulAttrs): Shape {
  takes('matmul', inputs, 2);
  const [a, b] = inputs;
  if (a.length < 2 || b.length < 2) throw new ShapeError('matmul', 'needs matrices, at least two axes each', inputs);
  const [rows, inner] = matrixOf(a, transposeA);
  const [other, cols] = matrixOf(b, transposeB);
  if (inner !== other) {
    const turned = [transposeA ? 'first' : '', transposeB ? 'second' : ''].filter((side) => side !== '').join(' and ');
    const note = turned === '' ? '' : `, the ${turned} transposed`;
    throw new ShapeError('matmul', `inner sizes must match${note}`, inputs);
  }
  return [...broadcastShapes('matmul', batchOf(a), batchOf(b)), rows, cols];
}

/** One matrix b under a batch of a: its gradient is one product over all rows of the batch, and needs no sum after. */
const isShared = (b: Shape, { transposeA }: MatmulAttrs): boolean => !transposeA && numel(batchOf(b)) === 1;

function leftGradient(ctx: BackwardCtx<MatmulAttrs>): Arg {
  const {
    inputs: [a, b],
    dOut,
    attrs,
    runGrad,
  } = ctx;
  const batch = batchOf(dOut.shape);
  const shape = [...batch, ...a.shape.slice(-2)];
  const precision = gradientPrecision(b);
  const dA = attrs.transposeA
    ? runGrad(product, [b, dOut], { transposeA: attrs.transposeB, transposeB: true, shape, batch, precision })
    : runGrad(product, [dOut, b], { transposeA: false, transposeB: !attrs.transposeB, shape, batch, precision });
  return unbroadcast(ctx, dA[0], a.shape);
}

function rightGradient(ctx: BackwardCtx<MatmulAttrs>): Arg {
  const {
    inputs: [a, b],
    dOut,
    attrs,
    runGrad,
  } = ctx;
  const shared = isShared(b.shape, attrs);
  const asRows = (arg: Arg): Arg => {
    const cols = arg.shape[arg.shape.length - 1];
    return shared ? seenAs(arg, [numel(arg.shape.slice(0, -1)), cols]) : arg;
  };
  const [left, right] = [asRows(a), asRows(dOut)];
  const batch = shared ? [] : batchOf(dOut.shape);
  const shape = shared ? b.shape : [...batch, ...b.shape.slice(-2)];
  const precision = gradientPrecision(b);
  const dB = attrs.transposeB
    ? runGrad(product, [right, left], { transposeA: true, transposeB: attrs.transposeA, shape, batch, precision })
    : runGrad(product, [left, right], { transposeA: !attrs.transposeA, transposeB: false, shape, batch, precision });
  return unbroadcast(ctx, dB[0], b.shape);
}

const one = (name: string, a: Shape, b: Shape, transposeA = false, transposeB = false): Sample<MatmulAttrs> => ({
  name,
  inputs: [a, b],
  attrs: { transposeA, transposeB },
});

const bad = (name: string, inputs: BadSample<MatmulAttrs>['inputs'], transposeB = false): BadSample<MatmulAttrs> => ({
  name,
  inputs,
  attrs: { transposeA: false, transposeB },
});

export const matmul: Op<MatmulAttrs> = {
  name: 'matmul',
  doc: {
    formula: 'y_ij = sum_p a_ip b_pj over the last two axes; leading axes broadcast',
    gradient: 'dA = dOut b^T, dB = a^T dOut; with a transposed input the same, transposed',
    why: {
      en: 'all four transposed cases are kernel calls, so that gradients are products again and nothing is copied to turn it',
      zh: '四种转置情形都由核函数直接处理：梯度仍是矩阵乘法，不必为转置复制数据',
    },
    source: 'Giles 2008, An extended collection of matrix derivative results, sec. 2.2.2; NumPy, numpy.matmul',
  },
  shape: shapeOf,
  cost: (inputs, attrs) => {
    const out = shapeOf(inputs, attrs);
    const inner = matrixOf(inputs[0], attrs.transposeA)[1];
    return { flops: 2 * numel(out) * inner, bytes: bytesOf(...inputs, out) };
  },
  forward: (backend, [a, b], y, attrs) => multiply(backend, a, b, y.buf, batchOf(y.shape), attrs),
  backward: (ctx) => [ctx.needs(0) ? leftGradient(ctx) : null, ctx.needs(1) ? rightGradient(ctx) : null],
  get samples() {
    return [
      one('one element', [1, 1], [1, 1]),
      one('inner product', [1, 7], [7, 1]),
      one('outer product', [7, 1], [1, 5]),
      one('sizes 15, 16, 17', [15, 16], [16, 17]),
      one('a turned', [16, 15], [16, 17], true),
      one('b turned', [17, 65], [3, 65], false, true),
      one('both turned', [33, 6], [5, 33], true, true),
      one('63 and 65', [63, 3], [3, 65]),
      one('one row', [1, 65], [65, 17]),
      one('a long inner size', [2, 1000], [1000, 3]),
      one('no rows', [0, 3], [3, 4]),
      one('no inner elements', [3, 0], [0, 4]),
      one('batch', [2, 3, 4, 5], [2, 3, 5, 6]),
      one('one b under a batch', [2, 3, 4, 5], [5, 6]),
      one('one turned b under a batch', [3, 4, 5], [1, 6, 5], false, true),
      one('one a under a batch', [4, 5], [3, 5, 2]),
      one('one turned a under a batch', [5, 4], [3, 5, 2], true),
      one('a turned, one b', [2, 5, 4], [5, 3], true),
      one('both sides repeated', [2, 1, 3, 4], [3, 4, 2]),
      one('both sides repeated, turned', [2, 1, 4, 3], [3, 2, 4], true, true),
      one('repeated in the middle', [2, 3, 2, 3, 4], [2, 1, 2, 4, 3]),
      {
        name: 'the same tensor twice',
        inputs: [[5, 4], { shape: [5, 4], same: 0 }],
        attrs: { transposeA: false, transposeB: true },
      },
      one('bert: scores', [2, 2, 9, 16], [2, 2, 9, 16], false, true),
      one('bert: context', [2, 2, 9, 9], [2, 2, 9, 16]),
    ];
  },
  workload: {
    axes: ['m', 'k', 'n'],
    at: ([m, k, n]) => ({
      inputs: [
        [m, k],
        [k, n],
      ],
      attrs: { transposeA: false, transposeB: false },
    }),
    bert: ({ tokens, hidden, intermediate }) => [['hidden times inner', [tokens, hidden, intermediate]]],
  },
  get badSamples() {
    return [
      bad('inner sizes', [
        [2, 3],
        [4, 5],
      ]),
      bad(
        'inner sizes when turned',
        [
          [2, 3],
          [3, 2],
        ],
        true,
      ),
      bad('a vector', [[3], [3, 2]]),
      bad('batches of 2 and 3', [
        [2, 3, 4],
        [3, 4, 5],
      ]),
      bad('one input', [[2, 3]]),
      bad('integers', [{ shape: [2, 2], ids: 5 }, [2, 2]]),
    ];
  },
};

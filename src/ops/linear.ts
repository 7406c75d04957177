import { ShapeError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import { add } from './elementwise.js';
import { matmul } from './matmul.js';
import type { Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';
import { reshape } from './reshape.js';
import { asRows, inputGradient, project, weightGradients } from './row-product.js';

const sample = (name: string, leading: Shape, from: number, to: number): Sample<object> => ({
  name,
  inputs: [[...leading, from], [to, from], [to]],
  attrs: {},
});

export const linear: Op = {
  name: 'linear',
  doc: {
    formula: 'y = x W^T + b,  x [..., in], W [out, in], b [out]',
    gradient: 'dX = dOut W, dW = dOut^T x, dB = sum of dOut over all rows',
    why: {
      en: 'one call instead of a product and an addition: the bias is added while results are still in registers',
      zh: '乘法和加偏置合成一次调用：结果还在寄存器里时就加上偏置，省去一次内存读写',
    },
    source: 'PyTorch, torch.nn.functional.linear',
  },
  shape: (inputs) => {
    takes('linear', inputs, 3);
    const [x, weight, bias] = inputs;
    if (weight.length !== 2 || x.at(-1) !== weight[1]) {
      throw new ShapeError('linear', 'needs x [..., in] and a weight [out, in]', [x, weight]);
    }
    mustBe('linear', 'the bias', bias, [weight[0]]);
    return [...x.slice(0, -1), weight[0]];
  },
  cost: ([x, weight, bias]) => {
    const rows = numel(x.slice(0, -1));
    return { flops: (2 * weight[1] + 1) * rows * weight[0], bytes: bytesOf(x, weight, bias, [rows, weight[0]]) };
  },
  forward: (backend, [x, weight, bias], y) => project(backend, [asRows(x), weight, bias], y.buf),
  backward: (ctx) => {
    const [x, weight] = ctx.inputs;
    const dOut = asRows(ctx.dOut); // [rows, out]
    return [inputGradient(ctx, 0, dOut, weight), ...weightGradients(ctx, [1, 2], dOut, asRows(x))];
  },
  compose: ({ inputs: [x, weight, bias], run }) => {
    const rows = run(reshape, [x], { shape: asRows(x).shape });
    const products = run(matmul, [rows, weight], { transposeA: false, transposeB: true }); // [rows, out]
    return run(reshape, [run(add, [products, bias], {})], { shape: [...x.shape.slice(0, -1), weight.shape[0]] });
  },
  get samples() {
    return [
      sample('one element', [1], 1, 1),
      sample('no leading axes', [], 5, 3),
      sample('seven', [7], 7, 7),
      sample('15 to 17', [3], 15, 17),
      sample('16 to 16', [16], 16, 16),
      sample('17 to 15', [5], 17, 15),
      sample('63 to 65', [2], 63, 65),
      sample('one row', [1], 65, 33),
      sample('one output', [9], 33, 1),
      sample('no rows', [0], 3, 4),
      sample('three leading axes', [2, 3, 2], 5, 4),
      sample('many rows', [300], 3, 2),
      sample('bert: feed-forward', [2, 5], 32, 64),
      { name: 'x is the weight', inputs: [[4, 5], { shape: [4, 5], same: 0 }, [4]], attrs: {} },
    ];
  },
  workload: {
    axes: ['rows', 'in', 'out'],
    at: ([rows, from, to]) => ({ inputs: [[rows, from], [to, from], [to]], attrs: {} }),
    bert: ({ tokens, hidden, intermediate, masked, vocab }) => [
      ['query, key, value, output', [tokens, hidden, hidden]],
      ['feed-forward, in', [tokens, hidden, intermediate]],
      ['feed-forward, out', [tokens, intermediate, hidden]],
      ['vocabulary', [masked, hidden, vocab]],
    ],
  },
  get badSamples() {
    return [
      { name: 'another width', inputs: [[2, 3], [4, 5], [4]], attrs: {} },
      { name: 'weight turned', inputs: [[2, 3], [3, 4], [4]], attrs: {} },
      { name: 'another bias', inputs: [[2, 3], [4, 3], [3]], attrs: {} },
      {
        name: 'no bias',
        inputs: [
          [2, 3],
          [4, 3],
        ],
        attrs: {},
      },
      { name: 'a vector as weight', inputs: [[2, 3], [3], [1]], attrs: {} },
    ];
  },
};

import type { UnaryFn } from '../backend/backend.js';
import { ShapeError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import { mustBe, takes } from './check.js';
import { relu } from './elementwise.js';
import { gelu, geluTanh } from './gelu.js';
import { linear } from './linear.js';
import type { Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';
import { asRows, inputGradient, project, timesWeight, weightGradients } from './row-product.js';
import { withScratch } from './scratch.js';

/** Functions between the two layers, whose slope needs their input alone. */
const ACTIVATIONS = { gelu, geluTanh, relu } as const;

export interface FeedForwardAttrs {
  readonly activation: keyof typeof ACTIVATIONS;
}

const fnOf = ({ activation }: FeedForwardAttrs): UnaryFn => ACTIVATIONS[activation].fn;

/** x, and both layers' weights and biases. */
const inputsOf = (leading: Shape, [from, between, to]: readonly number[]): Shape[] => [
  [...leading, from],
  [between, from],
  [between],
  [to, between],
  [to],
];

const sample = (
  name: string,
  leading: Shape,
  sizes: readonly number[],
  activation: FeedForwardAttrs['activation'] = 'gelu',
): Sample<FeedForwardAttrs> => ({ name, inputs: inputsOf(leading, sizes), attrs: { activation } });

const spoilt = (name: string, at: number, input: Shape) => {
  const good = sample(name, [3], [4, 6, 5]);
  return { ...good, inputs: good.inputs.toSpliced(at, 1, input) };
};

export const feedForward: Op<FeedForwardAttrs> = {
  name: 'feedForward',
  doc: {
    formula: 'y = fn(x W1^T + b1) W2^T + b2,  x [..., in], W1 [between, in], W2 [out, between]',
    gradient:
      "with u = x W1^T + b1 and dU = (dOut W2) fn'(u): dX = dU W1, dW1 = dU^T x, dB1 = sum of dU, dW2 = dOut^T fn(u), dB2 = sum of dOut",
    why: {
      en: 'both layers in one: the function is applied while a product is in registers, and so is its slope on the way back, where four more passes over the widest tensor of a layer would be',
      zh: '两层合一：激活函数在乘积还在寄存器里时就算好，反向传播时的导数也一样，省去对这一层最宽张量的四次读写',
    },
    source: 'Vaswani et al. 2017, arXiv:1706.03762, sec. 3.3; google-research/bert modeling.py:855-875',
  },
  shape: (inputs, { activation }) => {
    takes('feedForward', inputs, 5);
    const [x, first, firstBias, second, secondBias] = inputs;
    if (!Object.hasOwn(ACTIVATIONS, activation)) {
      throw new ShapeError('feedForward', `has no function "${activation}"; it takes ${Object.keys(ACTIVATIONS)}`, [x]);
    }
    if (first.length !== 2 || second.length !== 2 || x.at(-1) !== first[1]) {
      throw new ShapeError('feedForward', 'needs x [..., in] and weights [between, in], [out, between]', inputs);
    }
    mustBe('feedForward', 'the first bias', firstBias, [first[0]]);
    mustBe('feedForward', 'the second weight', second, [second[0], first[0]]);
    mustBe('feedForward', 'the second bias', secondBias, [second[0]]);
    return [...x.slice(0, -1), second[0]];
  },
  aux: ([x, first]) => [[numel(x.slice(0, -1)), first[0]]], // u
  auxOptional: true,
  cost: (inputs) => {
    const [x, first, , second] = inputs;
    const rows = numel(x.slice(0, -1));
    const flops = rows * first[0] * (2 * first[1] + 2 * second[0] + 2);
    return { flops, bytes: bytesOf(...inputs, [rows, first[0]], [rows, first[0]], [rows, second[0]]) };
  },
  forward: (backend, [x, first, firstBias, second, secondBias], y, attrs, [pre]) => {
    const rows = asRows(x);
    const shape = [rows.shape[0], first.shape[0]]; // [rows, between]
    withScratch(backend, numel(shape), y.dtype, (buf) => {
      const activation = { kind: 'activate', fn: fnOf(attrs), ...(pre && { pre: pre.buf }) } as const;
      project(backend, [rows, first, firstBias], buf, activation);
      project(backend, [{ buf, shape, dtype: y.dtype }, second, secondBias], y.buf);
    });
  },
  backward: (ctx) => {
    const {
      inputs: [x, first, , second],
      aux: [pre],
      attrs,
      run,
    } = ctx;
    const dOut = asRows(ctx.dOut); // [rows, out]
    // fn(u) is the widest tensor of a layer: to compute it again takes less than to keep it for every layer.
    const outer = weightGradients(ctx, [3, 4], dOut, run(ACTIVATIONS[attrs.activation], [pre], { c: 0 }));
    const slope = { kind: 'slope', fn: fnOf(attrs), x: pre.buf } as const;
    const dPre = timesWeight(ctx, dOut, second, pre.shape, slope); // [rows, between]
    const inner = weightGradients(ctx, [1, 2], dPre, asRows(x));
    return [inputGradient(ctx, 0, dPre, first), ...inner, ...outer];
  },
  compose: ({ inputs: [x, first, firstBias, second, secondBias], attrs: { activation }, run }) => {
    const active = run(ACTIVATIONS[activation], [run(linear, [x, first, firstBias], {})], { c: 0 });
    return run(linear, [active, second, secondBias], {});
  },
  get samples() {
    return [
      sample('one element', [1], [1, 1, 1]),
      sample('no leading axes', [], [5, 4, 3]),
      sample('seven', [7], [7, 7, 7], 'geluTanh'),
      sample('15 to 17', [3], [15, 16, 17]),
      sample('17 to 15', [5], [17, 16, 15], 'geluTanh'),
      sample('63 between', [2], [4, 63, 4]),
      sample('65 between', [2], [4, 65, 4], 'relu'),
      sample('one row', [1], [9, 33, 5]),
      sample('one output', [9], [5, 6, 1]),
      sample('no rows', [0], [3, 4, 5]),
      sample('three leading axes', [2, 3, 2], [5, 4, 3]),
      sample('many rows', [300], [3, 2, 3]),
      sample('bert', [2, 5], [32, 64, 32]),
    ];
  },
  workload: {
    axes: ['rows', 'in', 'between', 'out'],
    at: ([rows, ...sizes]) => sample('', [rows], sizes),
    bert: ({ tokens, hidden, intermediate }) => [['feed-forward', [tokens, hidden, intermediate, hidden]]],
  },
  get badSamples() {
    return [
      spoilt('another width', 0, [3, 3]),
      spoilt('another first bias', 2, [5]),
      spoilt('another second weight', 3, [5, 4]),
      spoilt('another second bias', 4, [6]),
      spoilt('a vector as weight', 1, [4]),
    ];
  },
};

// js-pytorch: nested arrays of numbers in one thread. Forward only: its walk back uses up the graph, so that a way back alone
// cannot be timed.
import { pathToFileURL } from 'node:url';
import { locate, versionOf } from './package.mjs';

/** Each op as its users write it. */
const OPS = (torch) => ({
  matmul: ([a, b]) => torch.matmul(a, b),
  linear: ([x, weight, bias]) => torch.add(torch.matmul(x, weight), bias),
  softmax: ([x]) => new torch.nn.Softmax().forward(x, -1),
  relu: ([x]) => new torch.nn.ReLU().forward(x),
  exp: ([x]) => torch.exp(x),
  log: ([x]) => torch.log(x),
  sqrt: ([x]) => torch.sqrt(x),
  neg: ([x]) => torch.neg(x),
  add: ([a, b]) => torch.add(a, b),
  sub: ([a, b]) => a.sub(b),
  mul: ([a, b]) => torch.mul(a, b),
  div: ([a, b]) => torch.div(a, b),
  sum: ([x], { axes: [axis], keepDims }) => x.sum(axis, keepDims),
  mean: ([x], { axes: [axis], keepDims }) => x.mean(axis, keepDims),
});

/** Rows within rows, which is all it takes. */
function nested(values, [first, ...rest], from = 0) {
  if (rest.length === 0) return Array.from(values.subarray(from, from + first));
  const step = rest.reduce((n, size) => n * size, 1);
  return Array.from({ length: first }, (_, i) => nested(values, rest, from + i * step));
}

/** The weight of a linear layer is [out, in] here, and [in, out] there. */
const inputsOf = (torch, c, { inputs }) =>
  inputs.map(({ shape, data }, i) => {
    const tensor = torch.tensor(nested(data, shape));
    return c.op.name === 'linear' && i === 1 ? torch.tensor(torch.transpose(tensor, 0, 1).data) : tensor;
  });

async function prepare(torch, c, data) {
  const f = OPS(torch)[c.op.name];
  const { attrs } = c.sample;
  if (f === undefined || attrs.transposeA || attrs.transposeB) return 'has no such op, or it was not written down';
  if (c.direction !== 'forward') return 'its walk back cannot be timed alone';
  if (data.inputs.some(({ data: values }) => values instanceof Int32Array)) return 'it takes no ids here';
  let inputs = inputsOf(torch, c, data);
  try {
    f(inputs, attrs);
  } catch (error) {
    return `its own words: ${String(error.message).split('\n')[0].slice(0, 90)}`;
  }
  return {
    run: async (times) => {
      for (let i = 0; i < times; i++) f(inputs, attrs);
    },
    results: async () => [Float32Array.from([f(inputs, attrs).data].flat(Number.POSITIVE_INFINITY))],
    free: () => {
      inputs = [];
    },
  };
}

export async function open() {
  const { torch } = await import(pathToFileURL(locate('js-pytorch')).href);
  return [
    {
      name: 'js-pytorch',
      runsOn: `js-pytorch ${versionOf('js-pytorch')}, 1 thread`,
      threads: 1,
      backend: null,
      prepare: (c, data) => prepare(torch, c, data),
      close: () => undefined,
    },
  ];
}

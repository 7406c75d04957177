// onnxruntime-node: a graph of one node for each case, forward only. Weights of `linear` are constants of the graph, as
// in every exported model, so that it may pack them beforehand.
import { fileURLToPath } from 'node:url';
import { bytes, integer, integers, joined, message, text } from '../../dist/io/protobuf.js';
import { startChild } from './child.mjs';
import { load, plainValues, versionOf } from './package.mjs';

const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const OPSET = 20;

/** Attributes of a node, by what they hold (onnx.proto, AttributeProto). */
const whole = (name, value) => message(5, text(1, name), integer(3, value), integer(20, 2));
const wholes = (name, values) => message(5, text(1, name), integers(8, values), integer(20, 7));
const real = (name, value) =>
  message(5, text(1, name), [new Uint8Array([21]), new Uint8Array(Float32Array.of(value).buffer)], integer(20, 1));
const word = (name, value) => message(5, text(1, name), bytes(4, new TextEncoder().encode(value)), integer(20, 3));

const typeOf = (data) => (data instanceof Int32Array ? INT32 : FLOAT);
const constant = (name, shape, data) =>
  message(
    5,
    integers(1, shape),
    integer(2, typeOf(data)),
    text(8, name),
    bytes(9, new Uint8Array(plainValues(data).buffer)),
  );
const wholeConstant = (name, values) =>
  message(
    5,
    integers(1, [values.length]),
    integer(2, INT64),
    text(8, name),
    bytes(9, new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer)),
  );
const valueInfo = (field, name, type, shape) =>
  message(
    field,
    text(1, name),
    message(2, message(1, integer(1, type), message(2, ...shape.map((size) => message(1, integer(1, size)))))),
  );

/** How each op is written: ONNX's name, its attributes, which inputs are constants, and further constants. */
const plain = (type) => () => ({ type });
const NODES = {
  matmul: ({ transposeA, transposeB }) => (transposeA || transposeB ? null : { type: 'MatMul' }),
  linear: () => ({ type: 'Gemm', attributes: [whole('transB', 1)], fixed: [1, 2] }),
  softmax: () => ({ type: 'Softmax', attributes: [whole('axis', -1)] }),
  logSoftmax: () => ({ type: 'LogSoftmax', attributes: [whole('axis', -1)] }),
  layerNorm: ({ eps }) => ({ type: 'LayerNormalization', attributes: [real('epsilon', eps)], fixed: [1, 2] }),
  gelu: plain('Gelu'),
  geluTanh: () => ({ type: 'Gelu', attributes: [word('approximate', 'tanh')] }),
  gather: () => ({ type: 'Gather', fixed: [0] }),
  permute: ({ axes }) => ({ type: 'Transpose', attributes: [wholes('perm', axes)] }),
  concat: ({ axis }) => ({ type: 'Concat', attributes: [whole('axis', axis)] }),
  expand: ({ shape }) => ({ type: 'Expand', more: [['shape', shape]] }),
  slice: ({ axis, start, end }) => ({
    type: 'Slice',
    more: [
      ['starts', [start]],
      ['ends', [end]],
      ['axes', [axis]],
    ],
  }),
  sum: ({ axes, keepDims }) => ({
    type: 'ReduceSum',
    attributes: [whole('keepdims', Number(keepDims))],
    more: [['axes', axes]],
  }),
  mean: ({ axes, keepDims }) => ({
    type: 'ReduceMean',
    attributes: [whole('keepdims', Number(keepDims))],
    more: [['axes', axes]],
  }),
  max: ({ axes, keepDims }) => ({
    type: 'ReduceMax',
    attributes: [whole('keepdims', Number(keepDims))],
    more: [['axes', axes]],
  }),
  min: ({ axes, keepDims }) => ({
    type: 'ReduceMin',
    attributes: [whole('keepdims', Number(keepDims))],
    more: [['axes', axes]],
  }),
  neg: plain('Neg'),
  abs: plain('Abs'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  erf: plain('Erf'),
  reciprocal: plain('Reciprocal'),
  tanh: plain('Tanh'),
  sigmoid: plain('Sigmoid'),
  relu: plain('Relu'),
  add: plain('Add'),
  sub: plain('Sub'),
  mul: plain('Mul'),
  div: plain('Div'),
  maximum: plain('Max'),
  minimum: plain('Min'),
};

/** A model of one node (onnx.proto: ModelProto, GraphProto, NodeProto). */
function modelOf({ type, attributes = [], fixed = [], more = [] }, { inputs, outShape }) {
  const names = inputs.map((_, i) => `x${i}`);
  const node = message(
    1,
    ...[...names, ...more.map(([name]) => name)].map((name) => text(1, name)),
    text(2, 'y'),
    text(4, type),
    ...attributes,
  );
  const constants = fixed.map((i) => constant(names[i], inputs[i].shape, inputs[i].data));
  const fed = inputs.flatMap(({ shape, data }, i) =>
    fixed.includes(i) ? [] : [valueInfo(11, names[i], typeOf(data), shape)],
  );
  const graph = message(
    7,
    node,
    text(2, 'bench'),
    ...constants,
    ...more.map(([name, values]) => wholeConstant(name, values)),
    ...fed,
    valueInfo(12, 'y', FLOAT, outShape),
  );
  return joined([integer(1, 9), graph, message(8, integer(2, OPSET))].flat());
}

async function prepare(ort, threads, c, data) {
  if (c.direction !== 'forward') return 'computes no gradients';
  const node = NODES[c.op.name]?.(c.sample.attrs) ?? null;
  if (node === null) return 'has no such op, or it was not written down';
  const session = await ort.InferenceSession.create(modelOf(node, data), {
    intraOpNumThreads: threads,
    executionProviders: ['cpu'],
  });
  const fixed = node.fixed ?? [];
  const feeds = Object.fromEntries(
    data.inputs.flatMap(({ shape, data: values }, i) =>
      fixed.includes(i)
        ? []
        : [[`x${i}`, new ort.Tensor(values instanceof Int32Array ? 'int32' : 'float32', plainValues(values), shape)]],
    ),
  );
  return {
    run: async (times) => {
      for (let i = 0; i < times; i++) await session.run(feeds);
    },
    results: async () => [(await session.run(feeds)).y.data],
    free: () => session.release(),
  };
}

export async function open({ threads }) {
  const ort = load('onnxruntime-node');
  const version = versionOf('onnxruntime-node');
  return [
    {
      name: 'onnxruntime',
      runsOn: `onnxruntime-node ${version}, ${threads} threads`,
      threads,
      backend: null,
      prepare: (c, data) => prepare(ort, threads, c, data),
      close: () => undefined,
    },
  ];
}

/** The encoder that ours exports; see onnxruntime_model.mjs. */
export async function openModel({ threads, work }) {
  if (work.kind === 'train') return 'computes no gradients';
  const program = fileURLToPath(new URL('onnxruntime_model.mjs', import.meta.url));
  const child = await startChild(process.execPath, [program, `${threads}`, JSON.stringify(work)]);
  const runsOn = `onnxruntime-node ${child.hello.version}, ${threads} threads`;
  return { name: 'onnxruntime', runsOn, threads, child };
}

import { bytes, float, integer, integers, message, type Proto, text } from './protobuf.js';

/**
 * ONNX models as bytes. Field numbers are those of onnx/onnx.proto3, version 1.20; only what an encoder needs is here:
 * float32 and int64, no graphs within graphs.
 */

/** A value of an attribute: a whole number, a list of them, or a float. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** What goes in or comes out; a size with a name may differ from call to call. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: 'f32' | 'i64';
  readonly shape: readonly (number | string)[];
}

/** A constant. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface OnnxModel {
  readonly name: string;
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** The version of the format that came with opset 17 (onnx/docs/Versioning.md). */
const IR_VERSION = 8;
const TYPES = { f32: 1, i64: 7 } as const; // TensorProto.DataType
const [FLOAT, INT, INTS] = [1, 2, 7]; // AttributeProto.AttributeType

function attribute(name: string, value: OnnxAttribute): Proto {
  if (typeof value === 'number') return message(5, text(1, name), integer(3, value), integer(20, INT));
  if ('float' in value) return message(5, text(1, name), float(2, value.float), integer(20, FLOAT));
  return message(5, text(1, name), integers(8, value), integer(20, INTS));
}

const node = ({ op, inputs, output, attributes = {} }: OnnxNode): Proto =>
  message(
    1,
    ...inputs.map((name) => text(1, name)),
    text(2, output),
    text(3, output),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  );

function constant({ name, shape, data }: OnnxTensor): Proto {
  const dtype = data instanceof Float32Array ? 'f32' : 'i64';
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message(5, integers(1, shape), integer(2, TYPES[dtype]), text(8, name), bytes(9, raw));
}

const size = (value: number | string): Proto =>
  message(1, typeof value === 'number' ? integer(1, value) : text(2, value));

const value = (field: number, { name, dtype, shape }: OnnxValue): Proto =>
  message(field, text(1, name), message(2, message(1, integer(1, TYPES[dtype]), message(2, ...shape.map(size)))));

/** The bytes of a model, piece by piece: weights are not copied. Protocol buffers end at 2 GiB. */
export function onnxChunks(model: OnnxModel): Proto {
  const graph = message(
    7,
    ...model.nodes.map(node),
    text(2, model.name),
    ...model.constants.map(constant),
    ...model.inputs.map((input) => value(11, input)),
    ...model.outputs.map((output) => value(12, output)),
  );
  return [
    ...integer(1, IR_VERSION),
    ...text(2, 'bertgrad'),
    ...graph,
    ...message(8, text(1, ''), integer(2, model.opset)),
  ];
}

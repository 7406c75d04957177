/**
 * Protocol buffers by hand: a message is fields, a field a key and a value (protobuf.dev/programming-guides/encoding).
 * Event files of TensorBoard, ONNX models and TensorFlow's checkpoints are made of them.
 */

/** Wire types: how a field's value is laid out. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const encoder = new TextEncoder();

/** Pieces of a message in order; large ones are not copied until they are written. */
export type Proto = readonly Uint8Array[];

export const joined = (parts: Proto): Uint8Array => Buffer.concat(parts);
const lengthOf = (parts: Proto): number => parts.reduce((sum, part) => sum + part.length, 0);

/** Seven bits a byte, lowest first; a negative number as the 64 bits of its complement. */
function varint(value: number): Uint8Array {
  if (value < 0) return bigVarint(BigInt.asUintN(64, BigInt(value)));
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

function bigVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return Uint8Array.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

const key = (field: number, wire: number): Uint8Array => varint(field * 8 + wire);

/** A whole number of either sign. */
export const integer = (field: number, value: number): Proto => [key(field, VARINT), varint(value)];
export const bytes = (field: number, value: Uint8Array): Proto => [key(field, BYTES), varint(value.length), value];
export const text = (field: number, value: string): Proto => bytes(field, encoder.encode(value));
export const message = (field: number, ...fields: readonly Proto[]): Proto => {
  const parts = fields.flat();
  return [key(field, BYTES), varint(lengthOf(parts)), ...parts];
};
/** A repeated number, packed. */
export const integers = (field: number, values: readonly number[]): Proto => bytes(field, joined(values.map(varint)));
export const float = (field: number, value: number): Proto => [
  key(field, FIXED32),
  new Uint8Array(Float32Array.of(value).buffer),
];
export const double = (field: number, value: number): Proto => [
  key(field, FIXED64),
  new Uint8Array(Float64Array.of(value).buffer),
];

/** A field as read: numbers of 64 bits above 2^53 are refused. */
export interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

class Reader {
  private at = 0;
  constructor(private readonly data: Uint8Array) {}

  get done(): boolean {
    return this.at >= this.data.length;
  }

  varint(): number {
    const [value, end] = readVarint(this.data, this.at);
    this.at = end;
    return value;
  }

  take(length: number): Uint8Array {
    if (length > this.data.length - this.at) fail('a field beyond the end');
    this.at += length;
    return this.data.subarray(this.at - length, this.at);
  }

  field(): Field {
    const tag = this.varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === VARINT) return { number, value: this.varint() };
    if (wire === BYTES) return { number, value: this.take(this.varint()) };
    if (wire === FIXED32) return { number, value: this.take(4) };
    return wire === FIXED64 ? { number, value: this.take(8) } : fail(`wire type ${wire}`);
  }
}

function fail(what: string): never {
  throw new RangeError(`no message of protocol buffers: ${what}`);
}

/** The fields of a message. @throws {RangeError} it is none */
export function readFields(data: Uint8Array): Field[] {
  const reader = new Reader(data);
  const fields: Field[] = [];
  while (!reader.done) fields.push(reader.field());
  return fields;
}

/** A number at the start of `data`, and where it ends. @throws {RangeError} there is none */
export function readVarint(data: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    if (at + i >= data.length) fail('a number beyond the end');
    const byte = data[at + i];
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return Number.isSafeInteger(value) ? [value, at + i + 1] : fail('a number above 2^53');
  }
  return fail('a number without an end');
}

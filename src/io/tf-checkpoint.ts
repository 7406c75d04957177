import { open } from 'node:fs/promises';
import { CheckpointError } from '../core/errors.js';
import { maskedCrc32c } from './crc32c.js';
import { readFully } from './files.js';
import { type Field, readFields, readVarint } from './protobuf.js';
import type { Safetensors, StoredTensor } from './safetensors.js';
import { systemError } from './system-errors.js';

/** Last bytes of a table (tensorflow/core/lib/io/format.h, kTableMagicNumber), and its footer: two places, padded. */
const MAGIC = 0xdb4775248b80fb57n;
const FOOTER = 48;
/** A block ends with its kind of compression and a checksum. */
const TRAILER = 5;
const LARGEST_INDEX = 64e6;
const MOST_SHARDS = 10_000;
/** tensorflow/core/framework/types.proto */
const FLOAT = 1;

/** A tensor of the index (tensorflow/core/protobuf/tensor_bundle.proto, BundleEntryProto). */
interface Entry {
  readonly name: string;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  /** Masked CRC-32C of its bytes; null: the index has none. */
  readonly crc: number | null;
}

function bad(path: string, what: string): never {
  throw new CheckpointError(`${path}: ${what}`, {
    code: 'MODEL-TENSORFLOW',
    where: path,
    fix: "fetch it again; what is read is google-research/bert's form: bert_model.ckpt.index and .data-00000-of-00001",
  });
}

/** Keys and values of a block: each key without what it shares with the one before, which is counted. */
function* records(block: Uint8Array): Generator<[key: string, value: Uint8Array]> {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const restarts = block.length < 4 ? Number.POSITIVE_INFINITY : view.getUint32(block.length - 4, true);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw new RangeError('a block is damaged');
  let key = Buffer.alloc(0);
  for (let at = 0; at < end; ) {
    const numbers: number[] = [];
    for (let i = 0; i < 3; i++) {
      const [value, next] = readVarint(block, at);
      numbers.push(value);
      at = next;
    }
    const [shared, own, length] = numbers;
    if (shared > key.length || at + own + length > end) throw new RangeError('a record is damaged');
    key = Buffer.concat([key.subarray(0, shared), block.subarray(at, at + own)]);
    yield [key.toString('utf8'), block.subarray(at + own, at + own + length)];
    at += own + length;
  }
}

function blockAt(file: Uint8Array, offset: number, size: number): Uint8Array {
  if (offset + size + TRAILER > file.length) throw new RangeError('a block lies beyond the end');
  if (file[offset + size] !== 0) throw new RangeError('its blocks are compressed, which tf.train.Saver never does');
  return file.subarray(offset, offset + size);
}

/** A place in a file: offset and size, as two numbers. */
function place(data: Uint8Array, at: number): [offset: number, size: number, end: number] {
  const [offset, middle] = readVarint(data, at);
  const [size, end] = readVarint(data, middle);
  return [offset, size, end];
}

const numberOf = (fields: readonly Field[], wanted: number): number => {
  const value = fields.find(({ number }) => number === wanted)?.value ?? 0;
  return typeof value === 'number' ? value : 0;
};
const bytesOf = (fields: readonly Field[], wanted: number): Uint8Array[] =>
  fields.flatMap(({ number, value }) => (number === wanted && typeof value !== 'number' ? [value] : []));

function entryOf(name: string, value: Uint8Array): Entry {
  const fields = readFields(value);
  const [crc] = bytesOf(fields, 6);
  const dims = bytesOf(fields, 2).flatMap((shape) => bytesOf(readFields(shape), 2));
  return {
    name,
    dtype: numberOf(fields, 1),
    shape: dims.map((dim) => numberOf(readFields(dim), 1)),
    shard: numberOf(fields, 3),
    offset: numberOf(fields, 4),
    size: numberOf(fields, 5),
    crc: crc === undefined ? null : new DataView(crc.buffer, crc.byteOffset).getUint32(0, true),
  };
}

/** All tensors of an index, and the number of files that hold their values. */
function readIndex(file: Uint8Array): { entries: Entry[]; shards: number } {
  const footer = file.subarray(-FOOTER);
  const view = new DataView(footer.buffer, footer.byteOffset, footer.byteLength);
  if (footer.length < FOOTER || view.getBigUint64(FOOTER - 8, true) !== MAGIC) throw new RangeError('it is no table');
  const [, , indexAt] = place(footer, 0);
  const [offset, size] = place(footer, indexAt);
  const entries: Entry[] = [];
  let shards = 1;
  for (const [, pointer] of records(blockAt(file, offset, size))) {
    const [at, length] = place(pointer, 0);
    for (const [name, value] of records(blockAt(file, at, length))) {
      if (name === '')
        shards = numberOf(readFields(value), 1); // BundleHeaderProto
      else entries.push(entryOf(name, value));
    }
  }
  return { entries, shards };
}

/** Optimizer moments and counters: they are told of, and not read. */
const isBookkeeping = (name: string): boolean => /(^global_step$|\/adam_[mv]$|_power$|^_CHECKPOINTABLE)/.test(name);

async function readShard(path: string, entries: readonly Entry[], tensors: Map<string, StoredTensor>): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    if (entries.reduce((sum, entry) => sum + entry.size, 0) > size) bad(path, 'is cut short');
    for (const { name, shape, offset, size: length, crc } of entries) {
      const count = shape.reduce((product, n) => product * n, 1);
      if (count * 4 !== length || offset + length > size) bad(path, `the values of "${name}" are not in the file`);
      const bytes = new Uint8Array(length);
      await readFully(handle, path, offset, bytes);
      if (crc !== null && crc !== maskedCrc32c(bytes))
        bad(path, `the values of "${name}" are damaged (another checksum)`);
      tensors.set(name, { dtype: 'F32', shape, data: new Float32Array(bytes.buffer) });
    }
  } finally {
    await handle.close();
  }
}

async function readBundle(path: string): Promise<Safetensors> {
  const handle = await open(path, 'r');
  let file: Uint8Array;
  try {
    const { size } = await handle.stat();
    if (size > LARGEST_INDEX) bad(path, `an index of ${size} bytes`);
    file = new Uint8Array(size);
    await readFully(handle, path, 0, file);
  } finally {
    await handle.close();
  }
  const { entries, shards } = readIndex(file);
  if (shards > MOST_SHARDS) bad(path, `values in ${shards} files`);
  const skipped = new Map<string, string>();
  for (const { name, dtype } of entries) {
    if (isBookkeeping(name)) skipped.set(name, 'this belongs to the optimizer');
    else if (dtype !== FLOAT) skipped.set(name, 'this is not of float32');
  }
  const tensors = new Map<string, StoredTensor>();
  const number = (n: number): string => `${n}`.padStart(5, '0');
  for (let shard = 0; shard < shards; shard++) {
    const wanted = entries.filter((entry) => entry.shard === shard && !skipped.has(entry.name));
    const data = `${path.replace(/\.index$/, '')}.data-${number(shard)}-of-${number(shards)}`;
    if (wanted.length > 0) await readShard(data, wanted, tensors);
  }
  return { tensors, skipped, metadata: {} };
}

/**
 * Reads a checkpoint of TensorFlow without TensorFlow: a sorted table of names (`.index`), and the values (`.data-…`).
 * @param path of the `.index` file
 * @returns tensors under the names of their variables
 * @throws {CheckpointError} damaged, or of another form; {InputError} missing or unreadable
 */
export async function readTensorflowCheckpoint(path: string): Promise<Safetensors> {
  try {
    return await readBundle(path);
  } catch (error) {
    if (error instanceof RangeError) bad(path, error.message);
    throw systemError(error, path, 'read');
  }
}

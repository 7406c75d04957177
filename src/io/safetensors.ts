import { type FileHandle, open } from 'node:fs/promises';
import { type Disk, disk, readFully, writeFileAtomic } from './files.js';
import {
  badFile,
  DTYPE_BYTES,
  type Header,
  LONGEST_HEADER,
  parseHeader,
  type StoredDtype,
} from './safetensors-header.js';
import { widen } from './safetensors-values.js';
import { systemError } from './system-errors.js';

/** A tensor's values outside the engine: row-major. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** A tensor as read: floats of any width become float32, integers int32. */
export interface StoredTensor extends TensorData {
  /** As it is in the file. */
  readonly dtype: StoredDtype;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Well-formed tensors with no place in float32 or int32, and why: 8-bit floats, integers of 2^31 and more. */
  readonly skipped: ReadonlyMap<string, string>;
}

const CONVERT =
  'pickles can run code and are not read; in Python: AutoModel.from_pretrained(it).save_pretrained(folder)';
/** What people take for a file of tensors, by its first bytes. */
const STRANGERS: readonly (readonly [start: RegExp, what: string, fix: string])[] = [
  [/^version https:/, 'this is a Git LFS pointer, not the file itself', 'run: git lfs pull'],
  [/^\s*<[!?a-z]/i, 'this is a web page or XML', 'the download went wrong: fetch the file itself, not its page'],
  [/^PK/, 'this is a ZIP archive, probably a PyTorch .bin', CONVERT],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the first bytes of binary formats
  [/^\x80[\x02-\x05]/, 'this is a Python pickle', CONVERT],
  [/^\x89HDF/, 'this is an HDF5 file of Keras', CONVERT],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the first bytes of binary formats
  [/^\x1f\x8b/, 'this is a gzip archive', 'unpack it first: gunzip'],
];

/** Says what a file is that has no sensible header, if its first bytes tell. */
function refuseStranger(path: string, start: Uint8Array): void {
  const ascii = String.fromCharCode(...start);
  for (const [pattern, what, fix] of STRANGERS) if (pattern.test(ascii)) badFile(path, 'KIND', what, '', fix);
}

/** Reads the length and the header. Nothing is allocated on the file's word alone. */
async function readHeader(handle: FileHandle, path: string): Promise<Header & { readonly dataStart: number }> {
  const { size } = await handle.stat();
  const start = new Uint8Array(Math.min(size, 32));
  await readFully(handle, path, 0, start);
  const length = size < 8 ? 0n : new DataView(start.buffer).getBigUint64(0, true);
  const room = BigInt(Math.max(0, size - 8));
  if (length === 0n || length > room || start[8] !== 0x7b) refuseStranger(path, start);
  if (size < 8) badFile(path, 'LENGTH', `${size} bytes are too few for a file of tensors`);
  if (length > room) badFile(path, 'LENGTH', `a header of ${length} bytes in a file of ${size}`);
  if (length > LONGEST_HEADER) badFile(path, 'LIMIT', `a header of ${length} bytes is longer than ${LONGEST_HEADER}`);
  const header = new Uint8Array(Number(length));
  await readFully(handle, path, 8, header);
  const dataStart = 8 + header.length;
  return { ...parseHeader(path, header, size - dataStart), dataStart };
}

async function readAll(handle: FileHandle, path: string): Promise<Safetensors> {
  const { entries, metadata, dataStart } = await readHeader(handle, path);
  const tensors = new Map<string, StoredTensor>();
  const skipped = new Map<string, string>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const bytes = new Uint8Array(end - begin);
    await readFully(handle, path, dataStart + begin, bytes);
    const data = widen(dtype, bytes);
    if (typeof data === 'string') skipped.set(name, data);
    else tensors.set(name, { dtype, shape, data });
  }
  return { tensors, metadata, skipped };
}

/**
 * Reads a file of tensors, each into memory of its own, so that a file may be larger than 2 GiB.
 * @throws {CheckpointError} the file breaks a rule of the format: which tensor, which rule
 * @throws {InputError} missing or unreadable
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  try {
    const handle = await open(path, 'r');
    return await readAll(handle, path).finally(() => handle.close());
  } catch (error) {
    throw systemError(error, path, 'read');
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: TensorData['data']): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The bytes of a file of tensors, piece by piece: 8 bytes length, header padded to 8, each tensor's data in order. */
export function* safetensorsChunks(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  let at = 0;
  const entries = Array.from(tensors, ([name, { shape, data }]): [string, object] => {
    const dtype: StoredDtype = data instanceof Float32Array ? 'F32' : 'I32';
    const size = shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);
    if (size !== data.byteLength) throw new Error(`tensor "${name}": ${data.length} values for shape [${shape}]`);
    at += size;
    return [name, { dtype, shape, data_offsets: [at - size, at] }];
  });
  const head = Object.keys(metadata).length > 0 ? [['__metadata__', metadata] as [string, object]] : [];
  const json = `{${[...head, ...entries].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20); // spaces may follow the JSON
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  yield header;
  for (const { data } of tensors.values()) yield bytesOf(data);
}

/**
 * Writes float32 and int32 tensors in the order given. transformers wants `{ format: 'pt' }` as metadata.
 * @throws {IoError} a full disk; {OutputError} no such folder: an older file of that name stays as it was
 */
export const writeSafetensors = (
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
  on: Disk = disk,
): Promise<void> => writeFileAtomic(path, safetensorsChunks(tensors, metadata), on);

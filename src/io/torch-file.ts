import { type FileHandle, open } from 'node:fs/promises';
import { CheckpointError } from '../core/errors.js';
import { readFully } from './files.js';
import { type Pickled, PickledCall, PickledName, PickledReference, PickleError, readPickle } from './pickle.js';
import type { Safetensors, StoredTensor } from './safetensors.js';
import { DTYPE_BYTES, type StoredDtype } from './safetensors-header.js';
import { widen } from './safetensors-values.js';
import { systemError } from './system-errors.js';
import { ZipError, zipEntries } from './zip.js';

/** Element types by the name of torch's class of storage. */
const STORAGES: Readonly<Record<string, StoredDtype>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** A pickle of a BERT has 200 tensors in 40 kB. */
const LARGEST_PICKLE = 64e6;
/** Tied weights are stored once and named twice; a thousand names for one storage are an attack on the memory. */
const MOST_SHARED = 4;
const FIX = 'fetch it again, or save it as safetensors: save_pretrained(folder, safe_serialization=True)';

function bad(path: string, what: string): never {
  throw new CheckpointError(`${path}: ${what}`, { code: 'MODEL-TORCH', where: path, fix: FIX });
}

/** Where a storage's bytes lie. */
interface Place {
  readonly offset: number;
  readonly size: number;
}

/** A file of torch.save: its object, and where its storages lie, by their keys. */
interface Opened {
  readonly root: Pickled;
  readonly places: ReadonlyMap<string, Place>;
}

/** A view of a storage, as `torch._utils._rebuild_tensor_v2` would make it. */
interface View {
  readonly dtype: StoredDtype;
  readonly key: string;
  /** Elements from the start of the storage; sizes and steps of each axis in elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

const isCount = (value: Pickled | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: Pickled | undefined): value is number[] => Array.isArray(value) && value.every(isCount);

/** What a pickled value says of a tensor; null for anything else. */
function viewOf(value: Pickled): View | null {
  if (!(value instanceof PickledCall) || !(value.callee instanceof PickledName) || !Array.isArray(value.args))
    return null;
  const [first, offset, shape, strides] = value.args;
  if (value.callee.name === 'torch._utils._rebuild_parameter') return viewOf(first);
  if (value.callee.name !== 'torch._utils._rebuild_tensor_v2' || !(first instanceof PickledReference)) return null;
  if (!Array.isArray(first.id) || !isCount(offset) || !isCounts(shape) || !isCounts(strides)) return null;
  const [, storage, key, , , part] = first.id;
  const dtype = storage instanceof PickledName ? STORAGES[storage.name.replace(/^torch\.(cuda\.)?/, '')] : undefined;
  if (dtype === undefined || typeof key !== 'string' || strides.length !== shape.length) return null;
  const shift = Array.isArray(part) && isCount(part[1]) ? part[1] : 0; // a storage that is part of another one
  return { dtype, key, offset: offset + shift, shape, strides };
}

async function openZip(handle: FileHandle, path: string, size: number): Promise<Opened> {
  const entries = await zipEntries(handle, path, size);
  const pickle = entries.find(({ name }) => /(^|\/)data\.pkl$/.test(name));
  if (pickle === undefined) return bad(path, 'is an archive without data.pkl, so no file of torch.save');
  if (pickle.size > LARGEST_PICKLE) bad(path, `a pickle of ${pickle.size} bytes`);
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  const order = entries.find(({ name }) => name === `${folder}byteorder`);
  if (order !== undefined && (await bytesAt(handle, path, order)).toString() !== 'little') bad(path, 'is big-endian');
  const data = entries.filter(({ name }) => name.startsWith(`${folder}data/`));
  const places = new Map(data.map(({ name, ...place }) => [name.slice(folder.length + 5), place]));
  return { root: readPickle(await bytesAt(handle, path, pickle)).value, places };
}

async function bytesAt(handle: FileHandle, path: string, { offset, size }: Place): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  await readFully(handle, path, offset, bytes);
  return bytes;
}

/** First pickle of a file of torch before 1.6 (torch/serialization.py, MAGIC_NUMBER). */
const MAGIC = 0x1950a86a20f9469cfc6cn;

/** Four pickles (magic, protocol, machine, object), the keys of the storages, then each as a count and its values. */
async function openLegacy(handle: FileHandle, path: string, size: number): Promise<Opened> {
  const head = await bytesAt(handle, path, { offset: 0, size: Math.min(size, LARGEST_PICKLE) });
  const pickles: Pickled[] = [];
  let at = 0;
  for (let i = 0; i < 5; i++) {
    const { value, end } = readPickle(head, at);
    if (i === 0 && value !== MAGIC) bad(path, 'is a pickle, but none of torch.save');
    pickles.push(value);
    at = end;
  }
  const [, , machine, root, keys] = pickles;
  if (machine instanceof Map && machine.get('little_endian') === false) bad(path, 'is big-endian');
  const bytes = elementBytes(root);
  const places = new Map<string, Place>();
  for (const key of Array.isArray(keys) ? keys : []) {
    const count = (
      await bytesAt(handle, path, { offset: at, size: at + 8 <= size ? 8 : bad(path, 'is cut short') })
    ).readBigInt64LE();
    const length = Number(count) * (bytes.get(String(key)) ?? Number.NaN);
    if (!(length >= 0 && at + 8 + length <= size)) bad(path, 'is cut short');
    places.set(String(key), { offset: at + 8, size: length });
    at += 8 + length;
  }
  return { root, places };
}

/** Bytes of an element of each storage: the old form tells elements alone. */
function elementBytes(root: Pickled): Map<string, number> {
  const found = new Map<string, number>();
  for (const value of stateOf(root).values()) {
    const view = viewOf(value);
    if (view !== null) found.set(view.key, DTYPE_BYTES[view.dtype]);
  }
  return found;
}

/** The dictionary of tensors: the object itself, or what a training script put under "state_dict" or "model". */
function stateOf(root: Pickled): Map<Pickled, Pickled> {
  if (!(root instanceof Map)) return new Map();
  for (const key of ['state_dict', 'model_state_dict', 'model']) {
    const inner = root.get(key);
    if (inner instanceof Map) return inner;
  }
  return root;
}

const isContiguous = ({ shape, strides }: View): boolean => {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
};

/** Elements in row-major order, whatever order they are stored in. */
function inOrder(
  values: Float32Array | Int32Array,
  { shape, strides }: View,
  count: number,
): Float32Array | Int32Array {
  const out = values instanceof Float32Array ? new Float32Array(count) : new Int32Array(count);
  const index = shape.map(() => 0);
  for (let i = 0, at = 0; i < count; i++) {
    out[i] = values[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

async function readView(
  handle: FileHandle,
  path: string,
  name: string,
  view: View,
  place: Place | undefined,
): Promise<StoredTensor | string> {
  const { dtype, shape, strides, offset } = view;
  const unit = DTYPE_BYTES[dtype];
  const count = shape.reduce((product, n) => product * n, 1);
  const reach = count === 0 ? 0 : shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis], 1);
  if (place === undefined || (offset + reach) * unit > place.size || count > place.size / unit)
    return bad(path, `the values of "${name}" are not in the file`);
  const bytes = new Uint8Array(reach * unit);
  await readFully(handle, path, place.offset + offset * unit, bytes);
  const values = widen(dtype, bytes);
  if (typeof values === 'string') return values;
  return { dtype, shape, data: isContiguous(view) ? values : inOrder(values, view, count) };
}

async function readAll(handle: FileHandle, path: string): Promise<Safetensors> {
  const { size } = await handle.stat();
  const start = await bytesAt(handle, path, { offset: 0, size: Math.min(size, 2) });
  const opened =
    start.toString('latin1') === 'PK' ? await openZip(handle, path, size) : await openLegacy(handle, path, size);
  const tensors = new Map<string, StoredTensor>();
  const skipped = new Map<string, string>();
  let bytes = 0;
  for (const [key, value] of stateOf(opened.root)) {
    const name = String(key);
    const view = viewOf(value);
    bytes += view === null ? 0 : view.shape.reduce((product, n) => product * n, DTYPE_BYTES[view.dtype]);
    if (bytes > MOST_SHARED * size) bad(path, 'its tensors together are much larger than the file');
    const read =
      view === null ? 'this is no tensor' : await readView(handle, path, name, view, opened.places.get(view.key));
    if (typeof read === 'string') skipped.set(name, read);
    else tensors.set(name, read);
  }
  if (tensors.size === 0) bad(path, 'holds no dictionary of tensors; a whole model that was pickled cannot be read');
  return { tensors, skipped, metadata: {} };
}

/**
 * Reads a `pytorch_model.bin` without running anything of it: the pickle is taken as data, and only calls that rebuild a
 * tensor from a storage are understood. Both forms of torch.save are read, of 1.6 and later and of before.
 * @throws {CheckpointError} damaged, or no dictionary of tensors; {InputError} missing or unreadable
 */
export async function readTorchFile(path: string): Promise<Safetensors> {
  try {
    const handle = await open(path, 'r');
    return await readAll(handle, path).finally(() => handle.close());
  } catch (error) {
    if (error instanceof PickleError) bad(path, `its pickle cannot be read: ${error.message}`);
    if (error instanceof ZipError) bad(path, `its archive cannot be read: ${error.message}`);
    throw systemError(error, path, 'read');
  }
}

import { CheckpointError } from '../core/errors.js';
import { isObject, type Json, type JsonObject, parseJson } from './json.js';

/** Bytes of an element, by the format's own names (safetensors/src/tensor.rs, Dtype). */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;
export type StoredDtype = keyof typeof DTYPE_BYTES;

/** Where a tensor lies; offsets count from the end of the header. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In the order of their data. */
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference stops at 100 MB; BERT-large needs 45 kB. */
export const LONGEST_HEADER = 25e6;
const MOST_TENSORS = 100_000;
const FIELDS = ['dtype', 'shape', 'data_offsets'];
const FIX = 'the file is damaged or was made by a faulty program; fetch it again and compare its SHA-256';

/** @throws {CheckpointError} always: what is wrong with a file of tensors, and where */
export function badFile(path: string, code: string, what: string, detail = '', fix = FIX): never {
  throw new CheckpointError(`${path}: ${what}`, {
    code: `SAFETENSORS-${code}`,
    where: detail === '' ? path : `${path}, ${detail}`,
    fix,
  });
}

const isCount = (value: Json | undefined): value is number => typeof value === 'number';
const isCounts = (value: Json | undefined): value is number[] => Array.isArray(value) && value.every(isCount);
const list = (values: readonly number[]): string => `[${values.join(', ')}]`;
const quote = (name: string): string => JSON.stringify(name.length <= 120 ? name : `${name.slice(0, 120)}...`);

/** Elements of a shape, or null above 2^53. */
function elements(shape: readonly number[]): number | null {
  let product = 1;
  for (const size of shape) {
    product *= size;
    if (product > Number.MAX_SAFE_INTEGER) return null;
  }
  return product;
}

function readEntry(path: string, name: string, value: Json): HeaderEntry {
  const tensor = `tensor ${quote(name)}`;
  if (!isObject(value)) return badFile(path, 'FIELDS', `${tensor} must be an object with ${FIELDS.join(', ')}`);
  const { dtype, shape, data_offsets: offsets } = value;
  const odd = [
    ...FIELDS.filter((key) => !(key in value)),
    ...Object.keys(value).filter((key) => !FIELDS.includes(key)),
  ];
  if (odd.length > 0) badFile(path, 'FIELDS', `${tensor} must have ${FIELDS.join(', ')} and no more`, quote(odd[0]));
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BYTES, dtype)) {
    const known = Object.keys(DTYPE_BYTES).join(' ');
    return badFile(path, 'DTYPE', `${tensor} has the unknown dtype ${quote(JSON.stringify(dtype))}`, `known: ${known}`);
  }
  if (!isCounts(shape)) return badFile(path, 'SHAPE', `the shape of ${tensor} must be a list of counts`);
  if (!isCounts(offsets) || offsets.length !== 2)
    return badFile(path, 'OFFSETS', `data_offsets of ${tensor} must be two counts`);
  const [begin, end] = offsets;
  if (begin > end) badFile(path, 'OFFSETS', `${tensor} ends before it begins`, `data_offsets ${list(offsets)}`);
  const count = elements(shape);
  const bytes = count === null ? null : count * DTYPE_BYTES[dtype as StoredDtype];
  if (bytes !== end - begin) {
    const wanted = `${dtype} ${list(shape)} takes ${bytes ?? 'more than 2^53'} bytes, data_offsets ${list(offsets)} give ${end - begin}`;
    badFile(path, 'SIZE', `shape and bytes of ${tensor} disagree`, wanted);
  }
  return { name, dtype: dtype as StoredDtype, shape, begin, end };
}

/** The tensors must lie end to end, from the first byte of data to the last. */
function checkCover(path: string, entries: readonly HeaderEntry[], dataBytes: number): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    const where = `data_offsets [${begin}, ${end}], the one before ends at ${at}`;
    if (begin < at) badFile(path, 'OVERLAP', `tensor ${quote(name)} overlaps another tensor`, where);
    if (begin > at) badFile(path, 'HOLE', `there is a hole before tensor ${quote(name)}`, where);
    at = end;
  }
  if (at === dataBytes) return;
  const what = at > dataBytes ? 'the file is cut short' : 'bytes follow the last tensor';
  badFile(path, 'LENGTH', what, `the header describes ${at} bytes of data, the file has ${dataBytes}`);
}

function readMetadata(path: string, value: Json | undefined): Record<string, string> {
  if (value === undefined) return {};
  if (isObject(value)) {
    const strings = Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
    if (strings.length === Object.keys(value).length) return Object.fromEntries(strings);
  }
  return badFile(path, 'METADATA', '__metadata__ must be an object of strings');
}

function parseText(path: string, bytes: Uint8Array): JsonObject {
  let root: Json;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.startsWith('{')) badFile(path, 'HEADER', 'the header must begin with "{"');
    root = parseJson(text, { depth: 3, values: 12 * MOST_TENSORS, countsOnly: true });
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    const what = error instanceof Error && !('code' in error) ? error.message : 'it is not UTF-8';
    return badFile(path, 'HEADER', `the header cannot be read: ${what}`);
  }
  return isObject(root) ? root : badFile(path, 'HEADER', 'the header must be an object');
}

/**
 * Reads and checks a header. Believes nothing in it: offsets must cover the data without overlap or hole, sizes must
 * agree with shapes, numbers must be exact, names must be there once.
 * @param bytes the header alone, without the 8 bytes of its length
 * @param dataBytes bytes that follow it in the file
 * @throws {CheckpointError} with the tensor and the rule it breaks
 */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): Header {
  const { __metadata__: metadata, ...tensors } = parseText(path, bytes);
  const pairs = Object.entries(tensors);
  if (pairs.length > MOST_TENSORS) badFile(path, 'LIMIT', `${pairs.length} tensors are more than ${MOST_TENSORS}`);
  const entries = pairs
    .map(([name, value]) => readEntry(path, name, value))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(path, entries, dataBytes);
  return { entries, metadata: readMetadata(path, metadata) };
}

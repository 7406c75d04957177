import { createHash } from 'node:crypto';
import { DataError } from '../core/errors.js';

/**
 * A shard: 96 bytes of header, then, all little-endian, sentences per document (u32), tokens per sentence (u32), ids (u16
 * or u32), and a bit per token that begins a word.
 *
 *   0  "BGSHARD\0"   8  version   12  bytes per id   16  documents   20  sentences   24  tokens   28  zero
 *   32 SHA-256 of vocab.txt       64  SHA-256 of the header up to here and of all that follows it
 */
export const HEADER_BYTES = 96;
const HASHED_HEADER = 64;
const MAGIC = 'BGSHARD\0';
/** Raised by a change that older programs cannot read. */
export const SHARD_VERSION = 1;

/** What a shard holds. */
export interface ShardCounts {
  readonly documents: number;
  readonly sentences: number;
  readonly tokens: number;
}

/** The arrays of a shard. */
export interface ShardContent {
  /** [documents]: sentences of each. */
  readonly documentSizes: Uint32Array;
  /** [sentences]: tokens of each. */
  readonly sentenceSizes: Uint32Array;
  /** [tokens] */
  readonly ids: Uint16Array | Uint32Array;
  /** [ceil(tokens / 8)] */
  readonly wordStarts: Uint8Array;
}

/** Bytes of an id: two while the vocabulary allows it. */
export const idBytesFor = (vocabSize: number): 2 | 4 => (vocabSize <= 65_536 ? 2 : 4);

export const shardBytes = ({ documents, sentences, tokens }: ShardCounts, idBytes: number): number =>
  HEADER_BYTES + 4 * documents + 4 * sentences + idBytes * tokens + Math.ceil(tokens / 8);

const bytesOf = (array: Uint8Array | Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Header and arrays, in the order they are written, and the SHA-256 that stands in the header. */
export function encodeShard(content: ShardContent, vocabHash: string): { chunks: Uint8Array[]; sha256: string } {
  const { documentSizes, sentenceSizes, ids, wordStarts } = content;
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode(MAGIC));
  const numbers = [SHARD_VERSION, ids.BYTES_PER_ELEMENT, documentSizes.length, sentenceSizes.length, ids.length];
  numbers.forEach((value, i) => {
    view.setUint32(8 + 4 * i, value, true);
  });
  header.set(Buffer.from(vocabHash, 'hex'), 32);
  const payload = [documentSizes, sentenceSizes, ids, wordStarts].map(bytesOf);
  const hash = createHash('sha256').update(header.subarray(0, HASHED_HEADER));
  for (const part of payload) hash.update(part);
  const digest = hash.digest();
  header.set(digest, HASHED_HEADER);
  return { chunks: [header, ...payload], sha256: digest.toString('hex') };
}

/** What a manifest says of a shard. */
export interface ExpectedShard extends ShardCounts {
  readonly sha256: string;
}

const AGAIN = 'copy the folder again, or make the shards anew: bertgrad prepare';

/**
 * Reads a shard, and believes none of it before it has been compared with the manifest and its own SHA-256.
 * @param bytes the whole file, at the beginning of its buffer
 * @throws {DataError} DATA-SHARD-VERSION, DATA-SHARD-VOCAB, DATA-SHARD-SHORT, DATA-SHARD-DAMAGED
 */
export function decodeShard(
  bytes: Uint8Array<ArrayBuffer>,
  expected: ExpectedShard,
  vocab: { readonly hash: string; readonly idBytes: 2 | 4 },
  path: string,
): ShardContent {
  const fail = (code: string, what: string, fix = AGAIN): never => {
    throw new DataError(`${path}: ${what}`, { code, where: path, fix });
  };
  const header = new DataView(bytes.buffer, 0, Math.min(bytes.length, HEADER_BYTES));
  const wanted = shardBytes(expected, vocab.idBytes);
  if (bytes.length >= HEADER_BYTES && Buffer.from(bytes.subarray(0, 8)).toString('latin1') !== MAGIC)
    fail('DATA-SHARD-DAMAGED', 'is not a shard');
  const version = bytes.length >= 12 ? header.getUint32(8, true) : SHARD_VERSION;
  if (version !== SHARD_VERSION)
    fail('DATA-SHARD-VERSION', `shard version ${version}, but this program reads version ${SHARD_VERSION}`);
  if (bytes.length !== wanted) fail('DATA-SHARD-SHORT', `has ${bytes.length} bytes, ${wanted} were written`);
  const hash = createHash('sha256').update(bytes.subarray(0, HASHED_HEADER)).update(bytes.subarray(HEADER_BYTES));
  const stored = Buffer.from(bytes.subarray(HASHED_HEADER, HEADER_BYTES)).toString('hex');
  const made = Buffer.from(bytes.subarray(32, HASHED_HEADER)).toString('hex');
  if (hash.digest('hex') !== stored) fail('DATA-SHARD-DAMAGED', 'has changed since it was written (SHA-256)');
  if (made !== vocab.hash) {
    const what = `was made with vocabulary ${made.slice(0, 12)}, the others with ${vocab.hash.slice(0, 12)}`;
    fail('DATA-SHARD-VOCAB', what);
  }
  if (stored !== expected.sha256) fail('DATA-SHARD-DAMAGED', 'is a shard of another corpus');
  return arraysOf(bytes.buffer, expected, vocab.idBytes);
}

function arraysOf(buffer: ArrayBuffer, counts: ShardCounts, idBytes: 2 | 4): ShardContent {
  const { documents, sentences, tokens } = counts;
  const sentencesAt = HEADER_BYTES + 4 * documents;
  const idsAt = sentencesAt + 4 * sentences;
  const Ids = idBytes === 2 ? Uint16Array : Uint32Array;
  return {
    documentSizes: new Uint32Array(buffer, HEADER_BYTES, documents),
    sentenceSizes: new Uint32Array(buffer, sentencesAt, sentences),
    ids: new Ids(buffer, idsAt, tokens),
    wordStarts: new Uint8Array(buffer, idsAt + idBytes * tokens, Math.ceil(tokens / 8)),
  };
}

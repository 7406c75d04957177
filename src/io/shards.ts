import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, InputError } from '../core/errors.js';
import type { TokenCorpus } from '../core/token-corpus.js';
import { disk, readFully, readJsonFile, readTextFile } from './files.js';
import { isObject, type Json, type JsonObject } from './json.js';
import { decodeShard, type ExpectedShard, idBytesFor, type ShardContent, type ShardCounts } from './shards-format.js';
import { systemError } from './system-errors.js';

/** Names inside a folder of shards. */
export const SHARDS = { manifest: 'shards.json', vocab: 'vocab.txt', tokenizer: 'tokenizer_config.json' } as const;
/** Version of the layout of the folder. */
export const SHARDS_FORMAT = 1;

export interface ShardEntry extends ExpectedShard {
  readonly file: string;
}

/** The shards.json of a folder. */
export interface ShardsInfo extends ShardCounts {
  readonly vocab: { readonly size: number; readonly sha256: string };
  /** How the text was read and cut, for people. */
  readonly made: JsonObject;
  readonly shards: readonly ShardEntry[];
}

/** A prepared corpus. */
export interface Shards {
  readonly corpus: TokenCorpus;
  /** vocab.txt */
  readonly vocab: string;
  readonly tokenizerConfig: JsonObject;
  /** Changes with any id, sentence, document or vocabulary entry. */
  readonly hash: string;
  readonly info: ShardsInfo;
}

const AGAIN = 'make the shards anew: bertgrad prepare';

function isCount(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
const isHash = (value: Json | undefined): value is string => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

function entryOf(value: Json): ShardEntry | null {
  if (!isObject(value)) return null;
  const { file, documents, sentences, tokens, sha256 } = value;
  if (typeof file !== 'string' || !/^shard-\d+\.bin$/.test(file) || !isHash(sha256)) return null;
  if (!isCount(documents) || !isCount(sentences) || !isCount(tokens)) return null;
  return { file, documents, sentences, tokens, sha256 };
}

function infoOf(json: JsonObject, path: string): ShardsInfo {
  const fail = (what: string): never => {
    throw new DataError(`${path}: ${what}`, { code: 'DATA-SHARDS', where: path, fix: AGAIN });
  };
  const { format, documents, sentences, tokens, vocab, shards, made } = json;
  if (format !== SHARDS_FORMAT) {
    throw new DataError(`${path}: format ${JSON.stringify(format)}, but this program knows format ${SHARDS_FORMAT}`, {
      code: 'DATA-SHARD-VERSION',
      where: path,
      fix: `${AGAIN}, or use the version of bertgrad that made them`,
    });
  }
  if (!isObject(vocab) || !isCount(vocab.size) || !isHash(vocab.sha256)) return fail('"vocab" is missing or wrong');
  if (!isCount(documents) || !isCount(sentences) || !isCount(tokens)) return fail('a count is missing or wrong');
  const entries = Array.isArray(shards) ? shards.map(entryOf) : [];
  const known = entries.filter((entry) => entry !== null);
  if (known.length === 0 || known.length < entries.length) return fail('"shards" is missing or wrong');
  const sums = { documents, sentences, tokens };
  for (const key of ['documents', 'sentences', 'tokens'] as const) {
    if (known.reduce((sum, entry) => sum + entry[key], 0) !== sums[key]) fail(`the ${key} of the shards do not add up`);
  }
  const { size, sha256 } = vocab;
  return { ...sums, vocab: { size, sha256 }, made: isObject(made) ? made : {}, shards: known };
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const handle = await open(path, 'r');
    try {
      const bytes = new Uint8Array((await handle.stat()).size);
      await readFully(handle, path, 0, bytes);
      return bytes;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw systemError(error, path, 'read');
  }
}

/** All shards as one: their arrays are copied into arrays for the whole corpus. */
class Joined {
  readonly ids: Uint16Array | Uint32Array;
  readonly sentenceStarts: Uint32Array;
  readonly documentStarts: Uint32Array;
  readonly wordStarts: Uint8Array;
  readonly #done = { documents: 0, sentences: 0, tokens: 0 };

  constructor({ documents, sentences, tokens }: ShardCounts, idBytes: 2 | 4) {
    this.ids = new (idBytes === 2 ? Uint16Array : Uint32Array)(tokens);
    this.sentenceStarts = new Uint32Array(sentences + 1);
    this.documentStarts = new Uint32Array(documents + 1);
    this.wordStarts = new Uint8Array(Math.ceil(tokens / 8));
  }

  /** @returns false when the sizes of sentences and documents do not add up */
  append({ documentSizes, sentenceSizes, ids, wordStarts }: ShardContent): boolean {
    const done = this.#done;
    this.ids.set(ids, done.tokens);
    const shift = done.tokens % 8;
    const first = (done.tokens - shift) / 8;
    wordStarts.forEach((bits, i) => {
      this.wordStarts[first + i] |= bits << shift;
      if (shift > 0 && first + i + 1 < this.wordStarts.length) this.wordStarts[first + i + 1] |= bits >> (8 - shift);
    });
    const tokens = appendStarts(this.sentenceStarts, done.sentences, sentenceSizes);
    const sentences = appendStarts(this.documentStarts, done.documents, documentSizes);
    done.tokens += ids.length;
    done.sentences += sentenceSizes.length;
    done.documents += documentSizes.length;
    return tokens === done.tokens && sentences === done.sentences;
  }
}

/** Appends sums of `sizes` after starts[at], and returns the last. Empty sentences and documents are never written. */
function appendStarts(starts: Uint32Array, at: number, sizes: Uint32Array): number {
  let sum = starts[at];
  let empty = false;
  sizes.forEach((size, i) => {
    sum += size;
    if (size === 0) empty = true;
    starts[at + i + 1] = sum;
  });
  return empty ? -1 : sum;
}

async function readInfo(folder: string): Promise<ShardsInfo> {
  const names = await disk.list(folder).catch((error: unknown) => {
    throw systemError(error, folder, 'read');
  });
  const path = join(folder, SHARDS.manifest);
  if (names.includes(SHARDS.manifest)) return infoOf(await readJsonFile(path), path);
  const shown = names.slice(0, 5).join(', ');
  throw new InputError(`${folder}: holds no shards: ${SHARDS.manifest} is missing`, {
    code: 'DATA-SHARDS-MISSING',
    where: shown === '' ? 'there is nothing' : `it holds ${shown}${names.length > 5 ? ', ...' : ''}`,
    fix: 'name the folder that `bertgrad prepare ... -o <folder>` made',
  });
}

/**
 * Opens a prepared corpus and reads all of it into memory: 2 bytes a token, 4 for vocabularies above 65,536.
 * @param wanted SHA-256 of the vocabulary the caller goes on with, when it is not that of the folder
 * @throws {InputError} nothing there; {DataError} DATA-SHARD-VOCAB another vocabulary; damaged, cut short, or of another
 *   version of the format
 */
export async function openShards(folder: string, wanted?: string): Promise<Shards> {
  const info = await readInfo(folder);
  const idBytes = idBytesFor(info.vocab.size);
  const vocab = await readTextFile(join(folder, SHARDS.vocab));
  const hash = createHash('sha256').update(vocab).digest('hex');
  if (hash !== info.vocab.sha256 || (wanted ?? hash) !== hash) {
    throw new DataError(`${folder}: the shards were made with another vocabulary`, {
      code: 'DATA-SHARD-VOCAB',
      where: `shards: ${info.vocab.sha256.slice(0, 12)}; here: ${(wanted ?? hash).slice(0, 12)} (SHA-256)`,
      fix: 'make them again with this one: bertgrad prepare <corpus> --vocab <vocab.txt> -o <folder>',
    });
  }
  const corpus = new Joined(info, idBytes);
  for (const entry of info.shards) {
    const path = join(folder, entry.file);
    const content = decodeShard(await readWhole(path), entry, { hash: info.vocab.sha256, idBytes }, path);
    if (corpus.append(content)) continue;
    throw new DataError(`${path}: its sentences do not add up`, {
      code: 'DATA-SHARD-DAMAGED',
      where: path,
      fix: AGAIN,
    });
  }
  const tokenizerConfig = await readJsonFile(join(folder, SHARDS.tokenizer));
  return { corpus, vocab, tokenizerConfig, hash: corpusHash(info, tokenizerConfig), info };
}

function corpusHash({ vocab, shards }: ShardsInfo, tokenizerConfig: JsonObject): string {
  const all = [vocab.sha256, ...shards.map(({ sha256 }) => sha256), JSON.stringify(tokenizerConfig)];
  return createHash('sha256').update(all.join('\n')).digest('hex');
}

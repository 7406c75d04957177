import { statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError, IoError, OutputError } from '../core/errors.js';
import { type Disk, disk, writeSynced } from './files.js';
import type { JsonObject } from './json.js';
import { SHARDS, SHARDS_FORMAT, type ShardEntry, type ShardsInfo } from './shards.js';
import { encodeShard, idBytesFor } from './shards-format.js';
import { errnoOf, systemError } from './system-errors.js';

/** What shards are made with. */
export interface ShardsSource {
  /** The text of vocab.txt and its SHA-256. */
  readonly vocab: { readonly text: string; readonly sha256: string; readonly size: number };
  /** tokenizer_config.json */
  readonly tokenizerConfig: object;
}

export interface ShardsOptions {
  /** Replaces shards that are there; anything else is never replaced. */
  readonly overwrite?: boolean;
  /** Tokens after which a shard ends, with the document at hand. Default 16 million. */
  readonly shardTokens?: number;
  readonly on?: Disk;
}

const SHARD_TOKENS = 2 ** 24;
const MOST_TOKENS = 2 ** 32 - 1;

/** Numbers in memory that grows. */
class Column<T extends Uint8Array | Uint16Array | Uint32Array> {
  length = 0;

  constructor(private data: T) {}

  /** Room for `extra` more, which are 0. */
  reserve(extra: number): T {
    if (this.length + extra > this.data.length) {
      const Kind = this.data.constructor as new (length: number) => T;
      const larger = new Kind(Math.max(2 * this.data.length, this.length + extra));
      larger.set(this.data.subarray(0, this.length));
      this.data = larger;
    }
    return this.data;
  }

  push(value: number): void {
    this.reserve(1)[this.length++] = value;
  }

  take(length = this.length): T {
    return this.data.subarray(0, length) as T;
  }
}

/** The shard that is being filled. */
class Draft {
  readonly documentSizes = new Column(new Uint32Array(256));
  readonly sentenceSizes = new Column(new Uint32Array(1024));
  readonly ids: Column<Uint16Array> | Column<Uint32Array>;
  readonly wordStarts = new Column(new Uint8Array(1024));

  constructor(idBytes: 2 | 4) {
    this.ids = idBytes === 2 ? new Column(new Uint16Array(8192)) : new Column(new Uint32Array(8192));
  }

  sentence(ids: Int32Array, starts: Uint8Array): void {
    const at = this.ids.length;
    const data = this.ids.reserve(ids.length);
    data.set(ids, at);
    this.ids.length = at + ids.length;
    const { wordStarts } = this;
    const bytes = Math.ceil(this.ids.length / 8);
    const bits = wordStarts.reserve(bytes - wordStarts.length);
    wordStarts.length = bytes; // what is not counted is not kept when the column grows
    for (let i = 0; i < ids.length; i++) bits[(at + i) >> 3] |= (starts[i] & 1) << ((at + i) & 7);
    this.sentenceSizes.push(ids.length);
  }

  content() {
    return {
      documentSizes: this.documentSizes.take(),
      sentenceSizes: this.sentenceSizes.take(),
      ids: this.ids.take(),
      wordStarts: this.wordStarts.take(),
    };
  }
}

/**
 * Writes a prepared corpus. All goes into a folder beside the one wanted, which takes its name when everything is on the
 * disk: shards are there whole, or not at all.
 */
export class ShardsWriter {
  readonly #entries: ShardEntry[] = [];
  readonly #idBytes: 2 | 4;
  #draft: Draft;
  #documentSentences = 0;
  #written = { documents: 0, sentences: 0, tokens: 0 };

  private constructor(
    private readonly folder: string,
    private readonly temporary: string,
    private readonly source: ShardsSource,
    private readonly options: Required<ShardsOptions>,
  ) {
    this.#idBytes = idBytesFor(source.vocab.size);
    this.#draft = new Draft(this.#idBytes);
  }

  /**
   * @param folder where the shards go
   * @throws {OutputError} OUTPUT-EXISTS, OUTPUT-IN-USE, no permission
   */
  static async create(folder: string, source: ShardsSource, options: ShardsOptions = {}): Promise<ShardsWriter> {
    const all = { overwrite: false, shardTokens: SHARD_TOKENS, on: disk, ...options };
    const [parent, name] = [dirname(resolve(folder)), basename(resolve(folder))];
    const temporary = join(parent, `.${name}.${process.pid}.tmp`);
    try {
      await clearLeftovers(parent, name, all.on);
      await requireFree(folder, all);
      await all.on.makeFolder(parent);
      await all.on.makeFolder(temporary);
    } catch (error) {
      throw systemError(error, folder, 'write');
    }
    return new ShardsWriter(folder, temporary, source, all);
  }

  /** Tokens so far. */
  get tokens(): number {
    return this.#written.tokens + this.#draft.ids.length;
  }

  /** Adds a sentence; one without tokens is left out. @param starts [ids] 1 where a word begins */
  sentence(ids: Int32Array, starts: Uint8Array): void {
    if (ids.length === 0) return;
    this.#draft.sentence(ids, starts);
    this.#documentSentences++;
  }

  /** Ends the document; one without sentences is left out. */
  async endDocument(): Promise<void> {
    if (this.#documentSentences === 0) return;
    this.#draft.documentSizes.push(this.#documentSentences);
    this.#documentSentences = 0;
    if (this.tokens > MOST_TOKENS) {
      throw new DataError(`the corpus has more than ${MOST_TOKENS} tokens`, {
        code: 'DATA-TOO-LARGE',
        where: this.folder,
        fix: 'prepare it in parts, and train on one after the other',
      });
    }
    if (this.#draft.ids.length >= this.options.shardTokens) await this.#flush();
  }

  /**
   * Writes what is left and gives the folder its name.
   * @param made facts for people about how the text was cut
   * @throws {DataError} DATA-EMPTY: not one token; {IoError} a full disk
   */
  async finish(made: JsonObject): Promise<ShardsInfo> {
    await this.endDocument();
    if (this.#draft.ids.length > 0) await this.#flush();
    if (this.#entries.length === 0) {
      throw new DataError('the corpus is empty: no line of it holds a word', {
        code: 'DATA-EMPTY',
        fix: 'check the files; text is one sentence or paragraph a line',
      });
    }
    const { vocab, tokenizerConfig } = this.source;
    const info = {
      ...this.#written,
      vocab: { size: vocab.size, sha256: vocab.sha256 },
      made,
      shards: this.#entries,
    };
    const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
    await this.#write(SHARDS.vocab, [Buffer.from(vocab.text)]);
    await this.#write(SHARDS.tokenizer, [Buffer.from(json(tokenizerConfig))]);
    await this.#write(SHARDS.manifest, [Buffer.from(json({ format: SHARDS_FORMAT, ...info }))]);
    try {
      await this.#publish();
    } catch (error) {
      throw systemError(error, this.folder, 'write');
    }
    return info;
  }

  /** Removes what was written. */
  async abort(): Promise<void> {
    await this.options.on.remove(this.temporary);
  }

  async #flush(): Promise<void> {
    const content = this.#draft.content();
    const { chunks, sha256 } = encodeShard(content, this.source.vocab.sha256);
    const file = `shard-${`${this.#entries.length}`.padStart(5, '0')}.bin`;
    await this.#write(file, chunks);
    const { documentSizes, sentenceSizes, ids } = content;
    const counts = { documents: documentSizes.length, sentences: sentenceSizes.length, tokens: ids.length };
    this.#entries.push({ file, ...counts, sha256 });
    for (const key of ['documents', 'sentences', 'tokens'] as const) this.#written[key] += counts[key];
    this.#draft = new Draft(this.#idBytes);
  }

  async #write(name: string, chunks: readonly Uint8Array[]): Promise<void> {
    try {
      await writeSynced(join(this.temporary, name), chunks, this.options.on);
    } catch (error) {
      const known = systemError(error, join(this.folder, name), 'write');
      throw errnoOf(error) === 'ENOSPC' ? await withSpace(known, this.temporary, chunks) : known;
    }
  }

  /** The old folder, empty or with shards, is moved aside first: a folder cannot be renamed onto one with files. */
  async #publish(): Promise<void> {
    const { on } = this.options;
    const target = resolve(this.folder);
    await requireFree(this.folder, this.options);
    const aside = `${this.temporary.slice(0, -'.tmp'.length)}.old.tmp`;
    await on.syncFolder(this.temporary);
    const moved = await on.rename(target, aside).then(
      () => true,
      (error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
        return false;
      },
    );
    try {
      await on.rename(this.temporary, target);
    } catch (error) {
      if (moved) await on.rename(aside, target).catch(() => undefined); // otherwise the next start brings it back
      throw error;
    }
    await on.syncFolder(dirname(target));
    await on.remove(aside).catch(() => undefined); // the next start removes it
  }
}

/** A full disk, with the bytes that were wanted and those that are free. */
async function withSpace(error: unknown, folder: string, chunks: readonly Uint8Array[]): Promise<unknown> {
  const { bavail, bsize } = await statfs(folder);
  const wanted = chunks.reduce((sum, { length }) => sum + length, 0);
  const { message, code = '', fix = '', cause } = error as IoError;
  return new IoError(message, { code, fix, cause, where: `${wanted} bytes are wanted, ${bavail * bsize} are free` });
}

/** @throws {OutputError} something is there that must not be replaced */
async function requireFree(folder: string, { overwrite, on }: Required<ShardsOptions>): Promise<void> {
  const names = await on.list(folder);
  if (names.length === 0) return;
  const shards = names.includes(SHARDS.manifest);
  if (shards && overwrite) return;
  const what = shards ? 'there are shards in this folder already' : 'is not empty';
  throw new OutputError(`${folder}: ${what}`, {
    code: 'OUTPUT-EXISTS',
    where: `it holds ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}`,
    fix: shards ? 'name another folder, or replace them: --overwrite' : 'name another folder',
  });
}

/**
 * Removes what processes that are gone have left of this folder; shards that one had moved aside come back.
 * @throws {OutputError} one is still writing it
 */
async function clearLeftovers(parent: string, name: string, on: Disk): Promise<void> {
  const entries = await on.list(parent);
  for (const entry of entries) {
    if (!entry.startsWith(`.${name}.`)) continue;
    const [, pid] = /^(\d+)(?:\.old)?\.tmp$/.exec(entry.slice(name.length + 2)) ?? [];
    if (pid === undefined) continue;
    if (Number(pid) !== process.pid && isAlive(Number(pid))) {
      throw new OutputError(`${join(parent, name)}: process ${pid} is writing it`, {
        code: 'OUTPUT-IN-USE',
        where: join(parent, entry),
        fix: 'wait for it, stop it, or name another folder',
      });
    }
    if (entry.endsWith('.old.tmp') && !entries.includes(name)) await on.rename(join(parent, entry), join(parent, name));
    else await on.remove(join(parent, entry));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM'; // there, and somebody else's
  }
}

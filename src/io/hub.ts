import { copyFile, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { DataError, InputError, IoError } from '../core/errors.js';
import { disk, writeFileAtomic } from './files.js';
import { fetchBlob, type HubFile, type Progress } from './hub-file.js';
import { HubClient } from './hub-request.js';
import type { HubName, HubSettings } from './hub-settings.js';
import { isObject, type Json, JsonSyntaxError, parseJson } from './json.js';
import { lockFolder } from './lock.js';

export interface DownloadOptions {
  /** Told of bytes as they arrive. */
  readonly progress?: Progress;
  /** Told of what does not stop it: a network that is away while the model is in the cache. */
  readonly remark?: (text: string) => void;
  /** Milliseconds: how long a silent connection is waited for, and the first pause after a lost one. */
  readonly patience?: number;
  readonly pause?: number;
}

/** Where a model lies in the cache, in the layout of huggingface_hub. */
interface Places {
  readonly blobs: string;
  readonly refs: string;
  readonly snapshots: string;
  readonly lock: string;
}

function placesOf({ cache }: HubSettings, { repo }: HubName): Places {
  const name = `models--${repo.replace('/', '--')}`;
  const root = join(cache, name);
  return {
    blobs: join(root, 'blobs'),
    refs: join(root, 'refs'),
    snapshots: join(root, 'snapshots'),
    lock: join(cache, '.locks', name),
  };
}

/** A commit of a model, and its files. */
interface Listing {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const SAFE = /^[\w][\w.-]*(\/[\w][\w.-]*)*$/;

function badAnswer(name: HubName, what: string): never {
  throw new DataError(`the hub's list of ${name.repo} cannot be read: ${what}`, {
    code: 'HUB-PROTOCOL',
    fix: 'check HF_ENDPOINT; the mirror may be broken',
  });
}

/** A file of the list; mirrors may leave out what the hub says of its content, and then its headers tell. */
function fileOf(entry: Json, name: HubName): HubFile | string {
  const { rfilename, size, blobId, lfs } = isObject(entry) ? entry : {};
  if (typeof rfilename !== 'string') return badAnswer(name, 'a file without a name');
  const large = isObject(lfs) ? lfs : null;
  return described(rfilename, large === null ? blobId : large.sha256, large?.size ?? size) ?? rfilename;
}

const described = (name: string, etag: unknown, size: unknown): HubFile | null =>
  typeof etag === 'string' && /^[\w.-]{1,200}$/.test(etag) && Number.isSafeInteger(size) && (size as number) >= 0
    ? { name, etag, size: size as number }
    : null;

/** ETag and size by the headers of a file, those of the content where the hub leads elsewhere for it. */
async function byHeaders(client: HubClient, name: HubName, commit: string, file: string): Promise<HubFile> {
  const seen: { etag?: string | undefined; size?: number } = {};
  const look = (headers: Headers): void => {
    const etag = headers.get('x-linked-etag') ?? headers.get('etag');
    const size = headers.get('x-linked-size') ?? headers.get('content-length');
    seen.etag ??= etag?.replace(/^W\//, '').replaceAll('"', '');
    if (seen.size === undefined && size !== null) seen.size = Number(size);
  };
  const answer = await client.send(`/${name.repo}/resolve/${commit}/${file}`, { method: 'HEAD' }, look);
  answer.close();
  return described(file, seen.etag, seen.size) ?? badAnswer(name, `no checksum or size of ${JSON.stringify(file)}`);
}

/** Commit and files of a revision. */
async function listing(client: HubClient, name: HubName): Promise<Listing> {
  const revision = encodeURIComponent(name.revision);
  const text = await client.json(`/api/models/${name.repo}/revision/${revision}?blobs=true`);
  let json: Json;
  try {
    json = parseJson(text);
  } catch (error) {
    return badAnswer(name, error instanceof JsonSyntaxError ? error.message : String(error));
  }
  const { sha, siblings } = isObject(json) ? json : {};
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha) || !Array.isArray(siblings))
    return badAnswer(name, 'it has no commit or no files');
  const listed = siblings.map((entry) => fileOf(entry, name));
  const files: HubFile[] = [];
  for (const file of listed) {
    const path = typeof file === 'string' ? file : file.name;
    if (!wanted(path)) continue;
    if (!SAFE.test(path)) badAnswer(name, `the file name ${JSON.stringify(path)}`);
    files.push(typeof file === 'string' ? await byHeaders(client, name, sha, file) : file);
  }
  return { commit: sha, files: withoutDoubles(files) };
}

const NEEDED = new Set([
  'config.json',
  'bert_config.json',
  'vocab.txt',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'modules.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
]);
const WEIGHTS = /^(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)(\.index\.json)?$/;
/** A part of a model of sentence-transformers, in a folder such as 1_Pooling. */
const MODULE =
  /^\d+_\w+\/(config\.json|sentence_bert_config\.json|model\.safetensors|pytorch_model\.bin|vocab\.txt|tokenizer(_config)?\.json)$/;

const wanted = (name: string): boolean => NEEDED.has(name) || WEIGHTS.test(name) || MODULE.test(name);

/** Pickles are not fetched where the same weights are there as safetensors. */
function withoutDoubles(files: readonly HubFile[]): HubFile[] {
  const folderOf = (name: string): string => dirname(name);
  const safe = new Set(files.filter(({ name }) => name.endsWith('.safetensors')).map(({ name }) => folderOf(name)));
  return files.filter(({ name }) => !/\.bin(\.index\.json)?$/.test(name) || !safe.has(folderOf(name)));
}

/** Puts a blob in its place in a snapshot: a link, or a copy where links are not allowed. */
async function place(blob: string, path: string): Promise<void> {
  if ((await stat(path).catch(() => null)) !== null) return;
  await mkdir(dirname(path), { recursive: true });
  await symlink(relative(dirname(path), blob), path).catch(() => copyFile(blob, path));
}

async function download(client: HubClient, name: HubName, places: Places, options: DownloadOptions): Promise<string> {
  const { commit, files } = await listing(client, name);
  if (!files.some((file) => file.name.endsWith('config.json')))
    throw new InputError(`${name.repo}: is no model that can be read here: it has no config.json`, {
      code: 'HUB-MISSING',
      where: client.settings.endpoint,
      fix: 'name a BERT in the layout of transformers or of sentence-transformers',
    });
  const snapshot = join(places.snapshots, commit);
  await mkdir(places.blobs, { recursive: true });
  await mkdir(places.lock, { recursive: true });
  const unlock = await lockFolder(places.lock, options.remark ?? (() => undefined));
  try {
    for (const file of files) {
      const path = `/${name.repo}/resolve/${commit}/${file.name}`;
      const blob = await fetchBlob(
        client,
        path,
        file,
        places.blobs,
        options.progress ?? (() => undefined),
        options.pause,
      );
      await place(blob, join(snapshot, file.name));
    }
    const ref = join(places.refs, name.revision);
    await mkdir(dirname(ref), { recursive: true });
    if (name.revision !== commit) await writeFileAtomic(ref, commit);
  } finally {
    await unlock();
  }
  return snapshot;
}

/** The snapshot that the cache has of a revision, or null. */
async function cached({ refs, snapshots }: Places, { revision }: HubName): Promise<string | null> {
  const commit = /^[0-9a-f]{40}$/.test(revision)
    ? revision
    : (await readFile(join(refs, revision), 'utf8').catch(() => '')).trim();
  if (!/^[0-9a-f]{40}$/.test(commit)) return null;
  return (await disk.list(snapshots)).includes(commit) ? join(snapshots, commit) : null;
}

/**
 * The folder of a model of the hub, in the cache that it shares with Hugging Face's own libraries. Files that are there are
 * not fetched again; those that a lost connection cut short are gone on with.
 * @returns the snapshot
 * @throws {InputError} HUB-MISSING, HUB-ACCESS, HUB-OFFLINE; {IoError} HUB-NETWORK; {DataError} HUB-CHECKSUM, HUB-PROTOCOL
 */
export async function hubModel(name: HubName, settings: HubSettings, options: DownloadOptions = {}): Promise<string> {
  const places = placesOf(settings, name);
  const present = await cached(places, name);
  if (settings.offline) {
    if (present !== null) return present;
    throw new InputError(`${name.repo}: is not in the cache, and HF_HUB_OFFLINE forbids to fetch it`, {
      code: 'HUB-OFFLINE',
      where: settings.cache,
      fix: 'unset HF_HUB_OFFLINE once, with a network',
    });
  }
  try {
    return await download(new HubClient(settings, options.patience), name, places, options);
  } catch (error) {
    if (present === null || !(error instanceof IoError) || error.code !== 'HUB-NETWORK') throw error;
    options.remark?.(`${error.message}; the copy in the cache is used: ${present}`);
    return present;
  }
}

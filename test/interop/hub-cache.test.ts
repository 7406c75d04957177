// One cache for this library and Hugging Face's own: test/golden/hub-cache.py wrote down what theirs puts there, and what it
// said of what we had put there.
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from '@jest/globals';
import { hubModel } from '../../src/io/hub.js';
import type { HubSettings } from '../../src/io/hub-settings.js';
import { cli } from '../cli/capture.js';
import { testFolder } from '../io/folder.js';
import { copyOf } from './folders.js';
import { COMMIT, HubServer } from './hub-server.js';

/** A link and where it leads, a blob and the file of the model that it is, or a text. */
type Entry = { readonly link: string } | { readonly file: string } | { readonly text: string };
type Tree = Readonly<Record<string, Entry>>;
interface Golden {
  readonly theirs: Tree;
  readonly ours: Tree;
  readonly read: { readonly snapshot: string; readonly warnings: string[]; readonly files: number };
}
const golden: Golden = JSON.parse(readFileSync(new URL('../golden/hub-cache.json', import.meta.url), 'utf8'));

const folder = testFolder();
const cache = join(folder, 'cache');
const source = copyOf('BertForMaskedLM', folder);
const NAMES = ['config.json', 'model.safetensors', 'vocab.txt'];
const FILES = new Map(NAMES.map((name) => [name, readFileSync(join(source, name))] as const));
const name = { repo: 'org/tiny', revision: 'main' };
const settings: HubSettings = { endpoint: 'http://127.0.0.1:1', cache, offline: true, token: null };

function build(tree: Tree): void {
  rmSync(cache, { recursive: true, force: true });
  for (const [path, entry] of Object.entries(tree)) {
    const at = join(cache, path);
    mkdirSync(dirname(at), { recursive: true });
    if ('link' in entry) symlinkSync(entry.link, at);
    else writeFileSync(at, 'file' in entry ? (FILES.get(entry.file) as Buffer) : entry.text);
  }
}

function treeOf(root: string): Tree {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  const described = entries.map((entry): [string, Entry] => {
    const path = join(entry.parentPath, entry.name);
    const key = relative(root, path);
    if (entry.isSymbolicLink()) return [key, { link: readlinkSync(path) }];
    const bytes = readFileSync(path);
    const file = NAMES.find((known) => FILES.get(known)?.equals(bytes));
    return [key, file === undefined ? { text: bytes.toString() } : { file }];
  });
  return Object.fromEntries(described.sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('a cache that huggingface_hub filled is read without a network', async () => {
  build(golden.theirs);
  const path = await hubModel(name, settings);
  expect(relative(cache, path)).toBe(golden.read.snapshot);
  const before = { ...process.env };
  Object.assign(process.env, { HF_HUB_CACHE: cache, HF_HUB_OFFLINE: '1' });
  try {
    const fromCache = await cli(['fill-mask', 'org/tiny', 'the [MASK] sat', '--json']);
    const fromFolder = await cli(['fill-mask', source, 'the [MASK] sat', '--json']);
    expect([fromCache.code, JSON.parse(fromCache.out).masks]).toEqual([0, JSON.parse(fromFolder.out).masks]);
  } finally {
    process.env = before;
  }
});

test('of a cache that huggingface_hub filled nothing is fetched again', async () => {
  build(golden.theirs);
  const server = new HubServer('org/tiny', FILES);
  const path = await hubModel(name, { ...settings, endpoint: await server.start(), offline: false });
  await server.stop();
  expect(relative(cache, path)).toBe(golden.read.snapshot);
  expect(server.requests.map(({ url }) => url.split('?')[0])).toEqual(['/api/models/org/tiny/revision/main']);
});

test('what we put there is what huggingface_hub and transformers opened, and what they put there themselves', async () => {
  rmSync(cache, { recursive: true, force: true });
  const server = new HubServer('org/tiny', FILES);
  await hubModel(name, { ...settings, endpoint: await server.start(), offline: false });
  await server.stop();
  const made = treeOf(cache);
  expect(made).toEqual(golden.ours);
  expect(golden.read).toMatchObject({ warnings: [], files: NAMES.length });
  expect(golden.read.snapshot).toBe(`models--org--tiny/snapshots/${COMMIT}`);
  // Beside the model they keep locks, a tag for back-up programs and the listing of the commit.
  const theirs = Object.entries(golden.theirs).filter(([path]) => /\/(blobs|refs|snapshots)\//.test(path));
  expect(made).toEqual(Object.fromEntries(theirs));
});

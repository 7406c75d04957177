// The hub's protocol, spoken with a server on this machine.
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { hubModel } from '../../src/io/hub.js';
import { type HubSettings, hubSettings, parseHubName } from '../../src/io/hub-settings.js';
import { loadModel } from '../../src/train/model-folder.js';
import { cli } from '../cli/capture.js';
import { failure, testFolder } from '../io/folder.js';
import { copyOf } from './folders.js';
import { COMMIT, HubServer } from './hub-server.js';

const folder = testFolder();
const cache = join(folder, 'cache');
const source = copyOf('BertForMaskedLM', folder);
const FILES = new Map(
  ['config.json', 'vocab.txt', 'model.safetensors'].map((name) => [name, readFileSync(join(source, name))] as const),
);
const EXTRA = new Map([
  ...FILES,
  ['pytorch_model.bin', Buffer.from('never fetched')],
  ['onnx/model.onnx', Buffer.from('x')],
  ['README.md', Buffer.from('x')],
]);
const name = { repo: 'org/tiny', revision: 'main' };
const root = join(cache, 'models--org--tiny');
const QUICK = { pause: 1, patience: 400 };
let server: HubServer;
let settings: HubSettings;

beforeEach(async () => {
  rmSync(cache, { recursive: true, force: true });
  server = new HubServer('org/tiny', EXTRA);
  settings = { endpoint: await server.start(), cache, offline: false, token: null };
});
afterEach(() => server.stop());
const fetched = (): string[] => server.requests.filter(({ url }) => url.startsWith('/cdn/')).map(({ url }) => url);

describe('names and settings', () => {
  test.each([
    ['org/name', { repo: 'org/name', revision: 'main' }],
    ['a.b-c/d_e.1@v2/x', { repo: 'a.b-c/d_e.1', revision: 'v2/x' }],
    ['name', null],
    ['./org/name', null],
    ['../x', null],
    ['org/name/more', null],
    ['org/name@../x', null],
    ['/org/name', null],
  ])('%s', (text, want) => {
    expect(parseHubName(text)).toEqual(want);
  });

  test('the environment of huggingface_hub', () => {
    expect(hubSettings({ HOME: '/h' }).endpoint).toBe('https://huggingface.co');
    expect(
      hubSettings({ HF_HOME: '/f', HF_ENDPOINT: 'https://m.example/', HF_HUB_OFFLINE: '1', HF_TOKEN: ' t ' }),
    ).toEqual({
      endpoint: 'https://m.example',
      cache: '/f/hub',
      offline: true,
      token: 't',
    });
    expect(hubSettings({ HF_HUB_CACHE: '/c', HF_HOME: '/f' }).cache).toBe('/c');
    expect(hubSettings({ XDG_CACHE_HOME: '/x' }).cache).toBe('/x/huggingface/hub');
    expect(() => hubSettings({ HF_ENDPOINT: 'file:///etc' })).toThrow('no address');
  });
});

describe('a download', () => {
  test("lies in the cache as Hugging Face's libraries put it, opens, and is not fetched again", async () => {
    const path = await hubModel(name, settings, QUICK);
    expect(path).toBe(join(root, 'snapshots', COMMIT));
    expect(readFileSync(join(root, 'refs/main'), 'utf8')).toBe(COMMIT);
    expect(readdirSync(path).sort()).toEqual([...FILES.keys()].sort());
    for (const [file, bytes] of FILES) {
      expect(lstatSync(join(path, file)).isSymbolicLink()).toBe(true);
      expect(readlinkSync(join(path, file))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40,64}$/);
      expect(readFileSync(join(path, file)).equals(bytes)).toBe(true);
    }
    (await loadModel(path)).model.dispose();
    const before = fetched().length;
    expect(await hubModel(name, settings, QUICK)).toBe(path);
    expect(fetched().length).toBe(before);
  });

  test('follows a model that was renamed, and tells of its progress', async () => {
    const seen: string[] = [];
    const progress = (file: string, done: number, total: number): void => void seen.push(`${file} ${done}/${total}`);
    const path = await hubModel({ repo: 'old/name', revision: 'main' }, settings, { ...QUICK, progress }).catch(
      (error) => error.code,
    );
    // The list is found by its new name, the files are asked for by the old one, which this server does not keep.
    expect(path).toBe('HUB-MISSING');
    await hubModel(name, settings, { ...QUICK, progress });
    const size = (FILES.get('model.safetensors') as Buffer).length;
    expect(seen).toContain(`model.safetensors 0/${size}`);
    expect(seen).toContain(`model.safetensors ${size}/${size}`);
  });

  test('goes on where a connection was cut, again and again', async () => {
    server.mischief = { cutAfter: 2000 };
    const path = await hubModel(name, settings, QUICK);
    expect(readFileSync(join(path, 'model.safetensors')).equals(FILES.get('model.safetensors') as Buffer)).toBe(true);
    const ranges = server.requests.filter(({ url }) => url === '/cdn/model.safetensors').map(({ range }) => range);
    expect(ranges.length).toBe(9);
    expect(ranges.slice(1).every((range) => /^bytes=\d+-$/.test(range ?? ''))).toBe(true);
  });

  test('goes on with what an earlier process left, also when that was all or too much', async () => {
    const [etag] = readdirOfBlobs(await hubModel(name, settings, QUICK));
    const whole = readFileSync(join(root, 'blobs', etag));
    for (const left of [whole.subarray(0, 7000), whole, Buffer.concat([whole, whole])]) {
      rmSync(root, { recursive: true });
      mkdirSync(join(root, 'blobs'), { recursive: true });
      writeFileSync(join(root, 'blobs', `${etag}.incomplete`), left);
      const path = await hubModel(name, settings, QUICK);
      expect(readFileSync(join(path, 'model.safetensors')).equals(whole)).toBe(true);
      expect(readdirSync(join(root, 'blobs')).some((file) => file.endsWith('.incomplete'))).toBe(false);
    }
  });

  test('from a server without ranges begins again', async () => {
    server.mischief = { noRanges: true };
    const [etag] = readdirOfBlobs(await hubModel(name, settings, QUICK));
    const whole = readFileSync(join(root, 'blobs', etag));
    rmSync(root, { recursive: true });
    mkdirSync(join(root, 'blobs'), { recursive: true });
    writeFileSync(join(root, 'blobs', `${etag}.incomplete`), whole.subarray(0, 100));
    const path = await hubModel(name, settings, QUICK);
    expect(readFileSync(join(path, 'model.safetensors')).equals(whole)).toBe(true);
  });

  test('from a mirror whose list is bare takes sizes and checksums from headers', async () => {
    server.mischief = { bareList: true };
    (await loadModel(await hubModel(name, settings, QUICK))).model.dispose();
  });

  /** The blob of model.safetensors. */
  function readdirOfBlobs(snapshot: string): string[] {
    return [readlinkSync(join(snapshot, 'model.safetensors')).replace(/.*\//, '')];
  }
});

describe('a token', () => {
  test('opens what is closed, and goes to the hub alone', async () => {
    server.token = 'secret';
    expect(await failure(hubModel(name, settings, QUICK))).toMatchObject({ code: 'HUB-ACCESS', exitCode: 66 });
    server.requests.length = 0;
    await hubModel(name, { ...settings, token: 'secret' }, QUICK);
    for (const { url, token, host } of server.requests) {
      const own = !url.startsWith('/cdn/');
      expect([url, token, host?.startsWith('localhost')]).toEqual([url, own ? 'Bearer secret' : undefined, !own]);
    }
  });
});

describe('refuses', () => {
  test.each([
    ['a model that is not there', {}, 'org/none', 'HUB-MISSING', 66],
    ['a revision that is not there', {}, 'org/tiny@v9', 'HUB-MISSING', 66],
    ['a server in trouble', { status: 503 }, 'org/tiny', 'HUB-NETWORK', 74],
    ['a server that says nothing', { silent: true }, 'org/tiny', 'HUB-NETWORK', 74],
    ['bytes that were changed', { garble: true }, 'org/tiny', 'HUB-CHECKSUM', 65],
    ['more bytes than announced', { tooMany: true }, 'org/tiny', 'HUB-PROTOCOL', 65],
    ['a redirection to a file', { redirect: 'file:///etc/passwd' }, 'org/tiny', 'HUB-PROTOCOL', 65],
    ['a connection that is always cut at once', { cutAfter: 0 }, 'org/tiny', 'HUB-NETWORK', 74],
  ] as const)('%s', async (_what, mischief, text, code, exitCode) => {
    server.mischief = mischief;
    const parsed = parseHubName(text) ?? name;
    expect(await failure(hubModel(parsed, settings, QUICK))).toMatchObject({ code, exitCode });
    expect(readdirSync(folder)).not.toContain('passwd');
  });

  test('a list with names outside of the model', async () => {
    for (const bad of ['../config.json', '/etc/config.json', 'a/../../config.json']) {
      const evil = new HubServer('org/tiny', new Map([...FILES, [bad, Buffer.from('x')]]));
      const endpoint = await evil.start();
      const path = await hubModel(name, { ...settings, endpoint }, QUICK);
      expect(readdirSync(path).sort()).toEqual([...FILES.keys()].sort()); // no file of a BERT has such a name
      await evil.stop();
    }
  });
});

describe('without a network', () => {
  test('the cache serves, aloud; what is not there is refused', async () => {
    const path = await hubModel(name, settings, QUICK);
    await server.stop();
    const remarks: string[] = [];
    expect(await hubModel(name, settings, { ...QUICK, remark: (text) => remarks.push(text) })).toBe(path);
    expect(remarks[0]).toContain('the copy in the cache is used');
    expect(await hubModel(name, { ...settings, offline: true }, QUICK)).toBe(path);
    const other = { repo: 'org/other', revision: 'main' };
    expect(await failure(hubModel(other, { ...settings, offline: true }))).toMatchObject({
      code: 'HUB-OFFLINE',
      exitCode: 66,
    });
    expect(await failure(hubModel(other, settings, QUICK))).toMatchObject({ code: 'HUB-NETWORK', exitCode: 74 });
    await server.start();
  });
});

test('every command takes the name of a model', async () => {
  const before = { ...process.env };
  Object.assign(process.env, { HF_ENDPOINT: settings.endpoint, HF_HUB_CACHE: cache });
  try {
    const { code, out } = await cli(['fill-mask', 'org/tiny', 'the [MASK] sat', '--json']);
    expect([code, JSON.parse(out).masks.length]).toEqual([0, 1]);
    const missing = await cli(['fill-mask', 'org/none', 'the [MASK] sat']);
    expect([missing.code, missing.out, missing.err.includes('error[HUB-MISSING]')]).toEqual([66, '', true]);
    expect(missing.err).toContain('; and there is no folder org/none here');
    const train = join(folder, 'train.tsv');
    const rows = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'yes\tthe cat sat' : 'no\tthe dog ran'));
    writeFileSync(train, `label\ttext\n${rows.join('\n')}\n`);
    const tuned = join(folder, 'tuned');
    const tuning = ['--train', train, '--epochs', '1', '-o', tuned];
    const finetuned = await cli(['finetune', 'classify', 'org/tiny', ...tuning]);
    expect(finetuned).toMatchObject({ code: 0 });
    expect(finetuned.err).toMatch(/starts fresh: .*classifier\.weight/);
    expect(finetuned.err).toContain('left behind: cls.predictions.bias');
    expect(
      await cli(['adapt', 'org/tiny', '--task', train, '--steps', '1', '-o', join(folder, 'adapted')]),
    ).toMatchObject({
      code: 0,
    });
    for (const args of [
      ['evaluate', 'org/tiny', train],
      ['predict', 'org/tiny', 'the cat sat'],
    ]) {
      const { code, err } = await cli(args);
      expect([code, err]).toEqual([78, expect.stringContaining('has no head for a task')]);
    }
  } finally {
    process.env = before;
  }
});

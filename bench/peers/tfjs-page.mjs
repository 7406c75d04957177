// TensorFlow.js on WebGL and on WebGPU, in a headless Chromium each. What computes there is a device, or the software
// that plays one, and none of our threads: it stands under no roof of theirs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from '../../scripts/serve.mjs';
import { bundle, openChromium } from '../browser/chromium.mjs';
import { writeValues } from './child.mjs';
import { locate } from './package.mjs';

const PAGE = '<!doctype html><title>bench</title><script type="module" src="page.js"></script>';

/** A page that holds TensorFlow.js, in a browser of its own; `folder` is what it can fetch from. */
async function openPage() {
  locate('@tensorflow/tfjs');
  locate('@tensorflow/tfjs-backend-webgpu');
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-page-'));
  const closing = [async () => rmSync(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const one of closing.reverse()) await one();
  };
  try {
    const chromium = await openChromium();
    closing.push(chromium.close);
    await bundle(fileURLToPath(new URL('../browser/peer.mjs', import.meta.url)), join(folder, 'page.js'));
    writeFileSync(join(folder, 'index.html'), PAGE);
    const site = await serve(folder);
    closing.push(site.close);
    const page = await chromium.browser.newPage();
    await page.goto(site.url);
    await page.waitForFunction(() => globalThis.peer !== undefined);
    const ask = (what, order) => page.evaluate(([name, given]) => globalThis.peer[name](given), [what, order]);
    return { folder, ask, close, pid: chromium.pid, version: chromium.browser.version() };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepare({ folder, ask }, id, c, data) {
  const made = [];
  const file = (name, values) => {
    writeValues(join(folder, name), values);
    made.push(join(folder, name));
    return { file: name, ids: values instanceof Int32Array };
  };
  const inputs = data.inputs.map((input, i) => ({ shape: input.shape, ...file(`${id}-${i}`, input.data) }));
  const { op, direction, sample } = c;
  const order = { id, op: op.name, direction, attrs: sample.attrs, inputs, outShape: data.outShape };
  try {
    const reason = await ask('prepare', { ...order, dOut: file(`${id}-out`, data.dOut) });
    if (reason !== null) return reason;
  } finally {
    for (const path of made) rmSync(path);
  }
  return {
    leastSeconds: 0.05, // reading a number back, which tells that the device is done, takes some milliseconds
    run: (times) => ask('run', { id, times }),
    results: async () =>
      (await ask('results', { id })).map((found) => {
        if (found === null) return null;
        const { buffer } = new Uint8Array(Buffer.from(found.text, 'base64'));
        return found.ids ? new Int32Array(buffer) : new Float32Array(buffer);
      }),
    free: () => ask('free', { id }),
  };
}

export async function open({ name }) {
  const page = await openPage();
  const backend = name === 'tfjs-webgl' ? 'webgl' : 'webgpu';
  try {
    const { version, device } = await page.ask('use', backend);
    let id = 0;
    return [
      {
        name,
        runsOn: `TensorFlow.js ${version} on ${backend} (${device}), Chromium ${page.version}`,
        threads: 0,
        backend: null,
        pid: page.pid,
        prepare: (c, data) => prepare(page, id++, c, data),
        close: page.close,
      },
    ];
  } catch (error) {
    await page.close();
    throw error;
  }
}

// The op benches of `bertgrad bench` in a browser, on WebGPU, WebGL 2 or plain JavaScript: a page on loopback to open, which
// saves the same JSON. With --headless, Chromium opens it, and the results go to --json.
//   node bench/page.mjs [--port 8123]
//   node bench/page.mjs --headless [--backends webgpu,js] [--ops linear,softmax] [--model tiny] [--batch 1] [--seq 64]
//                       [--way forward] [--rounds 3] [--json file] [--screenshot file]
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '../scripts/serve.mjs';
import { ROOT } from '../scripts/setup.mjs';
import { bundle, openChromium } from './browser/chromium.mjs';
import { parseOptions } from './options.mjs';

const { values } = parseOptions({
  options: {
    port: { type: 'string', default: '0' },
    headless: { type: 'boolean', default: false },
    backends: { type: 'string', default: 'webgpu,js' },
    ops: { type: 'string', default: 'linear,softmax,layerNorm' },
    model: { type: 'string', default: 'tiny' },
    batch: { type: 'string', default: '1' },
    seq: { type: 'string', default: '64' },
    way: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
    screenshot: { type: 'string' },
  },
});

async function openSite() {
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-bench-'));
  cpSync(join(ROOT, 'bench/browser/ops.html'), join(folder, 'index.html'));
  await bundle(join(ROOT, 'bench/browser/ops.mjs'), join(folder, 'ops.js'));
  const { url, close } = await serve(folder, Number(values.port));
  return {
    url,
    close: async () => {
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function headless({ url }) {
  const { browser, close } = await openChromium();
  try {
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
    page.on('pageerror', (error) => console.error(error.message));
    await page.goto(url);
    await page.waitForFunction(() => globalThis.runBenchPage !== undefined);
    const { model, way } = values;
    const [batch, seq, rounds] = [values.batch, values.seq, values.rounds].map(Number);
    const [backends, ops] = [values.backends, values.ops].map((text) => text.split(','));
    const request = { backends, ops, model, batch, seq, rounds, way };
    const results = await page.evaluate((wanted) => globalThis.runBenchPage(wanted), request);
    console.log((await page.locator('tr').allTextContents()).join('\n'));
    console.log((await page.locator('#notes li').allTextContents()).join('\n'));
    if (values.screenshot !== undefined) await page.screenshot({ path: values.screenshot });
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
  } finally {
    await close();
  }
}

const site = await openSite();
if (values.headless) {
  try {
    await headless(site);
  } finally {
    await site.close();
  }
} else {
  console.log(`${site.url}  (Ctrl-C ends it)`);
  process.once('SIGINT', () => void site.close());
}

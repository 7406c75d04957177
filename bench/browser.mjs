// The library in headless Chromium (WebGPU, WebGL 2, plain JavaScript) beside TensorFlow.js (WebGPU, WebGL) and jax-js:
// matrix products at BERT's shapes, and the forward pass of an encoder. Operands stay on the device; all are checked against one another, then timed in turns.
//   npm install --prefix bench      the peers, once
//   node bench/browser.mjs [--what matmul,forward] [--shapes 512x768x768,...] [--models tiny,mini] [--batch 1] [--seq 128]
//                          [--only webgpu|webgl2|js] [--seconds 10] [--rounds 3] [--json file]
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '../scripts/serve.mjs';
import { ROOT } from '../scripts/setup.mjs';
import { bundle, openChromium } from './browser/chromium.mjs';
import { ratios, report } from './browser/report.mjs';
import { parseOptions } from './options.mjs';

const { values } = parseOptions({
  options: {
    what: { type: 'string', default: 'matmul,forward' },
    // rows x inner size x columns of mini and base layers
    shapes: { type: 'string', default: '512x256x256,512x256x1024,512x768x768' },
    models: { type: 'string', default: 'tiny,mini' },
    batch: { type: 'string', default: '1' },
    seq: { type: 'string', default: '128' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});

const NAMES = {
  matmul: ['bertgrad webgpu', 'bertgrad webgl2', 'bertgrad js', 'tfjs webgpu', 'tfjs webgl', 'jax-js webgpu'],
  forward: ['bertgrad webgpu', 'bertgrad webgl2', 'bertgrad js', 'tfjs webgpu', 'tfjs webgl'],
};
/** All peers, and ours in the modes asked for. */
const namesOf = (kind) =>
  NAMES[kind].filter((name) => !name.startsWith('bertgrad') || name.endsWith(values.only || name));

function works() {
  const what = values.what.split(',');
  const products = values.shapes.split(',').map((text) => {
    const shape = text.split('x').map(Number);
    return { kind: 'matmul', title: shape.join(' x '), shape, flops: 2 * shape[0] * shape[1] * shape[2] };
  });
  const passes = values.models.split(',').map((model) => {
    const shape = { model, batch: Number(values.batch), seq: Number(values.seq) };
    return { kind: 'forward', title: `forward of ${model}, ${shape.batch} x ${shape.seq}`, shape, flops: 0 };
  });
  return [...products, ...passes].filter(({ kind }) => what.includes(kind));
}

/** A folder with the page, which holds the library and all peers. */
async function buildPage() {
  if (!existsSync(join(ROOT, 'bench/node_modules/@tensorflow'))) {
    throw new Error('the peers are not installed; run `npm install --prefix bench`');
  }
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-bench-'));
  await bundle(join(ROOT, 'bench/browser/page.mjs'), join(folder, 'page.js'));
  const script = '<script type="module" src="page.js"></script>';
  writeFileSync(join(folder, 'index.html'), `<!doctype html><title>bench</title>${script}`);
  return folder;
}

async function openPage(browser, url) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error.message));
  await page.exposeFunction('log', (text) => console.error(text));
  await page.goto(url);
  await page.waitForFunction(() => globalThis.compare !== undefined);
  return page;
}

async function runAll(page, version) {
  const modes = ['webgpu', 'webgl2', 'js'].filter((mode) => values.only === '' || mode === values.only);
  const runsOn = await page.evaluate((wanted) => globalThis.adapters(wanted), modes);
  console.log(`Chromium ${version}`);
  for (const line of Object.values(runsOn)) console.log(`  ${line}`);
  const all = [];
  for (const work of works()) {
    const limits = { seconds: Number(values.seconds), least: Number(values.rounds) };
    const request = { kind: work.kind, shape: work.shape, names: namesOf(work.kind), ...limits };
    const results = await page.evaluate((r) => globalThis.compare(r, globalThis.log), request);
    report(work, results);
    all.push({ ...work, runsOn, chromium: version, results, ratios: ratios(work.kind, results) });
  }
  return all;
}

async function main() {
  const folder = await buildPage();
  const site = await serve(folder);
  const { browser, close } = await openChromium();
  try {
    const all = await runAll(await openPage(browser, site.url), browser.version());
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`);
  } finally {
    await close();
    await site.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});

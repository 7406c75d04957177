// Headless Chromium, for what is measured in a page. CHROME_PATH names it; else the first in the PATH.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** It runs as root in containers, where it has no sandbox; SwiftShader plays WebGPU and WebGL where there is no GPU. */
const ARGS = ['--no-sandbox', '--enable-unsafe-webgpu', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'];

function find() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = [
    process.env.CHROME_PATH ?? NAMES.flatMap((name) => folders.map((folder) => join(folder, name))),
  ].flat();
  const found = paths.find(existsSync);
  if (found === undefined) throw new Error('there is no Chromium here; CHROME_PATH can name one');
  return found;
}

/** A package that a plain installation has not. @throws {Error} with the command that installs it */
async function optional(name) {
  try {
    return await import(name);
  } catch {
    throw new Error(`${name} is not installed: npm install ${name}`);
  }
}

/** @throws {Error} the reason why there is none */
export async function openChromium() {
  const { chromium } = await optional('playwright-core');
  process.env.XDG_RUNTIME_DIR ??= '/tmp'; // Dawn complains without one
  const server = await chromium.launchServer({ executablePath: find(), args: ARGS });
  const browser = await chromium.connect(server.wsEndpoint());
  return {
    browser,
    pid: server.process().pid,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** One script with all that it imports, as a file for a page. */
export async function bundle(entry, outfile) {
  const { build } = await optional('esbuild');
  const { IN_A_PAGE } = await import('../../scripts/build-browser.mjs');
  await build({ ...IN_A_PAGE, entryPoints: [entry], outfile });
}

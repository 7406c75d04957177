import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** Chromium or Chrome of this machine: CHROME_PATH, or the first in the PATH; undefined without one. */
export function findChromium(): string | undefined {
  const own = process.env.CHROME_PATH;
  if (own !== undefined) return existsSync(own) ? own : undefined;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

/** WebGPU without a GPU: SwiftShader plays it. WebGL needs no flag. */
const SOFTWARE = ['--enable-unsafe-webgpu', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'];
/** It runs as root in containers, where it has no sandbox; no page but ours is opened, and nothing is fetched. */
const QUIET = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function launch(): Promise<Browser> {
  process.env.XDG_RUNTIME_DIR ??= '/tmp'; // Dawn complains without one
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('there is no Chromium here');
  return chromium.launch({ executablePath, headless: true, args: [...QUIET, ...SOFTWARE] });
}

/** A page at `url`, and everything that went wrong in it: exceptions, errors on the console. */
export async function open(browser: Browser, url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}

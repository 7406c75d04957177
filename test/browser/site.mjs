// The conformance page, built and served on loopback. For one's own browser: node test/browser/site.mjs [port]
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildLibrary, IN_A_PAGE } from '../../scripts/build-browser.mjs';
import { serve } from '../../scripts/serve.mjs';
import { ROOT } from '../../scripts/setup.mjs';

export { serve };

/** Builds the library and the page into a folder of their own and serves it. */
export async function openSite(port = 0) {
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-page-'));
  mkdirSync(folder, { recursive: true });
  const { inputs } = await buildLibrary(folder);
  const page = join(ROOT, 'test', 'browser', 'page');
  await build({
    ...IN_A_PAGE,
    entryPoints: [join(page, 'main.ts')],
    outfile: join(folder, 'main.js'),
    // The training takes the library as a page would, from its one file.
    external: ['./bertgrad.js'],
  });
  cpSync(join(page, 'index.html'), join(folder, 'index.html'));
  cpSync(join(ROOT, 'examples', 'en', 'corpus.txt'), join(folder, 'corpus.txt'));
  const { url, close } = await serve(folder, port);
  return {
    url,
    folder,
    inputs,
    async close() {
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { url } = await openSite(Number(process.argv[2] ?? 8080));
  process.stdout.write(`${url}\n`);
}

// The library as one file for a page, from src/: dist/browser/bertgrad.js, and the same minified.
//   node scripts/build-browser.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { ROOT } from './setup.mjs';

/**
 * Settings for anything that runs in a page. esbuild refuses Node's modules on this platform. `#native` is what the
 * `imports` of package.json say for any place but Node, before TypeScript is compiled.
 */
export const IN_A_PAGE = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  alias: { '#native': './src/backend/native/absent.ts', '#gpu': './src/backend/gpu/provider-browser.ts' },
  legalComments: 'inline',
  logLevel: 'silent',
  metafile: true,
};

/** Names of errors are those of their classes, so they are kept; syntax is left as it is, as gpu.js's own build has it. */
const MINIFIED = { minifyWhitespace: true, minifyIdentifiers: true, keepNames: true };

/** @param {string} folder where the files go @returns {Promise<{ inputs: string[], bytes: Record<string, number> }>} */
export async function buildLibrary(folder) {
  mkdirSync(folder, { recursive: true });
  const bytes = {};
  let inputs = [];
  for (const [name, settings] of [
    ['bertgrad.js', { sourcemap: true }],
    ['bertgrad.min.js', MINIFIED],
  ]) {
    const made = await build({ ...IN_A_PAGE, ...settings, entryPoints: ['src/index.ts'], outfile: join(folder, name) });
    const [output] = Object.entries(made.metafile.outputs).filter(([path]) => path.endsWith('.js'));
    bytes[name] = output[1].bytes;
    inputs = Object.keys(made.metafile.inputs);
  }
  for (const name of Object.keys(bytes)) {
    writeFileSync(join(folder, name.replace(/js$/, 'd.ts')), "export * from '../index.js';\n");
  }
  return { inputs, bytes };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { bytes } = await buildLibrary(join(ROOT, 'dist', 'browser'));
  for (const [name, size] of Object.entries(bytes)) {
    process.stdout.write(`dist/browser/${name}: ${(size / 1000).toFixed(0)} kB\n`);
  }
}

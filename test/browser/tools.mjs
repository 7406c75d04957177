// What bundlers, minifiers and coverage tools make of a program that uses the library.
//   node test/browser/tools.mjs folder node|page tool,...    prints file names by tool, as JSON
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, transform } from 'esbuild';
import { createInstrumenter } from 'istanbul-lib-instrument';
import { minify } from 'terser';
import { IN_A_PAGE } from '../../scripts/build-browser.mjs';
import { ROOT } from '../../scripts/setup.mjs';

const PROGRAM = join(ROOT, 'test', 'browser', 'page', 'program.ts');

/** Counters in every statement and branch of our own sources, kernels included; packages are left alone, as is usual. */
const coverage = {
  name: 'coverage',
  setup(builder) {
    builder.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'ts', target: 'es2022' });
      const instrumenter = createInstrumenter({ esModules: true, compact: false });
      return { contents: instrumenter.instrumentSync(code, path), loader: 'js' };
    });
  },
};

/** Tools by name: settings of esbuild, and what is done to its output. */
const TOOLS = {
  bundled: {},
  'mangled by esbuild': { esbuild: { minifyIdentifiers: true, minifyWhitespace: true } },
  'minified by esbuild': { esbuild: { minify: true } },
  'minified by terser': {
    after: async (code) => (await minify(code, { module: true, compress: true, mangle: true })).code,
  },
  'instrumented by istanbul': { esbuild: { plugins: [coverage] } },
};

/** Node takes the same files, with the addon left out and WebGPU from its package. */
const IN_NODE = {
  ...IN_A_PAGE,
  platform: 'node',
  alias: { ...IN_A_PAGE.alias, '#gpu': './src/backend/gpu/provider-node.ts' },
  external: ['gpu.js', 'webgpu'],
};

/** Writes the program as each tool leaves it. */
async function applyTools(folder, where, tools) {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const files = {};
  for (const name of tools) {
    const { esbuild = {}, after } = TOOLS[name];
    const file = `${where}-${Object.keys(files).length}.${where === 'node' ? 'mjs' : 'js'}`;
    const base = where === 'node' ? IN_NODE : IN_A_PAGE;
    const made = await build({
      ...base,
      ...esbuild,
      entryPoints: [PROGRAM],
      write: false,
      outfile: join(folder, file),
    });
    const code = made.outputFiles[0].text;
    writeFileSync(join(folder, file), after === undefined ? code : await after(code));
    files[name] = file;
  }
  return files;
}

const [folder, where, tools] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await applyTools(folder, where, tools.split(','))));

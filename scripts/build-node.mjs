// The library for Node as one file, dist/node/bertgrad.js, and parts that are loaded when they are needed: 150 modules
// take longer to find and open than to run.
//   node scripts/build-node.mjs      after TypeScript was compiled
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './setup.mjs';

/** @returns bytes of what every program loads */
export async function buildNode(root = ROOT) {
  const { build } = await import('esbuild');
  const folder = join(root, 'dist', 'node');
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { bertgrad: 'dist/node.js' },
    outdir: 'dist/node',
    bundle: true,
    splitting: true, // what is imported by a call alone lies in files of its own
    chunkNames: 'part-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    // What the `imports` of package.json say for Node: they must not bring a second copy of their modules along.
    alias: { '#native': './dist/backend/native/index.js', '#gpu': './dist/backend/gpu/provider-node.js' },
    minifyWhitespace: true,
    minifySyntax: true,
    charset: 'ascii', // one byte a character in memory, too
    sourcemap: true,
    sourcesContent: false, // the compiled files lie beside it
    logLevel: 'error',
    metafile: true,
  });
  writeFileSync(join(folder, 'bertgrad.d.ts'), "export * from '../node.js';\n");
  return metafile.outputs['dist/node/bertgrad.js'].bytes;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(`dist/node/bertgrad.js: ${((await buildNode()) / 1000).toFixed(0)} kB\n`);
}

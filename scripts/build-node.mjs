// The library as one file for Node, dist/node/bertgrad.js: 150 modules take longer to find and open than to run.
//   node scripts/build-node.mjs      after TypeScript was compiled
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './setup.mjs';

const folder = join(ROOT, 'dist', 'node');
mkdirSync(folder, { recursive: true });
const made = await build({
  absWorkingDir: ROOT,
  entryPoints: ['dist/node.js'],
  outfile: join(folder, 'bertgrad.js'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  // What the `imports` of package.json say for Node: they must not bring a second copy of their modules along.
  alias: { '#native': './dist/backend/native/index.js', '#gpu': './dist/backend/gpu/provider-node.js' },
  minifyWhitespace: true,
  charset: 'utf8',
  sourcemap: true,
  logLevel: 'error',
  metafile: true,
});
writeFileSync(join(folder, 'bertgrad.d.ts'), "export * from '../node.js';\n");
const [[, { bytes }]] = Object.entries(made.metafile.outputs).filter(([path]) => path.endsWith('.js'));
process.stdout.write(`dist/node/bertgrad.js: ${(bytes / 1000).toFixed(0)} kB\n`);

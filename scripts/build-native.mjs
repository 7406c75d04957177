// Builds native/ into build/Release/bertgrad.node.
//   node scripts/build-native.mjs [--debug]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The compiler's script: our own package, else the copy inside npm, for who has installed us without it. */
function nodeGyp() {
  const require = createRequire(import.meta.url);
  for (const name of ['node-gyp/bin/node-gyp.js', 'npm/node_modules/node-gyp/bin/node-gyp.js']) {
    try {
      return require.resolve(name);
    } catch {}
  }
  const beside = join(dirname(process.execPath), '../lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js');
  return existsSync(beside) ? beside : undefined;
}

// Node's headers usually lie beside its binary; only if they do not, node-gyp downloads them.
const headers = join(dirname(process.execPath), '..');
const hasHeaders = existsSync(join(headers, 'include/node/node_api.h'));
const options = ['-j', '2', ...(hasHeaders ? [`--nodedir=${headers}`] : []), ...process.argv.slice(2)];

const script = nodeGyp();
if (script === undefined) {
  process.stderr.write('error: node-gyp is not installed; run `npm install`\n');
  process.exitCode = 1;
} else {
  // Not `rebuild`: make knows what changed, flags and headers included.
  for (const step of ['configure', 'build']) {
    const { status } = spawnSync(process.execPath, [script, step, ...options], { cwd: root, stdio: 'inherit' });
    process.exitCode = status ?? 1;
    if (status !== 0) break;
  }
}

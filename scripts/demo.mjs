// The demo, from a bare checkout: `npm run demo`, in Chinese `npm run demo -- --zh`.
import { spawnSync } from 'node:child_process';
import { ROOT, setup } from './setup.mjs';

const ready = setup();
if (!ready.packages || !ready.types) process.exit(1);
const demo = spawnSync(process.execPath, ['dist/cli/main.js', 'demo', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
});
process.exit(demo.status ?? 1);

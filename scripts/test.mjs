// All tests, from a bare checkout: `npm test`, or some of them: `npm test -- conformance -t softmax`.
import { spawnSync } from 'node:child_process';
import { ROOT, setup } from './setup.mjs';

const ready = setup();
if (!ready.packages) process.exit(1);
process.stderr.write(`backends: ${ready.native ? 'js, native' : 'js'}\n`);

const options = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --no-warnings`.trim();
const jest = spawnSync(process.execPath, ['node_modules/jest/bin/jest.js', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, NODE_OPTIONS: options },
});
if (!ready.types) process.stderr.write('failed: types are wrong (above), whatever the tests say\n');
process.exit(jest.status === 0 && !ready.types ? 1 : (jest.status ?? 1));

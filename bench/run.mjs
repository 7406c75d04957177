// node bench/run.mjs <what> [options]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { printHead } from './options.mjs';

const BENCHES = {
  roof: 'what this machine can do at most: multiply-adds, copies',
  matmul: 'matrix products at the shapes of BERT, as a share of the peak',
  attention: 'fused attention forwards and back, as a share of the peak',
  train: 'pre-training steps, beside PyTorch',
  layer: 'a layer forward and backward, beside the JavaScript engines',
  import: 'what loading the library takes',
  browser: 'products and a forward pass in Chromium, beside TensorFlow.js and jax-js',
  page: 'the ops of `bertgrad bench` in a browser, on its own adapter',
  table: 'the tables of docs/benchmarks.md, from files of `bertgrad bench --json`',
  infer: 'inference in each precision, beside onnxruntime',
  tokenize: 'text to ids, beside Hugging Face tokenizers',
};

const [name, ...options] = process.argv.slice(2);
if (!Object.hasOwn(BENCHES, name ?? '')) {
  if (name !== undefined) console.error(`error: unknown benchmark "${name}"`);
  console.error('usage: npm run bench -- <what> [options]');
  for (const [key, what] of Object.entries(BENCHES)) console.error(`  ${key.padEnd(10)}${what}`);
  process.exitCode = 2;
} else {
  const program = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  // Here, for a program's own --help needs the build that it imports.
  if (options.includes('--help') || options.includes('-h')) printHead(program);
  else process.exitCode = spawnSync(process.execPath, [program, ...options], { stdio: 'inherit' }).status ?? 1;
}

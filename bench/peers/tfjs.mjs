// TensorFlow.js on WebAssembly; under Node it has one thread.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.mjs';
import { load, locate, versionOf } from './package.mjs';
import { prepareTfjs } from './tfjs-cases.mjs';

/** The package, its WebAssembly backend chosen. */
export async function openTfjs() {
  const tf = load('@tensorflow/tfjs'); // with its gradients, which the core alone has not
  const wasm = load('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(`${dirname(locate('@tensorflow/tfjs-backend-wasm'))}/`);
  await tf.setBackend('wasm');
  await tf.ready();
  return { tf, runsOn: `TensorFlow.js ${versionOf('@tensorflow/tfjs')} on WebAssembly, 1 thread` };
}

export async function open() {
  const { tf, runsOn } = await openTfjs();
  return [
    {
      name: 'tfjs-wasm',
      runsOn,
      threads: 1,
      backend: null,
      prepare: (c, data) => prepareTfjs(tf, c, data),
      close: () => undefined,
    },
  ];
}

/** A whole model; see tfjs_model.mjs. */
export async function openModel({ work }) {
  locate('@tensorflow/tfjs-backend-wasm');
  const program = fileURLToPath(new URL('tfjs_model.mjs', import.meta.url));
  const child = await startChild(process.execPath, [program, JSON.stringify(work)]);
  return { name: 'tfjs-wasm', runsOn: child.hello.runsOn, threads: 1, child };
}

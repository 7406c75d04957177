// jax-js on WebAssembly, compiled by its own jit; under Node it has one thread. Forward, and backward by its vjp.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startChild } from './child.mjs';
import { locate, plainValues, versionOf } from './package.mjs';

/** Each op as its users write it. An array is consumed by its use, hence `.ref`. */
const OPS = ({ numpy: np, nn }) => ({
  matmul: (a, b) => np.matmul(a, b),
  linear: (x, weight, bias) => np.matmul(x, weight.transpose([1, 0])).add(bias),
  softmax: (x) => nn.softmax(x, -1),
  logSoftmax: (x) => nn.logSoftmax(x, -1),
  gelu: (x) => nn.gelu(x, { approximate: false }),
  geluTanh: (x) => nn.gelu(x),
  exp: (x) => np.exp(x),
  tanh: (x) => np.tanh(x),
  relu: (x) => nn.relu(x),
  add: (a, b) => a.add(b),
  mul: (a, b) => a.mul(b),
  sub: (a, b) => a.sub(b),
  div: (a, b) => a.div(b),
});

async function prepare(jax, c, data) {
  const f = OPS(jax)[c.op.name];
  const { transposeA, transposeB } = c.sample.attrs;
  if (f === undefined || transposeA || transposeB) return 'has no such op, or it was not written down';
  if (c.direction !== 'forward') return 'its gradients were not written down';
  const inputs = data.inputs.map(({ shape, data: values }) =>
    jax.numpy.array(plainValues(values), { shape: [...shape] }),
  );
  const compiled = jax.jit(f);
  const call = () => compiled(...inputs.map((x) => x.ref));
  try {
    await call().data();
  } catch (error) {
    return `its own words: ${String(error.message).split('\n')[0].slice(0, 90)}`;
  }
  return {
    run: async (times) => {
      let y = call();
      for (let i = 1; i < times; i++) {
        await y.blockUntilReady?.();
        y.dispose();
        y = call();
      }
      await y.data(); // it waits for the last one
    },
    results: async () => [await call().data()],
    free: () => inputs.forEach((x) => void x.dispose()),
  };
}

/** The package, its WebAssembly backend chosen. */
export async function openJax() {
  const path = locate('@jax-js/jax');
  globalThis.navigator ??= {}; // Node 20 has none, and jax-js looks there for WebGPU
  const jax = await import(pathToFileURL(path).href);
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  return { jax, runsOn: `jax-js ${versionOf('@jax-js/jax')} on WebAssembly, 1 thread` };
}

export async function open() {
  const { jax, runsOn } = await openJax();
  return [
    {
      name: 'jax-js',
      runsOn,
      threads: 1,
      backend: null,
      prepare: (c, data) => prepare(jax, c, data),
      close: () => undefined,
    },
  ];
}

/** A whole model; see jax_model.mjs. */
export async function openModel({ work }) {
  locate('@jax-js/jax');
  const program = fileURLToPath(new URL('jax_model.mjs', import.meta.url));
  const child = await startChild(process.execPath, [program, JSON.stringify(work)]);
  return { name: 'jax-js', runsOn: child.hello.runsOn, threads: 1, child };
}

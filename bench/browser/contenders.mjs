// Who is compared. A contender prepares a piece of work on its device and gives back: `run`, which computes and waits
// until it is done, by reading one number; `read`, the whole result; `close`.
import * as jax from '@jax-js/jax';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-webgl';
import '@tensorflow/tfjs-backend-webgpu';
import { noGrad } from '../../src/autograd/apply.ts';
import { scope } from '../../src/autograd/scope.ts';
import { createGpuBackend } from '../../src/backend/gpu/index.ts';
import { createWebGlBackend } from '../../src/backend/gpu/webgl/index.ts';
import { createJsBackend } from '../../src/backend/js/index.ts';
import { useBackend } from '../../src/backend/select.ts';
import { preset } from '../../src/bert/config.ts';
import { paddedInput } from '../../src/bert/input.ts';
import { BertModel } from '../../src/bert/model.ts';
import { Initializer } from '../../src/nn/init.ts';
import { inference } from '../../src/nn/pass.ts';
import { tensor } from '../../src/tensor/create.ts';
import { tfjsBert } from '../peers/tfjs-bert.mjs';

const OURS = {
  webgpu: () => createGpuBackend(),
  webgl2: () => createWebGlBackend(),
  js: async () => createJsBackend('f32'),
};
const opened = new Map();
async function ours(mode) {
  if (!opened.has(mode)) opened.set(mode, await OURS[mode]());
  return opened.get(mode);
}

async function one(backend, { buf }) {
  const first = backend.view(buf, 0, 1);
  const value = await backend.read(first);
  backend.free(first);
  return value;
}

async function useTf(name) {
  await tf.setBackend(name);
  await tf.ready();
}

async function oneOfTf(x) {
  const first = tf.slice(
    x,
    x.shape.map(() => 0),
    x.shape.map(() => 1),
  );
  const value = await first.data();
  first.dispose();
  return value;
}

const ourMatmul =
  (mode) =>
  async ({ a, b, m, k, n }) => {
    const backend = await ours(mode);
    const [x, w] = [tensor(a, [m, k], { backend }), tensor(b, [k, n], { backend })];
    let y = null;
    return {
      async run() {
        y?.dispose();
        y = noGrad(() => x.matmul(w));
        await one(backend, y);
      },
      read: () => y.data(),
      close: () => [x, w, y].forEach((t) => void t?.dispose()),
    };
  };

const tfMatmul =
  (name) =>
  async ({ a, b, m, k, n }) => {
    await useTf(name);
    const [x, w] = [tf.tensor2d(a, [m, k]), tf.tensor2d(b, [k, n])];
    let y = null;
    return {
      before: () => useTf(name),
      async run() {
        y?.dispose();
        y = tf.matMul(x, w);
        await oneOfTf(y);
      },
      read: () => y.data(),
      close: () => [x, w, y].forEach((t) => void t?.dispose()),
    };
  };

async function jaxMatmul({ a, b, m, k, n }) {
  await jax.init('webgpu');
  jax.defaultDevice('webgpu');
  const { numpy: np } = jax;
  const [x, w] = [np.array(a).reshape([m, k]), np.array(b).reshape([k, n])];
  let y = null;
  return {
    async run() {
      y?.dispose();
      y = np.matmul(x.ref, w.ref);
      await y.blockUntilReady();
    },
    read: () => y.ref.data(),
    close: () => [x, w, y].forEach((t) => void t?.dispose()),
  };
}

/** Names of ours begin with "bertgrad". */
export const MATMUL = {
  'bertgrad webgpu': ourMatmul('webgpu'),
  'bertgrad webgl2': ourMatmul('webgl2'),
  'bertgrad js': ourMatmul('js'),
  'tfjs webgpu': tfMatmul('webgpu'),
  'tfjs webgl': tfMatmul('webgl'),
  'jax-js webgpu': jaxMatmul,
};

/** A model and a batch without padding, the same for all. */
async function forwardWork(backend, { model: name, batch, seq }) {
  useBackend(backend);
  const config = preset(name, { vocabSize: 8000 });
  const model = new BertModel(config, new Initializer(1));
  const inputIds = Int32Array.from({ length: batch * seq }, (_, i) => 5 + ((i * 7919) % 7000));
  const tokenTypeIds = Int32Array.from({ length: batch * seq }, (_, i) => (i % seq < seq / 2 ? 0 : 1));
  const input = paddedInput({ batch, seq, inputIds, tokenTypeIds, lengths: new Int32Array(batch).fill(seq) });
  return { config, model, input };
}

const ourForward = (mode) => async (work) => {
  const backend = await ours(mode);
  const { model, input } = await forwardWork(backend, work);
  let y = null;
  return {
    async run() {
      y?.dispose();
      y = noGrad(() => scope(() => model.forward(input, inference()).hidden.keep()));
      await one(backend, y);
    },
    read: () => y.data(),
    close() {
      y?.dispose();
      model.dispose();
    },
  };
};

const tfForward = (name, mode) => async (work) => {
  const { config, model, input } = await forwardWork(await ours(mode), work);
  await useTf(name);
  const weights = new Map();
  for (const [key, parameter] of model.namedParameters()) {
    weights.set(key, tf.tensor(await parameter.data(), [...parameter.shape]));
  }
  const at = (name) => weights.get(name);
  const linear = (x, name) =>
    tf.fused.matMul({ a: x, b: at(`${name}.weight`), transposeB: true, bias: at(`${name}.bias`) });
  const { encode } = tfjsBert(tf, config, work, at, { linear });
  const ids = (data) => tf.tensor1d(data, 'int32');
  const args = {
    ids: ids(input.inputIds),
    positions: ids(input.positionIds),
    types: ids(input.tokenTypeIds),
    bias: tf.zeros([work.batch, 1, 1, work.seq]),
  };
  let y = null;
  return {
    before: () => useTf(name),
    async run() {
      y?.dispose();
      y = tf.tidy(() => encode(args));
      await oneOfTf(y);
    },
    read: () => y.data(),
    close() {
      model.dispose();
      for (const t of [...weights.values(), ...Object.values(args), y]) t?.dispose();
    },
  };
};

export const FORWARD = {
  'bertgrad webgpu': ourForward('webgpu'),
  'bertgrad webgl2': ourForward('webgl2'),
  'bertgrad js': ourForward('js'),
  'tfjs webgpu': tfForward('webgpu', 'webgpu'),
  'tfjs webgl': tfForward('webgl', 'webgl2'),
};
export const adapters = async (modes) =>
  Object.fromEntries(await Promise.all(modes.map(async (m) => [m, (await ours(m)).runsOn])));

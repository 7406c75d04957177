// TensorFlow.js in a page, for bench/peers/tfjs-page.mjs: prepares a case from files beside the page, calls it so many
// times, gives what it computes. It keeps the page's own clock.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import { prepareTfjs } from '../peers/tfjs-cases.mjs';

/** Which device a backend computes on, in its own words. */
const DEVICES = {
  webgl: () => {
    const gl = document.createElement('canvas').getContext('webgl2');
    const info = gl?.getExtension('WEBGL_debug_renderer_info');
    return info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : 'an unknown device';
  },
  webgpu: async () => {
    const { vendor, architecture, description } = (await navigator.gpu.requestAdapter()).info;
    return [description || vendor, architecture].filter(Boolean).join(' ') || 'an unknown device';
  },
};

async function use(backend) {
  if (!(await tf.setBackend(backend))) throw new Error(`this browser has no ${backend}`);
  await tf.ready();
  return { version: tf.version.tfjs, device: await DEVICES[backend]() };
}

const cases = new Map();

/** Reads one number of the last results: then all that was called is done. */
async function wait([last]) {
  const first = tf.slice(tf.reshape(last, [-1]), 0, 1);
  await first.data();
  first.dispose();
}

const valuesOf = async ({ file, ids }) => {
  const bytes = await (await fetch(file)).arrayBuffer();
  return ids ? new Int32Array(bytes) : new Float32Array(bytes);
};

async function prepare({ id, op, direction, attrs, inputs, outShape, dOut }) {
  const read = inputs.map(async (input) => ({ shape: input.shape, data: await valuesOf(input) }));
  const data = { inputs: await Promise.all(read), outShape, dOut: await valuesOf(dOut) };
  const prepared = await prepareTfjs(tf, { op: { name: op }, direction, sample: { attrs } }, data, wait);
  if (typeof prepared === 'string') return prepared;
  cases.set(id, prepared);
  return null;
}

async function run({ id, times }) {
  const from = performance.now();
  await cases.get(id).run(times);
  return (performance.now() - from) / 1000;
}

/** Bytes as text, which is what leaves a page. */
async function textOf(values) {
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(new Blob([values]));
  });
  return url.slice(url.indexOf(',') + 1);
}

const results = async ({ id }) =>
  Promise.all(
    (await cases.get(id).results()).map(async (values) =>
      values === null ? null : { ids: values instanceof Int32Array, text: await textOf(values) },
    ),
  );

function free({ id }) {
  cases.get(id)?.free();
  cases.delete(id);
}

Object.assign(globalThis, { peer: { use, prepare, run, results, free } });

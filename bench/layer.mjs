// One BERT layer, forward and backward, beside the JavaScript engines that run under Node: hidden size 256, 4 heads, 4 x 128
// tokens, no dropout. All have the same weights, and losses and gradients are compared before anything is timed. tfjs and
// jax-js have one thread there; ours has one and several.
//   node bench/layer.mjs [--threads 2] [--rounds 5] [--seconds 1]          peers: npm install --prefix bench
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { noGrad } from '../dist/autograd/apply.js';
import { scope } from '../dist/autograd/scope.js';
import { backward } from '../dist/autograd/tape.js';
import { useBackend } from '../dist/backend/select.js';
import { preset } from '../dist/bert/config.js';
import { EncoderLayer } from '../dist/bert/encoder.js';
import { paddedInput } from '../dist/bert/input.js';
import { Initializer } from '../dist/nn/init.js';
import { inference } from '../dist/nn/pass.js';
import { tensor } from '../dist/tensor/create.js';
import { median, nativeBackend, secondsOf } from './measure.mjs';
import { load, locate, versionOf } from './peers/package.mjs';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
  },
});

const [HIDDEN, HEADS, BATCH, SEQ] = [256, 4, 4, 128];
const ROWS = BATCH * SEQ;
const WIDTH = HIDDEN / HEADS;
/** Products alone, forward; twice as many backward. */
const FLOPS = ROWS * (24 * HIDDEN ** 2 + 4 * SEQ * HIDDEN);
const config = preset('mini', { vocabSize: 8, numHiddenLayers: 1, hiddenDropoutProb: 0, attentionProbsDropoutProb: 0 });

/** Numbers of a fixed sequence in [-scale, scale). */
function numbers(count, scale, state = 12345) {
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  });
}
const X = numbers(ROWS * HIDDEN, 1, 1);
/** The loss is the sum of these times the outputs. */
const C = numbers(ROWS * HIDDEN, 1, 2);

/** Ours on so many threads, with the weights that all others get. */
function ours(threads) {
  const backend = nativeBackend(threads);
  useBackend(backend);
  const layer = new EncoderLayer(config, 0, new Initializer(0));
  const [x, c] = [X, C].map((data) => tensor(data, [ROWS, HIDDEN]));
  const ids = new Int32Array(ROWS);
  const lengths = new Int32Array(BATCH).fill(SEQ);
  const input = paddedInput({ batch: BATCH, seq: SEQ, inputIds: ids, tokenTypeIds: ids, lengths });
  const layout = { input, keyBias: tensor(input.keyBias), offsets: tensor(input.offsets, undefined, { dtype: 'i32' }) };
  const loss = () => layer.forward(x, layout, inference()).mul(c).sum();
  const readOut = async (y) => {
    const value = await y.item();
    y.dispose();
    return value;
  };
  return {
    name: `bertgrad native, ${threads} thread${threads > 1 ? 's' : ''}`,
    parameters: layer.namedParameters(),
    forward: () => readOut(noGrad(() => scope(loss))),
    both() {
      layer.zeroGrad();
      const step = scope(() => {
        const y = loss();
        backward(y);
        return y;
      });
      return readOut(step);
    },
    gradient: () => layer.namedParameters().get(SEEN).grad.data(),
  };
}

/** The gradient that is compared. */
const SEEN = 'feedForward.intermediate.weight';

/** [rows, cols] the other way round: the others' users keep weights as [in, out], and their products are faster so. */
const turned = ({ data, shape: [rows, cols] }) => ({
  data: Float32Array.from(data, (_, i) => data[(i % rows) * cols + Math.floor(i / rows)]),
  shape: [cols, rows],
});
const theirs = ({ data, shape }) => (shape.length === 2 ? turned({ data, shape }) : { data, shape });
const seenOf = (data, { shape }) => turned({ data, shape: [...shape].reverse() }).data;

/** The layer in TensorFlow.js, as a function of its parameters. */
const tfjsLayer =
  (tf, names, x, c) =>
  (...given) => {
    const at = (name) => given[names.indexOf(name)];
    const linear = (t, name) => tf.add(tf.matMul(t, at(`${name}.weight`)), at(`${name}.bias`));
    const norm = (t, name) => {
      const { mean, variance } = tf.moments(t, -1, true);
      const scaled = tf.mul(tf.sub(t, mean), tf.rsqrt(tf.add(variance, config.layerNormEps)));
      return tf.add(tf.mul(scaled, at(`${name}.weight`)), at(`${name}.bias`));
    };
    const gelu = (t) => tf.mul(tf.mul(t, 0.5), tf.add(tf.erf(tf.mul(t, Math.SQRT1_2)), 1));
    const split = (t) => tf.transpose(tf.reshape(t, [BATCH, SEQ, HEADS, WIDTH]), [0, 2, 1, 3]);
    const [q, k, v] = ['query', 'key', 'value'].map((part) => split(linear(x, `attention.${part}`)));
    const mixed = tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), WIDTH ** -0.5)), v);
    const rows = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [ROWS, HIDDEN]);
    const attended = norm(tf.add(linear(rows, 'attention.output'), x), 'attention.norm');
    const wide = gelu(linear(attended, 'feedForward.intermediate'));
    return tf.sum(tf.mul(norm(tf.add(linear(wide, 'feedForward.output'), attended), 'feedForward.norm'), c));
  };

async function tfjs(weights) {
  const tf = load('@tensorflow/tfjs'); // with its gradients, which the core alone has not
  const wasm = load('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(`${dirname(locate('@tensorflow/tfjs-backend-wasm'))}/`);
  await tf.setBackend('wasm');
  const names = [...weights.keys()];
  const parameters = names.map((name) => {
    const { data, shape } = theirs(weights.get(name));
    return tf.tensor(data, shape);
  });
  const [x, c] = [X, C].map((data) => tf.tensor(data, [ROWS, HIDDEN]));
  const layer = tfjsLayer(tf, names, x, c);
  const withGrads = tf.valueAndGrads(layer);
  let seen = null;
  return {
    name: `tfjs ${versionOf('@tensorflow/tfjs-core')} WebAssembly, 1 thread`,
    forward: async () => tf.tidy(() => layer(...parameters).dataSync()[0]),
    both: async () =>
      tf.tidy(() => {
        const { value, grads } = withGrads(parameters);
        for (const grad of grads) grad.dataSync();
        seen = seenOf(grads[names.indexOf(SEEN)].dataSync(), weights.get(SEEN));
        return value.dataSync()[0];
      }),
    gradient: async () => seen,
  };
}

/** The layer in jax-js. An array is consumed by its use, hence `.ref`. */
const jaxLayer = (np, nn, names) => (given, x, c) => {
  const at = (name) => given[names.indexOf(name)];
  const linear = (t, name) => np.matmul(t, at(`${name}.weight`)).add(at(`${name}.bias`));
  const norm = (t, name) => {
    const centred = t.ref.sub(np.mean(t, -1, { keepdims: true }));
    const variance = np.mean(centred.ref.mul(centred.ref), -1, { keepdims: true });
    const scaled = centred.div(np.sqrt(variance.add(config.layerNormEps)));
    return scaled.mul(at(`${name}.weight`)).add(at(`${name}.bias`));
  };
  const split = (t) => t.reshape([BATCH, SEQ, HEADS, WIDTH]).transpose([0, 2, 1, 3]);
  const [q, k, v] = ['query', 'key', 'value'].map((part) => split(linear(x.ref, `attention.${part}`)));
  const scores = np.matmul(q, k.transpose([0, 1, 3, 2])).mul(WIDTH ** -0.5);
  const rows = np.matmul(nn.softmax(scores, -1), v).transpose([0, 2, 1, 3]).reshape([ROWS, HIDDEN]);
  const attended = norm(linear(rows, 'attention.output').add(x), 'attention.norm');
  const wide = nn.gelu(linear(attended.ref, 'feedForward.intermediate'), { approximate: false });
  return np.sum(norm(linear(wide, 'feedForward.output').add(attended), 'feedForward.norm').mul(c));
};

async function jax(weights) {
  globalThis.navigator ??= {}; // Node 20 has none, and jax-js looks there for WebGPU
  const {
    numpy: np,
    nn,
    jit,
    valueAndGrad,
    init,
    defaultDevice,
  } = await import(pathToFileURL(locate('@jax-js/jax')).href);
  await init('wasm');
  defaultDevice('wasm');
  const names = [...weights.keys()];
  const parameters = names.map((name) => {
    const { data, shape } = theirs(weights.get(name));
    return np.array(data, { shape });
  });
  const [x, c] = [X, C].map((data) => np.array(data, { shape: [ROWS, HIDDEN] }));
  const layer = jaxLayer(np, nn, names);
  const [forward, both] = [jit(layer), jit(valueAndGrad(layer))];
  const given = () => [parameters.map((p) => p.ref), x.ref, c.ref];
  let seen = null;
  return {
    name: `jax-js ${versionOf('@jax-js/jax')} WebAssembly, 1 thread`,
    forward: async () => (await forward(...given()).data())[0],
    async both() {
      const [value, grads] = both(...given());
      const found = await Promise.all(grads.map((grad) => grad.data()));
      seen = seenOf(found[names.indexOf(SEEN)], weights.get(SEEN));
      return (await value.data())[0];
    },
    gradient: async () => seen,
  };
}

/** @throws {Error} another loss, or another gradient, than ours by more than rounding */
async function check(side, want) {
  const [loss, both] = [await side.forward(), await side.both()];
  const gradient = await side.gradient();
  const scale = want.gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
  const off = gradient.reduce((most, g, i) => Math.max(most, Math.abs(g - want.gradient[i])), 0) / scale;
  const lossOff = Math.max(Math.abs(loss - want.loss), Math.abs(both - want.loss)) / Math.sqrt(ROWS * HIDDEN);
  if (off < 1e-4 && lossOff < 1e-4) return;
  throw new Error(
    `computes something else: loss ${loss}, ours ${want.loss}; gradients differ by ${off} of the largest`,
  );
}

const several = Number(values.threads);
const sides = [...new Set([1, several])].map(ours);
const want = { loss: await sides[0].both(), gradient: await sides[0].gradient() };
const weights = new Map();
for (const [name, parameter] of sides[0].parameters) {
  weights.set(name, { data: new Float32Array(await parameter.data()), shape: parameter.shape });
}
for (const [name, open] of Object.entries({ tfjs, jax })) {
  try {
    sides.push(await open(weights));
  } catch (error) {
    console.log(`${name}: not run: ${error.message.split('\n')[0]}`);
  }
}
for (const side of sides) await check(side, want);

const times = new Map(sides.map((side) => [side, { forward: [], both: [] }]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
    for (const what of ['forward', 'both'])
      times.get(side)[what].push(await secondsOf(side[what], Number(values.seconds)));
  }
}
const best = sides.find(({ name }) => name.startsWith(`bertgrad native, ${several}`));
const ms = (seconds) => `${(1000 * seconds).toFixed(2)} ms`.padStart(12);
console.log(
  `forward, and with backward; GFLOP/s of both; beside it how much longer than ours on ${several} threads (rounds)`,
);
for (const side of sides) {
  const { forward, both } = times.get(side);
  const ratios = both.map((seconds, i) => seconds / times.get(best).both[i]).sort((a, b) => a - b);
  const range = `${median(ratios).toFixed(2)} (${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)})`;
  const rate = `${((3 * FLOPS) / median(both) / 1e9).toFixed(1)} GFLOP/s`.padStart(14);
  console.log(`${side.name.padEnd(36)}${ms(median(forward))}${ms(median(both))}${rate}  ${range}`);
}

// One BERT layer, forward and backward, beside the JavaScript engines that run under Node: hidden size 256, 4 heads, 4 x 128
// tokens, no dropout. All have the same weights, and losses and gradients are compared before anything is timed. tfjs and
// jax-js have one thread there; ours has one and several.
//   node bench/layer.mjs [--threads 2] [--rounds 5] [--seconds 1]          peers: npm install --prefix bench
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
import { parseOptions } from './options.mjs';
import { openJax } from './peers/jax.mjs';
import { jaxBert } from './peers/jax-bert.mjs';
import { theirs, turned } from './peers/model-side.mjs';
import { openTfjs } from './peers/tfjs.mjs';
import { tfjsBert } from './peers/tfjs-bert.mjs';

const { values } = parseOptions({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
  },
});

const [HIDDEN, BATCH, SEQ] = [256, 4, 128]; // 4 heads
const ROWS = BATCH * SEQ;
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

const seenOf = (data, { shape }) => turned({ data, shape: [...shape].reverse() }).data;
const SIZES = { batch: BATCH, seq: SEQ };

async function tfjs(weights) {
  const { tf, runsOn } = await openTfjs();
  const names = [...weights.keys()];
  const parameters = names.map((name) => {
    const { data, shape } = theirs(name, weights.get(name));
    return tf.tensor(data, shape);
  });
  const [x, c] = [X, C].map((data) => tf.tensor(data, [ROWS, HIDDEN]));
  const layer = (...given) => {
    const at = (name) => given[names.indexOf(name)];
    return tf.sum(tf.mul(tfjsBert(tf, config, SIZES, at).layer(x, ''), c));
  };
  const withGrads = tf.valueAndGrads(layer);
  let seen = null;
  return {
    name: runsOn,
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

async function jax(weights) {
  const { jax: api, runsOn } = await openJax();
  const { numpy: np, jit, valueAndGrad } = api;
  const names = [...weights.keys()];
  const parameters = names.map((name) => {
    const { data, shape } = theirs(name, weights.get(name));
    return np.array(data, { shape });
  });
  const [x, c] = [X, C].map((data) => np.array(data, { shape: [ROWS, HIDDEN] }));
  const layer = (given, rows, factors) => {
    const at = (name) => given[names.indexOf(name)];
    return np.sum(jaxBert(api, config, SIZES, at).layer(rows, '').mul(factors));
  };
  const [forward, both] = [jit(layer), jit(valueAndGrad(layer))];
  const given = () => [parameters.map((p) => p.ref), x.ref, c.ref];
  let seen = null;
  return {
    name: runsOn,
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
  console.log(`${side.name.padEnd(50)}${ms(median(forward))}${ms(median(both))}${rate}  ${range}`);
}

// A whole BERT in jax-js on WebAssembly, in a process of its own, with our weights: the encoder and its pooler, compiled by
// its jit, or a step of pre-training as ours (dropout 0.1, AdamW with decay of matrices, clipping to norm 1). Of that the
// update alone is compiled: jit of 0.1.25 refuses the gradient of rows of a table ("scatter input is not imm").
//   node jax_model.mjs '{"kind":"train","model":"tiny",...}'
import { batchOf } from '../../dist/bench/model-work.js';
import { preset } from '../../dist/bert/config.js';
import { openJax } from './jax.mjs';
import { jaxBert } from './jax-bert.mjs';
import { ourWeights, serveModel, theirs } from './model-side.mjs';

const work = JSON.parse(process.argv[2]);
const { jax, runsOn } = await openJax();
const { numpy: np, jit, valueAndGrad, random } = jax;
const config = preset(work.model, { vocabSize: work.vocab });
const entries = [...(await ourWeights(work))].map(([name, one]) => [name.replace(/^bert\./, ''), theirs(name, one)]);
const names = entries.map(([name]) => name);
let parameters = entries.map(([, { data, shape }]) => np.array(data, { shape }));
const one = batchOf(work);
const { batch, seq } = work;
const ids = (data) => np.array(Int32Array.from(data), { dtype: np.int32 });
const starts = ids(Array.from({ length: batch }, (_, b) => b * seq));
const input = { ids: ids(one.inputIds), positions: ids(one.inputIds.map((_, i) => i % seq)), starts };

/** A parameter by name; one that is read twice stays for the second time. */
const reader = (given) => (name) => given[names.indexOf(name)].ref;
const refs = (arrays) => arrays.map((x) => x.ref);
const refsOf = (named) => Object.fromEntries(Object.entries(named).map(([name, x]) => [name, x.ref]));

/** What ours has. */
const [RATE, DECAY, BETA1, BETA2, EPS] = [1e-4, 0.01, 0.9, 0.999, 1e-6];

/** Parameters and moments after a step of AdamW, gradients clipped to norm 1. */
const update = jit((given, grads, m, v, corrections) => {
  const squares = grads.map((grad) => np.sum(grad.ref.mul(grad.ref))).reduce((sum, x) => sum.add(x));
  const factor = np.minimum(np.array(1).div(np.sqrt(squares).add(EPS)), 1);
  const next = given.map((p, i) => {
    const grad = grads[i].mul(factor.ref);
    const nextM = m[i].mul(BETA1).add(grad.ref.mul(1 - BETA1));
    const nextV = v[i].mul(BETA2).add(grad.ref.mul(grad).mul(1 - BETA2));
    const step = nextM.ref.mul(corrections.m.ref).div(np.sqrt(nextV.ref.mul(corrections.v.ref)).add(EPS));
    const decayed = p.ndim > 1 ? p.mul(1 - RATE * DECAY) : p;
    return [decayed.sub(step.mul(RATE)), nextM, nextV];
  });
  return [0, 1, 2].map((part) => next.map((each) => each[part]));
});

function training() {
  const keep = 1 - config.hiddenDropoutProb;
  const lossOf = (given, batchNow, key) => {
    let place = 0;
    const drop = (x) => {
      const kept = random.bernoulli(random.key(key.ref.add(place++)), keep, x.shape);
      return np.where(kept, x.mul(1 / keep), 0);
    };
    return jaxBert(jax, config, work, reader(given), drop).loss(batchNow);
  };
  const slope = valueAndGrad(lossOf);
  const more = {
    types: one.tokenTypeIds,
    masked: one.maskedPositions,
    words: one.maskedLabels,
    pairs: one.sentenceLabels,
  };
  const given = { ...input, ...Object.fromEntries(Object.entries(more).map(([name, data]) => [name, ids(data)])) };
  let [m, v] = [0, 1].map(() => parameters.map(({ shape }) => np.zeros(shape)));
  let steps = 0;
  return async () => {
    steps++;
    const [loss, grads] = slope(refs(parameters), refsOf(given), np.array(steps, { dtype: np.uint32 }));
    const corrections = { m: np.array(1 / (1 - BETA1 ** steps)), v: np.array(1 / (1 - BETA2 ** steps)) };
    [parameters, m, v] = update(parameters, grads, m, v, corrections);
    await Promise.all(parameters.map((p) => p.blockUntilReady()));
    return Array.from(await loss.data());
  };
}

function inferring() {
  const call = jit((given, batchNow) => {
    const bert = jaxBert(jax, config, work, reader(given));
    const { starts: first, ...rest } = batchNow;
    const hidden = bert.encode(rest);
    return [hidden.ref, bert.pool(hidden, first)];
  });
  const given = { ...input, types: ids(new Int32Array(batch * seq)) };
  return async () => {
    const [hidden, pooled] = call(refs(parameters), refsOf(given));
    const [values] = await Promise.all([hidden.data(), pooled.data()]);
    return Array.from(values.subarray(0, config.hiddenSize));
  };
}

const [call, note] = work.kind === 'train' ? [training(), ', gradients not compiled'] : [inferring(), ''];
await serveModel({ runsOn: `${runsOn}${note}`, sample: await call() }, call);

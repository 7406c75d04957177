// A whole BERT in TensorFlow.js on WebAssembly, in a process of its own, with our weights: the encoder and its pooler, or a
// step of pre-training as ours (dropout 0.1, AdamW with decay of matrices, clipping to norm 1).
//   node tfjs_model.mjs '{"kind":"train","model":"tiny",...}'
import { batchOf } from '../../dist/bench/model-work.js';
import { preset } from '../../dist/bert/config.js';
import { ourWeights, serveModel, theirs } from './model-side.mjs';
import { openTfjs } from './tfjs.mjs';
import { tfjsBert } from './tfjs-bert.mjs';

const work = JSON.parse(process.argv[2]);
const { tf, runsOn } = await openTfjs();
const config = preset(work.model, { vocabSize: work.vocab });
const variables = new Map();
for (const [name, one] of await ourWeights(work)) {
  const { data, shape } = theirs(name, one);
  variables.set(name.replace(/^bert\./, ''), tf.variable(tf.tensor(data, shape), true, name));
}
const at = (name) => variables.get(name);
const one = batchOf(work);
const { batch, seq } = work;
const ids = (data) => tf.tensor1d(data, 'int32');
const starts = ids(Int32Array.from({ length: batch }, (_, b) => b * seq));
const input = { ids: ids(one.inputIds), positions: ids(one.inputIds.map((_, i) => i % seq)) };

/** Rate and decay are those of ours. */
const [RATE, DECAY] = [1e-4, 0.01];

function training() {
  const drop = (x) => tf.dropout(x, config.hiddenDropoutProb);
  const bert = tfjsBert(tf, config, work, at, { drop });
  const [types, masked, words] = [one.tokenTypeIds, one.maskedPositions, one.maskedLabels].map(ids);
  const given = { ...input, types, masked, words, pairs: ids(one.sentenceLabels), starts };
  const optimizer = tf.train.adam(RATE, 0.9, 0.999, 1e-6);
  const all = [...variables.values()];
  const matrices = all.filter(({ shape }) => shape.length > 1);
  return async () => {
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => bert.loss(given), all);
      const squares = Object.values(grads).map((grad) => tf.sum(tf.square(grad)));
      const factor = tf.minimum(1, tf.div(1, tf.add(tf.sqrt(tf.addN(squares)), 1e-6)));
      for (const name of Object.keys(grads)) grads[name] = tf.mul(grads[name], factor);
      for (const matrix of matrices) matrix.assign(tf.mul(matrix, 1 - RATE * DECAY));
      optimizer.applyGradients(grads);
      return value;
    });
    const [value] = await loss.data();
    loss.dispose();
    return [value];
  };
}

function inferring() {
  const bert = tfjsBert(tf, config, work, at);
  const given = { ...input, types: tf.zerosLike(input.ids) };
  return async () => {
    const [hidden, pooled] = tf.tidy(() => {
      const found = bert.encode(given);
      return [found, bert.pool(found, starts)];
    });
    const [values] = await Promise.all([hidden.data(), pooled.data()]);
    tf.dispose([hidden, pooled]);
    return Array.from(values.subarray(0, config.hiddenSize));
  };
}

const call = work.kind === 'train' ? training() : inferring();
await serveModel({ runsOn, sample: await call() }, call);

// BERT in TensorFlow.js, layer for layer as src/bert has it. Runs in Node and in a page.

/**
 * A BERT of our shape, as functions of its parameters.
 * @param at gives a parameter by its name; weights are [in, out] where `linear` is not given
 * @param linear (x, name): a product with its bias; default: in plain ops
 * @param drop dropout; default: none
 */
export function tfjsBert(tf, config, { batch, seq }, at, { linear = plainLinear(tf, at), drop = (x) => x } = {}) {
  const { hiddenSize, numAttentionHeads: heads, numHiddenLayers, layerNormEps: eps } = config;
  const width = hiddenSize / heads;
  const norm = (x, name) => {
    const { mean, variance } = tf.moments(x, -1, true);
    const scaled = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, eps)));
    return tf.add(tf.mul(scaled, at(`${name}.weight`)), at(`${name}.bias`));
  };
  /** x * Phi(x), by erf. */
  const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  const split = (x) => tf.transpose(tf.reshape(x, [batch, seq, heads, width]), [0, 2, 1, 3]); // [batch, heads, seq, headDim]

  /** @param bias added to the scores of each key; null: every key is seen */
  function layer(x, prefix, bias = null) {
    const [q, k, v] = ['query', 'key', 'value'].map((part) => split(linear(x, `${prefix}attention.${part}`)));
    const scores = tf.mul(tf.matMul(q, k, false, true), width ** -0.5); // [batch, heads, seq, seq]
    const mixed = tf.matMul(drop(tf.softmax(bias === null ? scores : tf.add(scores, bias))), v);
    const rows = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch * seq, hiddenSize]);
    const attended = norm(tf.add(drop(linear(rows, `${prefix}attention.output`)), x), `${prefix}attention.norm`);
    const wide = gelu(linear(attended, `${prefix}feedForward.intermediate`));
    return norm(tf.add(drop(linear(wide, `${prefix}feedForward.output`)), attended), `${prefix}feedForward.norm`);
  }

  /** @returns [batch * seq, hidden] */
  function encode({ ids, positions, types, bias = null }) {
    const sum = tf.add(
      tf.add(rowsOf(tf, at('embeddings.word.weight'), ids), rowsOf(tf, at('embeddings.tokenType.weight'), types)),
      rowsOf(tf, at('embeddings.position.weight'), positions),
    );
    let x = drop(norm(sum, 'embeddings.norm'));
    for (let i = 0; i < numHiddenLayers; i++) x = layer(x, `encoder.layers.${i}.`, bias);
    return x;
  }

  /** @returns [batch, hidden] */
  const pool = (hidden, starts) => tf.tanh(linear(rowsOf(tf, hidden, starts), 'pooler.dense'));

  /** Of masked words, logits at these alone, and of pairs of sentences. */
  function loss({ masked, words, pairs, starts, ...input }) {
    const hidden = encode(input);
    const read = norm(gelu(linear(rowsOf(tf, hidden, masked), 'mlm.dense')), 'mlm.norm');
    const logits = tf.add(tf.matMul(read, at('embeddings.word.weight'), false, true), at('mlm.bias')); // [masked, vocab]
    const judged = linear(pool(hidden, starts), 'sentence.dense'); // [batch, 2]
    const of = (labels, scores) => tf.losses.softmaxCrossEntropy(tf.oneHot(labels, scores.shape[1]), scores);
    return tf.add(of(words, logits), of(pairs, judged));
  }
  return { layer, encode, pool, loss };
}

const plainLinear = (tf, at) => (x, name) => tf.add(tf.matMul(x, at(`${name}.weight`)), at(`${name}.bias`));

/** Rows of a table. Its own gradient needs a kernel that the WebAssembly backend has not; scatterND adds up as well. */
const rowsOf = (tf, table, ids) =>
  tf.customGrad((x) => ({
    value: tf.gather(x, ids),
    gradFunc: (d) => tf.scatterND(tf.expandDims(ids, 1), d, x.shape),
  }))(table);

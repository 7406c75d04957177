// BERT in jax-js, layer for layer as src/bert has it. An array is consumed by its use, hence `.ref`.

/** Rows with mean 0 and variance 1. */
function standardized(np, x, eps) {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(centred.ref.mul(centred.ref), -1, { keepdims: true });
  return centred.div(np.sqrt(variance.add(eps)));
}

/** Mean over the rows of [rows, classes]. */
function crossEntropy({ np, nn }, labels, scores) {
  const [rows, classes] = scores.shape;
  return np.sum(nn.logSoftmax(scores, -1).mul(nn.oneHot(labels, classes))).mul(-1 / rows);
}

/**
 * A BERT of our shape, as functions of its parameters; weights are [in, out].
 * @param drop (x, place): dropout, with random numbers of its own at each place; default: none
 */
export function jaxBert({ numpy: np, nn }, config, { batch, seq }, at, drop = (x) => x) {
  const { hiddenSize, numAttentionHeads: heads, numHiddenLayers, layerNormEps: eps } = config;
  const width = hiddenSize / heads;
  const linear = (x, name) => np.matmul(x, at(`${name}.weight`)).add(at(`${name}.bias`));
  const norm = (x, name) =>
    standardized(np, x, eps)
      .mul(at(`${name}.weight`))
      .add(at(`${name}.bias`));
  const gelu = (x) => nn.gelu(x, { approximate: false });
  const split = (x) => x.reshape([batch, seq, heads, width]).transpose([0, 2, 1, 3]); // [batch, heads, seq, headDim]

  function layer(x, prefix) {
    const [q, k, v] = ['query', 'key', 'value'].map((part) => split(linear(x.ref, `${prefix}attention.${part}`)));
    const scores = np.matmul(q, k.transpose([0, 1, 3, 2])).mul(width ** -0.5); // [batch, heads, seq, seq]
    const mixed = np.matmul(drop(nn.softmax(scores, -1), `${prefix}probs`), v);
    const rows = mixed.transpose([0, 2, 1, 3]).reshape([batch * seq, hiddenSize]);
    const out = drop(linear(rows, `${prefix}attention.output`), `${prefix}attended`);
    const attended = norm(out.add(x), `${prefix}attention.norm`);
    const wide = gelu(linear(attended.ref, `${prefix}feedForward.intermediate`));
    const narrow = drop(linear(wide, `${prefix}feedForward.output`), `${prefix}fed`);
    return norm(narrow.add(attended), `${prefix}feedForward.norm`);
  }

  /** @returns [batch * seq, hidden] */
  function encode({ ids, positions, types }) {
    const rows = ['word', 'tokenType', 'position'].map((table, i) =>
      np.take(at(`embeddings.${table}.weight`), [ids, types, positions][i], 0),
    );
    let x = drop(norm(rows[0].add(rows[1]).add(rows[2]), 'embeddings.norm'), 'embeddings');
    for (let i = 0; i < numHiddenLayers; i++) x = layer(x, `encoder.layers.${i}.`);
    return x;
  }

  /** @returns [batch, hidden] */
  const pool = (hidden, starts) => np.tanh(linear(np.take(hidden, starts, 0), 'pooler.dense'));

  /** Of masked words, logits at these alone, and of pairs of sentences. */
  function loss({ masked, words, pairs, starts, ...input }) {
    const hidden = encode(input);
    const read = norm(gelu(linear(np.take(hidden.ref, masked, 0), 'mlm.dense')), 'mlm.norm');
    const logits = np.matmul(read, at('embeddings.word.weight').transpose([1, 0])).add(at('mlm.bias')); // [masked, vocab]
    const judged = linear(pool(hidden, starts), 'sentence.dense'); // [batch, 2]
    return crossEntropy({ np, nn }, words, logits).add(crossEntropy({ np, nn }, pairs, judged));
  }
  return { layer, encode, pool, loss };
}

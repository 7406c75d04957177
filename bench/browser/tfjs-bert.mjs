// The forward pass of a BERT encoder in TensorFlow.js, layer for layer as src/bert has it: bias fused into the matmul,
// the rest in the ops that tfjs has.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';

function layerNorm(x, gamma, beta, eps) {
  const { mean, variance } = tf.moments(x, -1, true);
  return x.sub(mean).mul(variance.add(eps).rsqrt()).mul(gamma).add(beta);
}

/** x * Phi(x), by erf. */
const gelu = (x) => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));

/** @param weights tensors by our names; `linear` weights are [out, in] */
export function tfjsBert(config, weights, { batch, seq }) {
  const { hiddenSize, numAttentionHeads: heads, numHiddenLayers, layerNormEps: eps } = config;
  const at = (name) => {
    const found = weights.get(name);
    if (found === undefined) throw new Error(`no parameter ${name}`);
    return found;
  };
  const linear = (x, name, activation = (y) => y) =>
    activation(tf.fused.matMul({ a: x, b: at(`${name}.weight`), transposeB: true, bias: at(`${name}.bias`) }));
  const norm = (x, name) => layerNorm(x, at(`${name}.weight`), at(`${name}.bias`), eps);
  const split = (x) => x.reshape([batch, seq, heads, hiddenSize / heads]).transpose([0, 2, 1, 3]); // [batch, heads, seq, headDim]

  function layer(x, prefix, bias) {
    const [q, k, v] = ['query', 'key', 'value'].map((part) => split(linear(x, `${prefix}.attention.${part}`)));
    const scores = tf
      .matMul(q, k, false, true)
      .mul(1 / Math.sqrt(hiddenSize / heads))
      .add(bias); // [batch, heads, seq, seq]
    const mixed = tf
      .matMul(scores.softmax(), v)
      .transpose([0, 2, 1, 3])
      .reshape([batch * seq, hiddenSize]);
    const attended = norm(linear(mixed, `${prefix}.attention.output`).add(x), `${prefix}.attention.norm`);
    const wide = linear(attended, `${prefix}.feedForward.intermediate`, gelu);
    return norm(linear(wide, `${prefix}.feedForward.output`).add(attended), `${prefix}.feedForward.norm`);
  }

  /** @returns [batch * seq, hidden] */
  return ({ ids, positions, types, bias }) =>
    tf.tidy(() => {
      const words = tf.gather(at('embeddings.word.weight'), ids);
      const sum = words
        .add(tf.gather(at('embeddings.tokenType.weight'), types))
        .add(tf.gather(at('embeddings.position.weight'), positions));
      let x = norm(sum, 'embeddings.norm');
      for (let i = 0; i < numHiddenLayers; i++) x = layer(x, `encoder.layers.${i}`, bias);
      return x;
    });
}

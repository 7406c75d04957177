// Cases in TensorFlow.js, on whichever of its backends is chosen: forward, and backward by its own gradients where its
// kernels have them. Runs in Node and in a page.

/** Each op as its users write it. */
const OPS = (tf) => ({
  matmul: ([a, b], { transposeA, transposeB }) => tf.matMul(a, b, transposeA, transposeB),
  linear: ([x, weight, bias]) => tf.add(tf.matMul(x, weight), bias),
  softmax: ([x]) => tf.softmax(x),
  logSoftmax: ([x]) => tf.logSoftmax(x),
  layerNorm: ([x, gamma, beta], { eps }) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, eps))), gamma), beta);
  },
  gelu: ([x]) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  gather: ([table, ids]) => tf.gather(table, ids),
  sum: ([x], { axes, keepDims }) => tf.sum(x, axes, keepDims),
  mean: ([x], { axes, keepDims }) => tf.mean(x, axes, keepDims),
  max: ([x], { axes, keepDims }) => tf.max(x, axes, keepDims),
  min: ([x], { axes, keepDims }) => tf.min(x, axes, keepDims),
  permute: ([x], { axes }) => tf.transpose(x, axes),
  concat: (inputs, { axis }) => tf.concat(inputs, axis),
  expand: ([x], { shape }) => tf.broadcastTo(x, shape),
  exp: ([x]) => tf.exp(x),
  tanh: ([x]) => tf.tanh(x),
  sigmoid: ([x]) => tf.sigmoid(x),
  relu: ([x]) => tf.relu(x),
  erf: ([x]) => tf.erf(x),
  sqrt: ([x]) => tf.sqrt(x),
  square: ([x]) => tf.square(x),
  add: ([a, b]) => tf.add(a, b),
  sub: ([a, b]) => tf.sub(a, b),
  mul: ([a, b]) => tf.mul(a, b),
  div: ([a, b]) => tf.div(a, b),
});

/** Inputs that its users keep the other way round: its fast product takes no transposed matrix. */
const TURNED = { linear: [1] };

/** Results of one call, to be disposed of by the caller. */
function callOf(tf, f, c, tensors, dOut) {
  const { attrs } = c.sample;
  if (c.direction === 'forward') return () => [tf.tidy(() => f(tensors, attrs))];
  const floats = tensors.filter(({ dtype }) => dtype === 'float32');
  const gradients = tf.grads((...given) =>
    f(
      tensors.map((t) => (t.dtype === 'float32' ? given.shift() : t)),
      attrs,
    ),
  );
  return () => tf.tidy(() => gradients(floats, dOut));
}

/** Values as it takes them: float32, or whole numbers as they are. */
const plainValues = (data) => (data instanceof Int32Array ? data : Float32Array.from(data));

/**
 * A case on the chosen backend, or the reason why not.
 * @param wait what `run` ends with, given the last results: a device has to be asked whether it is done
 */
export async function prepareTfjs(tf, c, data, wait = async () => undefined) {
  const f = OPS(tf)[c.op.name];
  if (f === undefined) return 'has no such op, or it was not written down';
  const turned = (i) => (TURNED[c.op.name] ?? []).includes(i);
  const tensors = data.inputs.map(({ shape, data: values }, i) => {
    const tensor = tf.tensor(plainValues(values), shape, values instanceof Int32Array ? 'int32' : 'float32');
    return turned(i) ? tf.transpose(tensor) : tensor;
  });
  const dOut = tf.tensor(Float32Array.from(data.dOut), data.outShape);
  const call = callOf(tf, f, c, tensors, dOut);
  try {
    tf.dispose(call());
  } catch (error) {
    tf.dispose([...tensors, dOut]);
    return `its own words: ${String(error.message).split('\n')[0].slice(0, 90)}`;
  }
  return {
    run: async (times) => {
      for (let i = 1; i < times; i++) tf.dispose(call());
      const made = call();
      await wait(made);
      tf.dispose(made);
    },
    results: async () => {
      const made = call();
      const inOrder = made.map((tensor, i) => (made.length > 1 && turned(i) ? tf.transpose(tensor) : tensor));
      const values = await Promise.all(inOrder.map((tensor) => tensor.data()));
      tf.dispose([made, inOrder]);
      return c.direction === 'forward'
        ? values
        : data.inputs.map(({ data: x }) => (x instanceof Int32Array ? null : values.shift()));
    },
    free: () => tf.dispose([...tensors, dOut]),
  };
}

import { Rng, STREAM } from '../core/random.js';
import type { Shape } from '../core/shape.js';
import { fromDraws, full } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';

/**
 * Makes a model's parameters, each from random numbers of its own: a parameter's values depend on the seed and on how
 * many were made before it, not on how many numbers those took.
 */
export class Initializer {
  private made = 0;

  constructor(readonly seed: number) {}

  /**
   * Normal with the given deviation, cut at two deviations and drawn again beyond (google-research/bert
   * modeling.py:375, tf.truncated_normal_initializer; the deviation that remains is 0.88 of `deviation`).
   */
  truncatedNormal(shape: Shape, deviation: number): Tensor {
    const rng = new Rng(this.seed, STREAM.init, this.made++);
    const draw = (): number => {
      let x = rng.normal();
      while (Math.abs(x) > 2) x = rng.normal();
      return x * deviation;
    };
    return parameter(fromDraws(shape, draw));
  }

  constant(shape: Shape, value: number): Tensor {
    this.made++;
    return parameter(full(shape, value));
  }
}

function parameter(value: Tensor): Tensor {
  value.requiresGrad = true;
  return value.keep();
}

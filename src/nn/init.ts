import { newData, type TypedData } from '../core/dtype.js';
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
  /** Parameters whose numbers have not been drawn, and how to draw them; null: all are drawn at once. */
  private readonly waiting: Map<Tensor, () => TypedData> | null;

  /**
   * @param options.deferred leaves parameters at 0 until `draw` is called for them: weights from a file take the place of
   *   nearly all, and the 110 million random numbers of a BERT-base take ten seconds
   */
  constructor(
    readonly seed: number,
    options: { readonly deferred?: boolean } = {},
  ) {
    this.waiting = options.deferred === true ? new Map() : null;
  }

  /** Gives a deferred parameter the values it would have had from the start. */
  draw(parameter: Tensor): void {
    const values = this.waiting?.get(parameter);
    if (values !== undefined) parameter.assign(values());
  }

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
    if (this.waiting === null) return parameter(fromDraws(shape, draw));
    const made = parameter(full(shape, 0));
    this.waiting.set(made, () => {
      const values = newData(made.dtype, made.size);
      for (let i = 0; i < values.length; i++) values[i] = draw();
      return values;
    });
    return made;
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

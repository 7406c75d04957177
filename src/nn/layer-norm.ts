import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './init.js';
import { Module } from './module.js';

/** Layer normalisation over the last axis (Ba, Kiros and Hinton 2016, arXiv:1607.06450), biased variance. */
export class LayerNorm extends Module {
  /** [width], starts at 1 */
  readonly weight: Tensor;
  /** [width], starts at 0 */
  readonly bias: Tensor;

  constructor(
    width: number,
    readonly eps: number,
    init: Initializer,
  ) {
    super();
    this.weight = init.constant([width], 1);
    this.bias = init.constant([width], 0);
  }

  /** @param x [..., width] @returns the same shape */
  forward(x: Tensor): Tensor {
    return x.layerNorm(this.weight, this.bias, this.eps);
  }
}

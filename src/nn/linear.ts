import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './init.js';
import { Module } from './module.js';

/** y = x W^T + b, as in every framework that stores weights as [out, in]. */
export class Linear extends Module {
  /** [out, in] */
  readonly weight: Tensor;
  /** [out] */
  readonly bias: Tensor;

  constructor(inSize: number, outSize: number, init: Initializer, deviation: number) {
    super();
    this.weight = init.truncatedNormal([outSize, inSize], deviation);
    this.bias = init.constant([outSize], 0);
  }

  /** @param x [..., in] @returns [..., out] */
  forward(x: Tensor): Tensor {
    return x.linear(this.weight, this.bias);
  }
}

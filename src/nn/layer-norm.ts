import type { DropoutAttrs } from '../ops/dropout.js';
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

  /**
   * LayerNorm(dropout(x) + residual) in one pass.
   * @param rows i32 [rows], where x holds some rows of a larger tensor: which ones, for dropout's numbers
   */
  afterResidual(x: Tensor, residual: Tensor, dropout: DropoutAttrs | null, rows?: Tensor): Tensor {
    return x.residualNorm(residual, this.weight, this.bias, { eps: this.eps, dropout }, rows);
  }

  /** @param x [..., width] @returns the same shape */
  forward(x: Tensor): Tensor {
    return x.layerNorm(this.weight, this.bias, this.eps);
  }
}

import type { DropoutAttrs } from '../ops/dropout.js';
import type { Tensor } from '../tensor/tensor.js';
import { dropoutKey, type Pass } from './pass.js';

/**
 * Dropout (Srivastava et al. 2014) over rows, scaled by 1 / (1 - rate) while training and absent otherwise.
 * @param x [rows, width]
 * @param site number of this use within the model; every site draws its own numbers
 */
export function dropout(x: Tensor, rate: number, site: number, pass: Pass): Tensor {
  return pass.training && rate > 0 ? x.dropout(rate, dropoutKey(pass, site, pass.firstRow)) : x;
}

/** The same as an attribute of an op that drops on the way; null: nothing is dropped. */
export const droppedAt = (rate: number, site: number, pass: Pass): DropoutAttrs | null =>
  pass.training && rate > 0 ? { rate, key: dropoutKey(pass, site, pass.firstRow) } : null;

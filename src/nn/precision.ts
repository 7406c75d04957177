import type { Precision } from '../backend/backend.js';
import { requirePrecision } from '../backend/precision.js';
import type { Module } from './module.js';

/**
 * Lets all products with a weight of the model multiply in `precision` from now on, in both directions. Weights, sums,
 * gradients and everything that is no product stay f32. Outside training, attention's products multiply in bf16 with
 * weights of fewer bits.
 * @param options.frozen for inference: each weight is laid out once for its products, and must change no more. int8
 *   needs it not, but rounds the weight at every product then
 * @throws {BackendError} the backend of the model has no such products
 */
export function usePrecision(model: Module, precision: Precision, options: { frozen?: boolean } = {}): void {
  for (const parameter of model.parameters()) {
    requirePrecision(parameter.backend, precision);
    if (parameter.rank === 2) parameter.multiplyIn(precision, options.frozen ?? false);
  }
}

// What tests of the tape share.

import { createJsBackend } from '../../src/backend/js/index.js';
import { type CreateOptions, tensor as create, type Nested } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';

/** A fresh reference backend in double precision, and tensors on it that want gradients. */
export function playground() {
  const backend = createJsBackend('f64');
  const tensor = (values: Nested, options: CreateOptions = {}): Tensor =>
    create(values, undefined, { backend, requiresGrad: true, ...options });
  return { backend, tensor };
}

/** The gradient's values, or null where there is none. */
export const gradOf = async (value: Tensor): Promise<number[] | null> =>
  value.grad === null ? null : Array.from(await value.grad.data());

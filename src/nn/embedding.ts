import type { Tensor } from '../tensor/tensor.js';
import type { Initializer } from './init.js';
import { Module } from './module.js';

/** A table of vectors, one a row, looked up by id. */
export class Embedding extends Module {
  /** [entries, width] */
  readonly weight: Tensor;

  constructor(entries: number, width: number, init: Initializer, deviation: number) {
    super();
    this.weight = init.truncatedNormal([entries, width], deviation);
  }

  /** @param ids i32 [rows], each in 0 .. entries - 1 @returns [rows, width] */
  forward(ids: Tensor): Tensor {
    return this.weight.gather(ids);
  }
}

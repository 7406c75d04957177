import type { RandomKey } from '../core/random.js';
import { STREAM } from '../core/random.js';
import type { Tensor } from '../tensor/tensor.js';

/** Looks at a named intermediate; what it returns, if anything, takes the tensor's place. */
export type Hook = (value: Tensor, name: string) => Tensor | undefined;

/** One trip through a model: whether it trains, which random numbers it draws, and who looks on. */
export interface Pass {
  readonly training: boolean;
  readonly seed: number;
  /** Training step; dropout draws new numbers each step. */
  readonly step: number;
  /** Index of this batch's first row and first sequence within the global batch, so that micro-batches together draw
   * the same numbers as the whole batch would. */
  readonly firstRow: number;
  readonly firstSequence: number;
  readonly hooks: ReadonlyMap<string, Hook>;
}

/** A pass that only reads: no dropout. */
export const inference = (hooks: ReadonlyMap<string, Hook> = new Map()): Pass => ({
  training: false,
  seed: 0,
  step: 0,
  firstRow: 0,
  firstSequence: 0,
  hooks,
});

/** A pass of training step `step`. */
export const trainingPass = (
  seed: number,
  step: number,
  first: { row: number; sequence: number } = { row: 0, sequence: 0 },
): Pass => ({
  training: true,
  seed,
  step,
  firstRow: first.row,
  firstSequence: first.sequence,
  hooks: new Map(),
});

/** Shows a named intermediate to its hook, and goes on with what the hook returns. */
export function look(pass: Pass, name: string, value: Tensor): Tensor {
  return pass.hooks.get(name)?.(value, name) ?? value;
}

/** Whether somebody looks at one of these: a kernel that leaves them out then gives way to single steps. */
export const watched = (pass: Pass, names: readonly string[]): boolean => names.some((name) => pass.hooks.has(name));

/** The random numbers of dropout site `site`; `row` is the first row of this pass in that site's own counting. */
export const dropoutKey = (pass: Pass, site: number, row: number): RandomKey => ({
  seed: pass.seed,
  stream: STREAM.dropout + site,
  step: pass.step,
  row,
});

import type { Backend, Buf } from '../backend/backend.js';
import type { DType } from '../core/dtype.js';
import { BackendError } from '../core/errors.js';
import type { Shape } from '../core/shape.js';
import type { Factor } from '../ops/factor.js';
import type { Arg, Op } from '../ops/op.js';

/** How a value came to be: what the walk back needs. */
export interface TapeNode {
  /** Rises with every recorded call, so inputs always have a smaller one than results. */
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attrs: object;
  readonly aux: readonly Arg[];
  /** How often each input had been written when the op read it. */
  readonly versions: readonly number[];
}

/** Notified of every value that is made; the innermost scope listens. */
export const lifetime: { onCreate: ((value: Value) => void) | null } = { onCreate: null };

/** How often values that last have moved to other memory, or changed how they multiply: what was recorded before may not run. */
export const placement = { moves: 0 };

/** Smallest and largest id, and the smallest of those above `min`: labels may hold one negative number, not several. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly next: number;
}

/** @returns null for no ids at all, which lie in every range */
export function boundsOf(ids: Int32Array): Bounds | null {
  if (ids.length === 0) return null;
  let [min, max, next] = [ids[0], ids[0], Number.POSITIVE_INFINITY];
  for (const id of ids) {
    if (id > max) max = id;
    if (id < min) [min, next] = [id, min];
    else if (id > min && id < next) next = id;
  }
  return { min, max, next: Math.min(next, max) };
}

/** Memory with a shape and, when a gradient is wanted, a history. `Tensor` adds the methods people call. */
export abstract class Value implements Arg {
  /** Whether backward() should leave a gradient here, or pass one through here. */
  requiresGrad: boolean;
  /** Sum of all gradients that reached this value since it was last cleared; same shape. */
  grad: Value | null = null;
  /** True while no gradient has reached `grad` since it was cleared: the first one overwrites what is there. */
  gradEmpty = false;
  node: TapeNode | null = null;
  /** What is known of integer data that came from the host: ids are checked against it, not in kernels. */
  bounds: Bounds | null = null;
  /** True after keep(): neither scope nor backward() frees it. */
  kept = false;
  /** True after retainGrad(): an interior value whose gradient backward() leaves in `grad`. */
  retainsGrad = false;
  /** How often the memory was written in place: a gradient that needs what stood there before is refused. */
  version = 0;
  /** How products with this as a weight multiply; null: as floats. */
  factor: Factor | null = null;
  /** True once backward() has walked over it and forgotten how it came to be. */
  walked = false;
  private memory: Buf | null;
  /** Makes memory anew that was given up, as it was. */
  private restore: (() => Buf) | null = null;

  constructor(
    readonly backend: Backend,
    buf: Buf,
    readonly shape: Shape,
    requiresGrad = false,
  ) {
    this.memory = buf;
    this.requiresGrad = requiresGrad;
    lifetime.onCreate?.(this);
  }

  /** A value of the same class on the same backend. */
  abstract wrap(buf: Buf, shape: Shape): Value;

  get dtype(): DType {
    return this.restore === null ? this.buf.dtype : this.backend.float;
  }

  /** The memory. @throws {BackendError} after it was freed */
  get buf(): Buf {
    this.recall();
    if (this.memory === null) {
      throw new BackendError(`tensor [${this.shape.join(', ')}] was freed by scope() or by backward()`, {
        code: 'BACKEND-FREED',
        fix: 'call keep() on it, return it from scope(), or use backward(loss, { retainGraph: true })',
      });
    }
    return this.memory;
  }

  get freed(): boolean {
    return this.memory === null && this.restore === null;
  }

  /**
   * Frees memory that can be made anew as it was: whoever asks for it gets it back, for good.
   * @returns false where it stays: in an optimizer's arena
   */
  giveUp(restore: () => Buf): boolean {
    if (this.memory === null || this.grad !== null) return false;
    this.backend.free(this.memory);
    this.memory = null;
    this.restore = restore;
    placement.moves++;
    return true;
  }

  /** Gets memory back that was given up. */
  protected recall(): void {
    if (this.restore === null) return;
    this.memory = this.restore();
    this.restore = null;
    placement.moves++;
  }

  /** Keeps it alive through backward() and scope(); the caller frees it with dispose(). */
  keep(): this {
    this.kept = true;
    return this;
  }

  /** Asks backward() for the gradient of an interior value, and keeps the value. */
  retainGrad(): this {
    this.retainsGrad = true;
    return this.keep();
  }

  /** Gives the memory back. Calling it again does nothing. */
  dispose(): void {
    if (this.freed) return;
    if (this.memory !== null) this.backend.free(this.memory);
    this.memory = null;
    this.restore = null;
    this.forgetFactor();
    if (this.requiresGrad && this.node === null) placement.moves++;
    for (const aux of this.node?.aux ?? []) this.backend.free(aux.buf);
    this.node = null;
  }

  /** Moves the value to other memory of the same size, freeing the old: parameters into their arena. */
  rehome(buf: Buf): void {
    this.backend.free(this.buf);
    this.memory = buf;
    this.forgetFactor();
    placement.moves++;
  }

  /** What products hold of it is no longer right. */
  protected forgetFactor(): void {
    if (this.factor === null) return;
    this.factor.forget();
    placement.moves++;
  }
}

import type { Backend, Buf } from '../backend/backend.js';
import type { DType } from '../core/dtype.js';
import { BackendError } from '../core/errors.js';
import type { Shape } from '../core/shape.js';
import type { Arg, Op } from '../ops/op.js';

/** How a value came to be: what the walk back needs. */
export interface TapeNode {
  /** Rises with every recorded call, so inputs always have a smaller one than results. */
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attrs: object;
  readonly aux: readonly Arg[];
}

/** Notified of every value that is made; the innermost scope listens. */
export const lifetime: { onCreate: ((value: Value) => void) | null } = { onCreate: null };

/** Memory with a shape and, when a gradient is wanted, a history. `Tensor` adds the methods people call. */
export abstract class Value implements Arg {
  /** Whether backward() should leave a gradient here, or pass one through here. */
  requiresGrad: boolean;
  /** Sum of all gradients that reached this value since it was last cleared; same shape. */
  grad: Value | null = null;
  node: TapeNode | null = null;
  /** Smallest and largest element of integer data that came from the host: ids are checked against it, not in kernels. */
  bounds: readonly [min: number, max: number] | null = null;
  /** True after keep(): neither scope nor backward() frees it. */
  kept = false;
  /** True after retainGrad(): an interior value whose gradient backward() leaves in `grad`. */
  retainsGrad = false;
  private memory: Buf | null;

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
    return this.buf.dtype;
  }

  /** The memory. @throws {BackendError} after it was freed */
  get buf(): Buf {
    if (this.memory === null) {
      throw new BackendError(`tensor [${this.shape.join(', ')}] was freed by scope() or by backward()`, {
        code: 'BACKEND-FREED',
        fix: 'call keep() on it, return it from scope(), or use backward(loss, { retainGraph: true })',
      });
    }
    return this.memory;
  }

  get freed(): boolean {
    return this.memory === null;
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
    if (this.memory === null) return;
    this.backend.free(this.memory);
    this.memory = null;
    for (const aux of this.node?.aux ?? []) this.backend.free(aux.buf);
    this.node = null;
  }

  /** Moves the value to other memory of the same size, freeing the old: parameters into their arena. */
  rehome(buf: Buf): void {
    this.backend.free(this.buf);
    this.memory = buf;
  }
}

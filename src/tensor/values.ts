import { boundsOf, placement, Value } from '../autograd/value.js';
import type { Precision } from '../backend/backend.js';
import type { TypedData } from '../core/dtype.js';
import { DtypeError, ShapeError } from '../core/errors.js';
import { normalizeAxis, numel } from '../core/shape.js';
import { Factor } from '../ops/factor.js';

/** A tensor as a place for numbers: how many there are, reading and replacing them. */
export abstract class TensorValues extends Value {
  /** Number of elements. */
  get size(): number {
    return numel(this.shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  /** All values in row-major order, once everything enqueued so far has run. */
  async data(): Promise<TypedData> {
    return this.backend.read(this.buf);
  }

  /** The only value. @throws {ShapeError} for more than one element */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError('item', 'needs a tensor of one element', [this.shape]);
    return (await this.data())[0] as number;
  }

  /** Replaces the values in place. @throws {ShapeError} another number of them; {DtypeError} floats for integers */
  assign(data: TypedData): this {
    if (data.length !== this.size)
      throw new ShapeError('assign', `${data.length} values do not fill this tensor`, [this.shape]);
    if (data instanceof Int32Array !== (this.dtype === 'i32'))
      throw new DtypeError(`assign: this tensor holds ${this.dtype}`);
    this.backend.write(this.buf, data);
    if (data instanceof Int32Array) this.bounds = boundsOf(data);
    this.forgetFactor();
    this.version++;
    return this;
  }

  /**
   * Products that have this as their weight, or as their second factor, multiply in `precision` from now on.
   * @param frozen it changes no more, and is laid out once for its products
   */
  multiplyIn(precision: Precision, frozen = false): this {
    this.recall();
    this.forgetFactor();
    placement.moves++;
    this.factor = new Factor(this.backend, precision, frozen);
    return this;
  }

  /** Axes counted from the front; all where none is named. */
  protected axes(axis: number | readonly number[] | undefined): number[] {
    if (axis === undefined) return this.shape.map((_, i) => i);
    return (typeof axis === 'number' ? [axis] : [...axis]).map((a) => normalizeAxis('reduce', a, this.rank));
  }

  /** Ids are checked here, on the host, so that kernels can trust them. @param spared a value below `low` that may occur */
  protected mustLieIn(op: string, low: number, high: number, spared?: number): void {
    if (this.size === 0 || this.bounds === null) return;
    const { min, max, next } = this.bounds;
    const least = min === spared ? next : min;
    if ((least < low && least !== spared) || max > high) {
      throw new ShapeError(op, `ids must lie in ${low} .. ${high}; these reach from ${least} to ${max}`);
    }
  }
}

import type { Backend, Buf, MatmulCall, Precision } from '../backend/backend.js';
import { UsageError } from '../core/errors.js';
import type { Shape } from '../core/shape.js';

/** What is multiplied by: a tensor's memory and shape. */
interface Weight {
  readonly buf: Buf;
  readonly shape: Shape;
  readonly factor?: Factor | null;
}

/** How products multiply one of their operands, a weight: in which precision, and in which order of its memory. */
export class Factor {
  private packed: Buf | null = null;

  /** @param frozen the weight changes no more: it is laid out for its products once, at the first of them */
  constructor(
    private readonly backend: Backend,
    readonly precision: Precision,
    private readonly frozen: boolean,
  ) {}

  /** What a product is told whose b is this weight [out, in], turned. */
  product(weight: Weight): Pick<MatmulCall, 'precision' | 'packed'> {
    if (this.frozen) this.packed ??= this.pack(weight);
    return { precision: this.precision, ...(this.packed !== null && { packed: this.packed }) };
  }

  /** The weight has changed, or is gone. */
  forget(): void {
    if (this.packed !== null) this.backend.free(this.packed);
    this.packed = null;
  }

  private pack({ buf, shape }: Weight): Buf | null {
    const [out, from] = shape;
    const { kernels } = this.backend;
    const length = kernels.packedLength(from, out, this.precision);
    if (length === 0) return null;
    const packed = this.backend.alloc(length, this.backend.float);
    kernels.pack(buf, packed, from, out, true, this.precision);
    return packed;
  }
}

/** The precision of the products of a weight's gradient. @throws {UsageError} 8-bit weights, which have none */
export function gradientPrecision({ factor }: Weight): Precision {
  const precision = factor?.precision ?? 'f32';
  if (precision !== 'int8') return precision;
  throw new UsageError('8-bit weights have no gradient', { fix: "train in 'f32' or 'bf16'; int8 is for inference" });
}

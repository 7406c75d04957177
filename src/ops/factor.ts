import type { Backend, Buf, MatmulCall, Precision } from '../backend/backend.js';
import { UsageError } from '../core/errors.js';
import type { Shape } from '../core/shape.js';

/** What is multiplied by: a tensor's memory and shape. */
interface Weight {
  readonly buf: Buf;
  readonly shape: Shape;
  readonly factor?: Factor | null;
  /** Frees its memory, which `restore` makes anew when somebody asks for it. @returns whether it did */
  giveUp?(restore: () => Buf): boolean;
}

/** How products multiply one of their operands, a weight: in which precision, and in which order of its memory. */
export class Factor {
  private packed: Buf | null = null;
  /** Whether `packed` is all there is of the weight. */
  private alone = false;

  /**
   * @param frozen the weight changes no more: it is laid out for its products once, at the first of them, and where
   *   that holds all of it is in memory in no other way
   */
  constructor(
    private readonly backend: Backend,
    readonly precision: Precision,
    private readonly frozen: boolean,
  ) {}

  /** What a product is told whose b is this weight [out, in], turned. */
  product(weight: Weight): Pick<MatmulCall, 'b' | 'precision' | 'packed'> {
    const { precision } = this;
    if (this.frozen) this.packed ??= this.pack(weight);
    if (this.packed === null) return { b: weight.buf, precision };
    return { b: this.alone ? this.packed : weight.buf, precision, packed: this.packed };
  }

  /** The weight has changed, or is gone. */
  forget(): void {
    if (this.packed !== null) this.backend.free(this.packed);
    this.packed = null;
    this.alone = false;
  }

  private pack(weight: Weight): Buf | null {
    const { buf, shape } = weight;
    const [out, from] = shape;
    const { kernels } = this.backend;
    const length = kernels.packedLength(from, out, this.precision);
    if (length === 0) return null;
    const packed = this.backend.alloc(length, this.backend.float);
    kernels.pack(buf, packed, from, out, true, this.precision);
    // Fewer bits could not be turned back.
    if (this.precision === 'f32') this.alone = weight.giveUp?.(() => this.unpack(packed, shape)) ?? false;
    return packed;
  }

  /** The weight in memory of its own again, for whoever reads it as it is: as a table of words, say. */
  private unpack(packed: Buf, [out, from]: Shape): Buf {
    const buf = this.backend.alloc(out * from, this.backend.float);
    this.backend.kernels.unpack(packed, buf, from, out, true);
    this.alone = false;
    return buf;
  }
}

/** The precision of the products of a weight's gradient. @throws {UsageError} 8-bit weights, which have none */
export function gradientPrecision({ factor }: Weight): Precision {
  const precision = factor?.precision ?? 'f32';
  if (precision !== 'int8') return precision;
  throw new UsageError('8-bit weights have no gradient', { fix: "train in 'f32' or 'bf16'; int8 is for inference" });
}

import { createNativeBackend } from '#native';
import type { Backend, Buf, Kernels } from '../../src/backend/backend.js';
import type { TypedData } from '../../src/core/dtype.js';
import { BackendError } from '../../src/core/errors.js';

/** Why there is no native backend, or null. Settings that are wrong are no reason: they throw. */
export function whyNoNative(): string | null {
  try {
    createNativeBackend();
    return null;
  } catch (error) {
    if (error instanceof BackendError) return error.message;
    throw error;
  }
}

/** One call of a kernel with random inputs, the same ones on every backend; what it writes is collected. */
export class Trial {
  readonly kernels: Kernels;
  private readonly bufs: Buf[] = [];
  private readonly outs: Buf[] = [];

  constructor(
    readonly backend: Backend,
    private state: number,
  ) {
    this.kernels = backend.kernels;
  }

  /** Uniform in [0, 1): mulberry32, as the engine's own generator would take most of a test's time. */
  private uniform(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let z = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Random floats, representable in f32 on every backend. */
  floats(length: number, low = -2, high = 2): Buf {
    const values = Array.from({ length }, () => Math.fround(low + (high - low) * this.uniform()));
    return this.values(values);
  }

  values(values: readonly number[]): Buf {
    return this.held(
      this.backend.upload(this.backend.float === 'f64' ? new Float64Array(values) : new Float32Array(values)),
    );
  }

  ids(length: number, limit: number): Buf {
    return this.ints(Array.from({ length }, () => Math.floor(limit * this.uniform())));
  }

  ints(values: readonly number[]): Buf {
    return this.held(this.backend.upload(new Int32Array(values)));
  }

  /** Memory that the kernel writes, compared afterwards. */
  out(length: number, dtype: 'float' | 'i32' = 'float'): Buf {
    return this.watch(this.held(this.backend.alloc(length, dtype === 'i32' ? 'i32' : this.backend.float)));
  }

  /** Compares an input that is updated in place. */
  watch(buf: Buf): Buf {
    this.outs.push(buf);
    return buf;
  }

  private held(buf: Buf): Buf {
    this.bufs.push(buf);
    return buf;
  }

  /** Reads what was written and frees everything. */
  async finish(): Promise<TypedData[]> {
    const results: TypedData[] = [];
    for (const buf of this.outs) results.push(await this.backend.read(buf));
    for (const buf of this.bufs) this.backend.free(buf);
    return results;
  }
}

export async function runTrial(backend: Backend, seed: number, body: (trial: Trial) => void): Promise<TypedData[]> {
  const trial = new Trial(backend, seed);
  body(trial);
  return trial.finish();
}

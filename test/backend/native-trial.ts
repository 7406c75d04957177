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

/** Random inputs of a trial, drawn when it runs first and used again on the next backend. */
export type Inputs = TypedData[];

/** Calls of kernels with random inputs, the same ones on every backend; what they write is collected. */
export class Trial {
  readonly kernels: Kernels;
  private drawn = 0;
  private state = 1;
  private readonly bufs: Buf[] = [];
  private readonly outs: Buf[] = [];

  constructor(
    readonly backend: Backend,
    private readonly inputs: Inputs,
  ) {
    this.kernels = backend.kernels;
  }

  /** Random floats, representable in f32 on every backend. */
  floats(length: number, low = -2, high = 2): Buf {
    return this.input(() => Float32Array.from({ length }, () => low + (high - low) * this.uniform()));
  }

  values(values: readonly number[]): Buf {
    return this.input(() => new Float32Array(values));
  }

  ids(length: number, limit: number): Buf {
    return this.input(() => Int32Array.from({ length }, () => limit * this.uniform()));
  }

  ints(values: readonly number[]): Buf {
    return this.input(() => new Int32Array(values));
  }

  /** Memory that the kernel writes, compared afterwards. */
  out(length: number, dtype: 'float' | 'i32' = 'float'): Buf {
    return this.watch(this.held(this.backend.alloc(length, dtype === 'i32' ? 'i32' : this.backend.float)));
  }

  /** Memory whose content is the backend's own business. */
  scratch(length: number): Buf {
    return this.held(this.backend.alloc(length, this.backend.float));
  }

  /** Compares an input that is updated in place. */
  watch(buf: Buf): Buf {
    this.outs.push(buf);
    return buf;
  }

  private input(draw: () => TypedData): Buf {
    const place = this.drawn++;
    this.inputs[place] ??= draw();
    const data = this.inputs[place];
    const wide = this.backend.float === 'f64' && data instanceof Float32Array;
    return this.held(this.backend.upload(wide ? new Float64Array(data) : data));
  }

  /** Uniform in [0, 1): a congruential generator (Numerical Recipes, "ranqd1"), good enough to tell elements apart. */
  private uniform(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) | 0;
    return (this.state >>> 0) / 2 ** 32;
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

export async function runTrial(backend: Backend, inputs: Inputs, body: (trial: Trial) => void): Promise<TypedData[]> {
  const trial = new Trial(backend, inputs);
  body(trial);
  return trial.finish();
}

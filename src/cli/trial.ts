import type { Backend } from '../backend/backend.js';

/** One matrix product of a backend, timed. */
export interface Trial {
  /** Rows, columns and inner size of the product. */
  readonly size: number;
  readonly gflops: number;
  /** Whether the product was the right one. */
  readonly right: boolean;
}

/** A product is large enough for a rate when it takes this long, in seconds; larger ones only cost time. */
const LONG_ENOUGH = 0.004;
const SIZES = { least: 128, most: 1024 };
/** Seconds of trying: on a machine that does other work too, a few products may all be slow. */
const PATIENCE = 0.25;

/**
 * The fastest of some products of two [size, size] matrices that hold only 0.5: every element is size / 4, exactly.
 * @param patience seconds; at least two products are tried
 */
async function product(backend: Backend, size: number, patience: number): Promise<{ seconds: number; right: boolean }> {
  const a = backend.upload(new Float32Array(size * size).fill(0.5));
  const y = backend.alloc(size * size, backend.float);
  const [m, n, k] = [size, size, size];
  let seconds = Number.POSITIVE_INFINITY;
  const begun = performance.now();
  for (let round = 0; round < 2 || performance.now() - begun < 1000 * patience; round++) {
    const from = performance.now();
    backend.kernels.matmul({
      ...{ a, b: a, y, m, n, k },
      ...{ transposeA: false, transposeB: false, batch: 1, strideA: 0, strideB: 0 },
    });
    await backend.flush();
    seconds = Math.min(seconds, (performance.now() - from) / 1000);
  }
  const right = (await backend.read(y)).every((value) => value === size / 4);
  backend.free(a);
  backend.free(y);
  return { seconds, right };
}

/**
 * How fast a backend multiplies matrices: the best of some products, as large as is needed to time one. Well below a
 * second, on plain JavaScript too.
 */
export async function tryMatmul(backend: Backend): Promise<Trial> {
  let size = SIZES.least;
  for (;;) {
    const { seconds } = await product(backend, size, 0);
    if (seconds >= LONG_ENOUGH || size >= SIZES.most) break;
    size *= 2;
  }
  const { seconds, right } = await product(backend, size, PATIENCE);
  return { size, gflops: (2 * size ** 3) / seconds / 1e9, right };
}

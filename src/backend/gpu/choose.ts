import { BackendError } from '../../core/errors.js';
import type { Backend, ProductSize } from '../backend.js';
import { createGpuBackend, type GpuBackend } from './index.js';

/** A backend and the sentence that says why it was chosen. */
interface Choice {
  readonly backend: Backend;
  readonly reason: string;
}

/** @throws {BackendError} where there is no adapter */
export async function openGpu(): Promise<Choice> {
  const backend = await createGpuBackend();
  return { backend, reason: `gpu (${backend.runsOn}): asked for` };
}

/** A projection of BERT-base, for programs that do not say what they will run. */
const USUAL: readonly ProductSize[] = [{ m: 1024, n: 768, k: 768 }];
/** Rows of a trial at most: more take longer and say the same. */
const MOST_ROWS = 1024;
/** Sums of k terms up to 1 are within k u of their magnitudes (Higham 2002, sec. 3.1), whatever the order. */
const boundOf = (k: number): number => k * k * 2 ** -24;
/** Products of a timing. */
const COUNT = 2;

/** Seconds of a product, the best of three timings, and its values. */
async function product(backend: Backend, size: ProductSize): Promise<{ seconds: number; values: ArrayLike<number> }> {
  const { m, n, k } = size;
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => ((i * 7919) % 1000) / 1000);
  const [a, b] = [backend.upload(numbers(m * k)), backend.upload(numbers(k * n))];
  const y = backend.alloc(m * n, 'f32');
  let seconds = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const begin = performance.now();
    const call = { a, b, y, ...size, batch: 1, strideA: 0, strideB: 0 };
    for (let i = 0; i < COUNT; i++) backend.kernels.matmul({ ...call, transposeA: false, transposeB: false });
    await backend.flush();
    if (round > 0) seconds = Math.min(seconds, (performance.now() - begin) / 1000 / COUNT);
  }
  const values = await backend.read(y);
  for (const buf of [a, b, y]) backend.free(buf);
  return { seconds, values };
}

/** What is remembered of a trial that the GPU won. */
const WON = 'won';

/** Why the GPU is not taken; null where it is right, and faster. */
async function whyNot(gpu: GpuBackend, other: Backend, products: readonly ProductSize[]): Promise<string | null> {
  if (gpu.device.software) return `${gpu.device.adapter} is software: \`--backend gpu\` takes it all the same`;
  const sizes = products.map(({ m, n, k }) => ({ m: Math.min(m, MOST_ROWS), n, k }));
  const shapes = sizes.map(({ m, n, k }) => `${m} x ${n} x ${k}`).join(', ');
  const key = `auto beside ${other.name} (${other.runsOn}), ${shapes}`;
  const known = gpu.trialMemory.get(key);
  if (known !== undefined) return known === WON ? null : known;
  const reason = await tryBoth(gpu, other, sizes);
  gpu.trialMemory.set(key, reason ?? WON);
  gpu.trialMemory.save();
  return reason;
}

/** Why a GPU loses a trial of products against another backend; null where all are right, and together faster. */
export async function tryBoth(
  gpu: Backend & { readonly device: Pick<GpuBackend['device'], 'adapter'> },
  other: Backend,
  sizes: readonly ProductSize[],
): Promise<string | null> {
  const seconds = [0, 0];
  for (const size of sizes) {
    const [ours, theirs] = [await product(gpu, size), await product(other, size)];
    for (let i = 0; i < theirs.values.length; i++) {
      if (!(Math.abs((ours.values[i] as number) - (theirs.values[i] as number)) <= boundOf(size.k))) {
        return `${gpu.device.adapter} computes a product otherwise than ${other.name}: please report this`;
      }
    }
    seconds[0] += ours.seconds;
    seconds[1] += theirs.seconds;
  }
  const [faster, than] = seconds.map((s) => `${(1000 * s).toFixed(1)} ms`);
  const what = sizes.length === 1 ? 'a product' : `${sizes.length} products`;
  return seconds[0] < seconds[1] ? null : `${what} took it ${faster}, ${other.name} ${than}`;
}

/** A GPU that is one and wins a trial, else `other`, with the reason why not. */
export async function openBest(other: Choice, products: readonly ProductSize[] = USUAL): Promise<Choice> {
  try {
    const backend = await createGpuBackend();
    const reason = await whyNot(backend, other.backend, products);
    if (reason === null)
      return { backend, reason: `gpu (${backend.runsOn}): faster than ${other.backend.name} in a trial` };
    return { backend: other.backend, reason: `${other.reason}; not gpu: ${reason}` };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return { backend: other.backend, reason: `${other.reason}; not ${error.message}` };
  }
}

import { BackendError } from '../../core/errors.js';
import type { Backend } from '../backend.js';
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

/** A product of BERT-base's projections. */
const SIZES = { m: 1024, n: 768, k: 768 } as const;
/** Sums of 768 terms up to 1 are within 768 u of their magnitudes (Higham 2002, sec. 3.1), whatever the order. */
const CLOSE = 768 * 768 * 2 ** -24;

/** Seconds of the best of three products, values read back, and the values. */
async function product(backend: Backend): Promise<{ seconds: number; values: ArrayLike<number> }> {
  const { m, n, k } = SIZES;
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => ((i * 7919) % 1000) / 1000);
  const [a, b] = [backend.upload(numbers(m * k)), backend.upload(numbers(k * n))];
  const y = backend.alloc(m * n, 'f32');
  let seconds = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const begin = performance.now();
    const call = { a, b, y, ...SIZES, batch: 1, strideA: 0, strideB: 0 };
    for (let i = 0; i < 4; i++) backend.kernels.matmul({ ...call, transposeA: false, transposeB: false });
    await backend.flush();
    if (round > 0) seconds = Math.min(seconds, (performance.now() - begin) / 4000);
  }
  const values = await backend.read(y);
  for (const buf of [a, b, y]) backend.free(buf);
  return { seconds, values };
}

/** What is remembered of a trial that the GPU won. */
const WON = 'won';

/** Why the GPU is not taken; null where it is right, and faster. */
async function whyNot(gpu: GpuBackend, other: Backend): Promise<string | null> {
  if (gpu.device.software) return `${gpu.device.adapter} is software: \`--backend gpu\` takes it all the same`;
  const key = `auto beside ${other.name} (${other.runsOn})`;
  const known = gpu.trialMemory.get(key);
  if (known !== undefined) return known === WON ? null : known;
  const reason = await tryBoth(gpu, other);
  gpu.trialMemory.set(key, reason ?? WON);
  gpu.trialMemory.save();
  return reason;
}

/** The same, by a trial. */
async function tryBoth(gpu: GpuBackend, other: Backend): Promise<string | null> {
  const [ours, theirs] = [await product(gpu), await product(other)];
  for (let i = 0; i < theirs.values.length; i++) {
    if (!(Math.abs((ours.values[i] as number) - (theirs.values[i] as number)) <= CLOSE)) {
      return `${gpu.device.adapter} computes a product otherwise than ${other.name}: please report this`;
    }
  }
  const [faster, than] = [ours.seconds, theirs.seconds].map((s) => `${(1000 * s).toFixed(1)} ms`);
  return ours.seconds < theirs.seconds ? null : `a product took it ${faster}, ${other.name} ${than}`;
}

/** A GPU that is one and wins a trial, else `other`, with the reason why not. */
export async function openBest(other: Choice): Promise<Choice> {
  try {
    const backend = await createGpuBackend();
    const reason = await whyNot(backend, other.backend);
    if (reason === null)
      return { backend, reason: `gpu (${backend.runsOn}): faster than ${other.backend.name} in a trial` };
    return { backend: other.backend, reason: `${other.reason}; not gpu: ${reason}` };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return { backend: other.backend, reason: `${other.reason}; not ${error.message}` };
  }
}

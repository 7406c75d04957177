import type { Backend } from '../backend/backend.js';
import { measure } from './measure.js';

/** What a machine can do at most, measured on the spot and never taken from a data sheet. */
export interface Roofs {
  /** GFLOP/s of multiply-adds in registers; null: this backend has no such measurement. */
  readonly gflops: number | null;
  /** GB/s of the fastest way to move memory, by the bytes that are moved over and over; rising in bytes. */
  readonly bandwidth: readonly { readonly bytes: number; readonly gbs: number }[];
}

/** What bounds a kernel, and how near it comes. */
export interface Placed {
  readonly gflops: number | null;
  readonly gbs: number;
  /** Share of the roof that bounds it. */
  readonly roofFraction: number;
  readonly bound: 'compute' | 'memory';
}

const KIB = 1024;
/** From the first-level cache to well beyond the last one; close together where second-level caches end. */
const FOOTPRINTS = [32, 256, 1024, 2048, 4096, 8192, 16_384, 262_144].map((kib) => kib * KIB);
const TURN = { rounds: 2, seconds: 0.03 };

/** Ways to move memory: the buffers of `length` elements that one call reads and writes, and the call. */
type Way = (backend: Backend, length: number) => { readonly bytes: number; call(): void; free(): void };

const buffers = (backend: Backend, count: number, length: number) => {
  const made = Array.from({ length: count }, () => backend.alloc(length, backend.float));
  for (const buf of made) backend.kernels.fill(buf, 1);
  return { made, free: () => made.forEach((buf) => void backend.free(buf)) };
};
const line = { offset: 0, strides: [1] };

const WAYS: readonly Way[] = [
  (backend, length) => {
    const { made, free } = buffers(backend, 2, length / 2);
    const [x, y] = made as [(typeof made)[0], (typeof made)[0]];
    return { bytes: 6 * length, free, call: () => backend.kernels.accumulate(x, y) }; // reads both, writes one
  },
  (backend, length) => {
    const { made, free } = buffers(backend, 2, length / 2);
    const [x, y] = made as [(typeof made)[0], (typeof made)[0]];
    return { bytes: 4 * length, free, call: () => backend.kernels.copy(x, y, [length / 2], line, line) };
  },
  (backend, length) => {
    const { made, free } = buffers(backend, 1, length);
    const [y] = made as [(typeof made)[0]];
    return { bytes: 4 * length, free, call: () => backend.kernels.fill(y, 1) };
  },
  (backend, length) => {
    const rows = Math.max(1, length / 4096);
    const { made, free } = buffers(backend, 1, length);
    const [x] = made as [(typeof made)[0]];
    const y = backend.alloc(rows, backend.float);
    const call = () => backend.kernels.reduce('max', x, y, rows, length / rows, 1);
    const freeAll = () => {
      free();
      backend.free(y);
    };
    return { bytes: 4 * length, free: freeAll, call };
  },
];

/**
 * The best of all ways at one footprint, and the seconds that the slowest of them takes for a call. A backend that moves
 * memory without kernels knows more ways than they have, and none of its kernels is faster.
 */
async function bandwidthOf(backend: Backend, footprint: number): Promise<{ gbs: number; slowest: number }> {
  if (backend.movePeak !== undefined) return { gbs: backend.movePeak(footprint), slowest: 0 };
  let [best, slowest] = [(await backend.deviceRoofs?.copy?.(footprint)) ?? 0, 0];
  for (const way of WAYS) {
    const { bytes, call, free } = way(backend, footprint / 4);
    const run = async (times: number): Promise<undefined> => {
      for (let i = 0; i < times; i++) call();
      await backend.flush();
      return undefined;
    };
    const [timing] = await measure([{ run, results: async () => [], free }], TURN);
    const { min } = timing as { min: number };
    [best, slowest] = [Math.max(best, bytes / min / 1e9), Math.max(slowest, min)];
    free();
  }
  return { gbs: best, slowest };
}

/** A backend that takes so long for a call is bound by its own loops, and larger footprints show nothing new. */
const TOO_SLOW = 0.02;

/** Measures all roofs of a backend; takes a second or two. */
export async function measureRoofs(backend: Backend): Promise<Roofs> {
  const bandwidth = [];
  for (const bytes of FOOTPRINTS) {
    const { gbs, slowest } = await bandwidthOf(backend, bytes);
    bandwidth.push({ bytes, gbs });
    if (slowest > TOO_SLOW && bytes < (FOOTPRINTS.at(-1) as number)) break;
  }
  return { gflops: backend.fmaPeak?.() ?? (await backend.deviceRoofs?.multiplyAdds()) ?? null, bandwidth };
}

/** The better of two looks at one machine: what was busy at the first may have been quiet at the second. */
export function betterOf(a: Roofs, b: Roofs): Roofs {
  const rateAt = (roofs: Roofs, i: number): number => roofs.bandwidth[i]?.gbs ?? 0;
  const longer = a.bandwidth.length >= b.bandwidth.length ? a.bandwidth : b.bandwidth;
  return {
    gflops: a.gflops === null || b.gflops === null ? (a.gflops ?? b.gflops) : Math.max(a.gflops, b.gflops),
    bandwidth: longer.map(({ bytes }, i) => ({ bytes, gbs: Math.max(rateAt(a, i), rateAt(b, i)) })),
  };
}

/** GB/s that no kernel passes which works on so many bytes: the best at this footprint or a larger one. */
export function bandwidthRoof({ bandwidth }: Roofs, bytes: number): number {
  const from = Math.max(
    0,
    bandwidth.findLastIndex((one) => one.bytes <= bytes),
  );
  return Math.max(...bandwidth.slice(from).map((one) => one.gbs));
}

/** Where a time lies under the roofs (Williams, Waterman and Patterson 2009, Roofline). */
export function place(roofs: Roofs, work: { flops: number | null; bytes: number }, seconds: number): Placed {
  const gflops = work.flops === null ? null : work.flops / seconds / 1e9;
  const gbs = work.bytes / seconds / 1e9;
  const byMemory = gbs / bandwidthRoof(roofs, work.bytes);
  const byCompute = gflops === null || roofs.gflops === null ? 0 : gflops / roofs.gflops;
  return byCompute >= byMemory
    ? { gflops, gbs, roofFraction: byCompute, bound: 'compute' }
    : { gflops, gbs, roofFraction: byMemory, bound: 'memory' };
}

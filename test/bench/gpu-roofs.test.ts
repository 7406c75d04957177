import { expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.js';
import { GPU_BACKENDS, whyNoGpu } from '../backends.js';
import { describeIf } from '../skip.js';

const describeGpu = describeIf(GPU_BACKENDS.length > 0, 'gpu', whyNoGpu ?? '');

/** GFLOP/s of a product of squares. */
async function productRate(backend: Backend, side: number): Promise<number> {
  const [a, b] = [1, 2].map((value) => backend.upload(new Float32Array(side * side).fill(value)));
  const y = backend.alloc(side * side, 'f32');
  const sizes = { m: side, n: side, k: side, batch: 1, strideA: 0, strideB: 0 };
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const begin = performance.now();
    backend.kernels.matmul({ a, b, y, ...sizes, transposeA: false, transposeB: false });
    await backend.flush();
    best = Math.min(best, performance.now() - begin);
  }
  for (const buf of [a, b, y]) backend.free(buf);
  return (2 * side ** 3) / best / 1e6;
}

describeGpu('roofs of a device', () => {
  test.each(GPU_BACKENDS.map((tested) => ({ tested, name: tested.name })))(
    '$name: multiply-adds in registers pass any product, and nothing is left behind',
    async ({ tested }) => {
      const backend = tested.create();
      const before = backend.liveBytes;
      const peak = await backend.deviceRoofs?.multiplyAdds();
      expect(peak).toBeGreaterThan(await productRate(backend, 128));
      const copied = await backend.deviceRoofs?.copy?.(2 ** 20);
      if (tested.name === 'gpu') expect(copied).toBeGreaterThan(0.01);
      expect(backend.liveBytes).toBe(before);
    },
    120_000,
  );
});

import type { Buf } from '../../backend.js';
import type { PlainRunner } from '../spec.js';

/** Lends float buffers of these lengths. Kernels run in the order of their calls, so they are free at once afterwards. */
export function withScratch(
  runner: PlainRunner,
  lengths: readonly number[],
  use: (bufs: readonly Buf[]) => void,
): void {
  const bufs = lengths.map((length) => runner.alloc(length, 'f32'));
  try {
    use(bufs);
  } finally {
    for (const buf of bufs) runner.free(buf);
  }
}

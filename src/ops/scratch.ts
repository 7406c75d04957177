import type { Backend, Buf, Walk } from '../backend/backend.js';
import type { DType } from '../core/dtype.js';
import { numel, type Shape } from '../core/shape.js';

/** Lends memory for the length of `use`. Kernels run in the order of their calls, so it may be freed at once. */
export function withScratch<T>(backend: Backend, length: number, dtype: DType, use: (buf: Buf) => T): T {
  return lend(backend, backend.alloc(length, dtype), use);
}

/** Lends a window of `buf`. */
export function withWindow<T>(backend: Backend, buf: Buf, offset: number, length: number, use: (window: Buf) => T): T {
  return lend(backend, backend.view(buf, offset, length), use);
}

function lend<T>(backend: Backend, buf: Buf, use: (buf: Buf) => T): T {
  try {
    return use(buf);
  } finally {
    backend.free(buf);
  }
}

/** Elements one after the other. */
const LINE: Walk = { offset: 0, strides: [1] };

/** y = x, both without gaps. */
export function copyAll(backend: Backend, x: Buf, y: Buf, shape: Shape): void {
  backend.kernels.copy(x, y, [numel(shape)], LINE, LINE);
}

import type { Backend } from '../../src/backend/backend.js';

/**
 * The same backend, whose fresh memory holds NaN (or, for integers, a number that is no index): a kernel that relies on
 * memory being 0, or leaves an element out, shows.
 */
export function poisoned(backend: Backend): Backend {
  const alloc: Backend['alloc'] = (length, dtype) => {
    const buf = backend.alloc(length, dtype);
    if (length > 0) backend.kernels.fill(buf, dtype === 'i32' ? 2 ** 30 : Number.NaN);
    return buf;
  };
  return new Proxy(backend, {
    get(target, name) {
      if (name === 'alloc') return alloc;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

import { UsageError } from '../core/errors.js';
import { lifetime, Value } from './value.js';

let current: Set<Value> | null = null;

/**
 * Runs `body` and frees every tensor made inside, except those it returns (alone, in an array or in an object) and
 * those that were kept. Memory of native and GPU tensors is not the garbage collector's: a loop that never yields
 * never runs a finalizer, so freeing it has to be said.
 * @throws {UsageError} when `body` is asynchronous: read values after the scope, from a tensor it returned
 */
export function scope<T>(body: () => T): T {
  const outer = current;
  const inner = new Set<Value>();
  enter(inner);
  let result: T | undefined;
  try {
    result = body();
    if (result instanceof Promise)
      throw new UsageError('scope: the body must be synchronous', {
        fix: 'return a tensor and await its data() outside',
      });
    return result;
  } finally {
    enter(outer);
    const survivors = new Set<Value>();
    collect(result, survivors);
    for (const value of inner) {
      if (value.kept || value.freed) continue;
      if (survivors.has(value)) outer?.add(value);
      else value.dispose();
    }
  }
}

function enter(next: Set<Value> | null): void {
  current = next;
  lifetime.onCreate = next === null ? null : (value) => next.add(value);
}

function collect(result: unknown, found: Set<Value>): void {
  if (result instanceof Value) found.add(result);
  else if (Array.isArray(result)) for (const item of result) collect(item, found);
  else if (result !== null && typeof result === 'object' && Object.getPrototypeOf(result) === Object.prototype) {
    for (const item of Object.values(result)) collect(item, found);
  }
}

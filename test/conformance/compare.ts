// An outcome against that of double precision on the same inputs, within derived bounds. No test runner is needed.
import type { Backend } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { type Arithmetic, boundOf } from './bounds.js';
import { type Case, evaluate, type Outcome, wantsGradient } from './evaluate.js';
import { poisoned } from './poison.js';

const oracle = poisoned(createJsBackend('f64'));

/** Where `got` is further from `want` than allowed; null where it is not. */
function worst(got: ArrayLike<number>, want: ArrayLike<number>, bound: ArrayLike<number>): string | null {
  if (got.length !== want.length || bound.length !== want.length)
    return `lengths ${got.length}, ${want.length}, ${bound.length}`;
  let at = -1;
  let most = 1;
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i] - want[i]);
    const ratio = difference === 0 ? 0 : difference / bound[i];
    if (!(ratio <= most)) [at, most] = [i, ratio];
  }
  return at < 0
    ? null
    : `element ${at} is ${got[at]}, not ${want[at]}: ${most.toPrecision(3)} times the bound ${bound[at]}`;
}

/** What is wrong with an outcome; null when nothing is. Inputs must be as they were. */
export async function problemOf(c: Case, got: Outcome, arithmetic: Arithmetic): Promise<string | null> {
  const nothing = (length: number): number[] => new Array<number>(length).fill(0);
  for (const [i, input] of got.inputs.entries()) {
    const changed = worst(input, c.data[i].data, nothing(input.length));
    if (changed !== null) return `input ${i} was changed: ${changed}`;
  }
  const want = await evaluate(c, oracle);
  const bound = await boundOf(c, want, arithmetic);
  const value = worst(got.out, want.out, bound.out);
  if (value !== null) return `value: ${value}`;
  for (const [i, gradient] of got.grads.entries()) {
    if (!wantsGradient(c, i)) continue;
    const [exact, allowed] = [want.grads[i], bound.grads[i]];
    if (gradient === null || exact === null || allowed === null) return `input ${i} got no gradient`;
    const problem = worst(gradient, exact, allowed);
    if (problem !== null) return `gradient of input ${i}: ${problem}`;
  }
  return null;
}

/** Runs a case on a backend, value and gradients; what is wrong, a leak included, or null. */
export async function check(c: Case, backend: Backend): Promise<string | null> {
  const before = backend.liveBytes;
  const got = await evaluate(c, backend);
  const leaked = backend.liveBytes - before;
  const arithmetic = backend.name === 'gpu' ? 'wgsl' : 'ieee';
  return leaked === 0 ? problemOf(c, got, arithmetic) : `${leaked} bytes were not freed`;
}

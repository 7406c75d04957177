import { newData } from '../core/dtype.js';
import { DtypeError } from '../core/errors.js';
import { scope } from './scope.js';
import { backward } from './tape.js';
import type { Value } from './value.js';

/** The worst disagreement between a gradient and finite differences. */
export interface GradcheckReport {
  readonly ok: boolean;
  readonly checked: number;
  readonly worst: {
    readonly input: number;
    readonly element: number;
    readonly analytic: number;
    readonly numeric: number;
    readonly excess: number;
  };
}

export interface GradcheckOptions {
  /** Step of the differences. */
  readonly step?: number;
  /** |analytic - numeric| may reach absolute + relative * |analytic|. */
  readonly absolute?: number;
  readonly relative?: number;
  /** Check at most this many elements of each input, spread evenly. */
  readonly limit?: number;
}

/**
 * Compares gradients with four-point central differences,
 * f'(x) = [8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))] / 12h + O(h^4) (Abramowitz and Stegun 25.3.6).
 * In double precision with h = 1e-3 both agree to about 1e-10, so the default bound leaves a factor of a hundred.
 * @param f a loss (one element) made from `inputs`; run many times, must not be random
 * @param inputs f64 tensors, as the reference backend makes them
 * @throws {DtypeError} for other element types: single precision would only show its own rounding
 */
export async function gradcheck<T extends Value>(
  f: () => T,
  inputs: readonly T[],
  options: GradcheckOptions = {},
): Promise<GradcheckReport> {
  const { step = 1e-3, absolute = 1e-8, relative = 1e-7, limit = 64 } = options;
  for (const input of inputs) {
    if (input.dtype !== 'f64')
      throw new DtypeError(`gradcheck: needs f64 inputs; got ${input.dtype}`, {
        fix: "use createJsBackend('f64')",
      });
    input.requiresGrad = true;
    input.grad?.dispose();
    input.grad = null;
  }
  scope(() => backward(f()));
  let worst = { input: -1, element: -1, analytic: 0, numeric: 0, excess: Number.NEGATIVE_INFINITY };
  let checked = 0;
  for (const [i, input] of inputs.entries()) {
    const values = Float64Array.from(await input.backend.read(input.buf));
    const gradient = input.grad === null ? newData('f64', values.length) : await input.backend.read(input.grad.buf);
    const stride = Math.max(1, Math.ceil(values.length / limit));
    for (let element = 0; element < values.length; element += stride) {
      const numeric = await slope(f, input, values, element, step);
      const analytic = gradient[element] as number;
      const difference = Math.abs(analytic - numeric);
      const excess = difference - (absolute + relative * Math.abs(analytic));
      if (!(excess <= worst.excess)) worst = { input: i, element, analytic, numeric, excess };
      checked++;
    }
    input.grad?.dispose();
    input.grad = null;
  }
  return { ok: checked === 0 || worst.excess <= 0, checked, worst };
}

async function slope(
  f: () => Value,
  input: Value,
  values: Float64Array,
  element: number,
  step: number,
): Promise<number> {
  const at = async (shift: number): Promise<number> => {
    const moved = values.slice();
    moved[element] = (moved[element] as number) + shift;
    input.backend.write(input.buf, moved);
    const loss = scope(f);
    const value = (await input.backend.read(loss.buf))[0] as number;
    loss.dispose();
    return value;
  };
  const near = (await at(step)) - (await at(-step));
  const far = (await at(2 * step)) - (await at(-2 * step));
  input.backend.write(input.buf, values);
  return (8 * near - far) / (12 * step);
}

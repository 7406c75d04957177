// Every float32 backend against the double-precision reference: each op, each sample, value and gradients, element by
// element, within derived bounds, from memory that holds NaN at first; inputs are left alone, and no byte stays behind.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { DtypeError, ShapeError } from '../../src/core/errors.js';
import { OPS } from '../../src/ops/index.js';
import { sampleData } from '../../src/ops/sample-data.js';
import { BACKENDS } from '../backends.js';
import { describeIf } from '../skip.js';
import { boundOf } from './bounds.js';
import { type Case, caseOf, evaluate, executeOnce, type Outcome, wantsGradient } from './evaluate.js';
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

async function compare(c: Case, got: Outcome): Promise<void> {
  const want = await evaluate(c, oracle);
  const bound = await boundOf(c, want);
  expect(worst(got.out, want.out, bound.out)).toBeNull();
  for (const [i, gradient] of got.grads.entries()) {
    if (!wantsGradient(c, i)) continue;
    if (gradient === null) throw new Error(`input ${i} got no gradient`);
    const [exact, allowed] = [want.grads[i], bound.grads[i]];
    if (exact === null || allowed === null) throw new Error(`input ${i} has no gradient to compare with`);
    const problem = worst(gradient, exact, allowed);
    if (problem !== null) throw new Error(`gradient of input ${i}: ${problem}`);
  }
}

describe.each(BACKENDS.filter(({ dtype }) => dtype === 'f32'))('$name', ({ create }) => {
  let backend: Backend;
  beforeAll(() => {
    backend = poisoned(create());
  });

  describe.each(OPS.map((op) => ({ name: op.name, op })))('$name', ({ op }) => {
    test.each(op.samples.map((sample) => ({ name: sample.name, sample })))('$name', async ({ sample }) => {
      const c = caseOf(op, sample);
      const before = backend.liveBytes;
      const got = await evaluate(c, backend);
      expect(backend.liveBytes).toBe(before);
      for (const [i, input] of got.inputs.entries()) expect(worst(input, c.data[i].data, input)).toBeNull();
      await compare(c, got);
    });

    test.each(op.badSamples.map((sample) => ({ name: sample.name, sample })))('refuses: $name', ({ sample }) => {
      const before = backend.liveBytes;
      const run = (): void => executeOnce(op, sampleData(sample.inputs, 1), sample.attrs, backend);
      expect(run).toThrow();
      try {
        run();
      } catch (error) {
        expect(error instanceof ShapeError || error instanceof DtypeError).toBe(true);
        expect((error as Error).message).toContain(op.name);
      }
      expect(backend.liveBytes).toBe(before);
    });
  });

  afterAll(async () => backend.flush());
});

describeIf(
  BACKENDS.some(({ name }) => name === 'native'),
  'native',
  'the addon is not built',
)('native conformance', () => {
  test('ran above', () => expect(BACKENDS.map(({ name }) => name)).toContain('native'));
});

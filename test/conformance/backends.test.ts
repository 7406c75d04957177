// Every float32 backend against the double-precision reference: each op, each sample, value and gradients, element by
// element, within derived bounds, from memory that holds NaN at first; inputs are left alone, and no byte stays behind.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apply, noGrad } from '../../src/autograd/apply.js';
import type { Backend } from '../../src/backend/backend.js';
import { DtypeError, ShapeError } from '../../src/core/errors.js';
import { OPS } from '../../src/ops/index.js';
import { sampleData } from '../../src/ops/sample-data.js';
import { BACKENDS, GPU_BACKENDS, whyNoGpu } from '../backends.js';
import { describeIf } from '../skip.js';
import { check } from './compare.js';
import { caseOf, executeOnce, tensorsOf } from './evaluate.js';
import { poisoned } from './poison.js';

describe.each([...BACKENDS, ...GPU_BACKENDS].filter(({ dtype }) => dtype === 'f32'))('$name', ({ create }) => {
  let backend: Backend;
  beforeAll(() => {
    backend = poisoned(create());
  });

  describe.each(OPS.map((op) => ({ name: op.name, op })))('$name', ({ op }) => {
    test.each(op.samples.map((sample) => ({ name: sample.name, sample })))('$name', async ({ sample }) => {
      expect(await check(caseOf(op, sample), backend)).toBeNull();
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

  const optional = OPS.filter(({ auxOptional }) => auxOptional === true);
  describe.each(optional.map((op) => ({ name: op.name, op })))('$name without a way back', ({ op }) => {
    test.each(op.samples.map((sample) => ({ name: sample.name, sample })))(
      '$name: the same bits',
      async ({ sample }) => {
        const before = backend.liveBytes;
        const inputs = tensorsOf(caseOf(op, sample), backend);
        const results = [apply(op, inputs, sample.attrs), noGrad(() => apply(op, inputs, sample.attrs))];
        const [recorded, plain] = await Promise.all(results.map((result) => result.data()));
        expect(plain).toEqual(recorded);
        for (const value of new Set([...results, ...inputs])) value.dispose();
        expect(backend.liveBytes).toBe(before);
      },
    );
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

describeIf(
  GPU_BACKENDS.length > 0,
  'gpu',
  whyNoGpu ?? '',
)('gpu conformance', () => {
  test('ran above, in both tiers', () => expect(GPU_BACKENDS.map(({ name }) => name)).toEqual(['gpu', 'gpu plain']));
});

import { describe, expect, test } from '@jest/globals';
import { createJsBackend } from '../../src/backend/js/index.js';
import { bertSizes, caseName, casesOf, TIMED } from '../../src/bench/case.js';
import { dataOf, PreparedOp, workOf } from '../../src/bench/run-op.js';
import { OPS } from '../../src/ops/index.js';

const every = { batch: 1, seq: 8, models: ['tiny'], groups: ['bert'] } as const;

test('every op that runs something says what it is timed at', () => {
  const views = OPS.filter((op) => !TIMED.includes(op));
  expect(views.map((op) => op.name)).toEqual(['reshape']);
});

test('the sizes are those of the models', () => {
  expect(bertSizes('base', 4, 128)).toEqual({
    ...{ batch: 4, seq: 128, tokens: 512, hidden: 768, heads: 12, intermediate: 3072, vocab: 30522, masked: 80 },
  });
});

describe('all ops, on plain loops', () => {
  test.each(TIMED.map((op) => ({ name: op.name })))('$name', async ({ name }) => {
    const backend = createJsBackend('f32');
    const axes = TIMED.find((op) => op.name === name)?.workload?.axes ?? [];
    // Small sizes that every op can have: heads divide widths, tables have rows.
    const shape = axes.map(() => 4).join('x');
    for (const c of casesOf({ ...every, ops: [name], shapes: [shape] })) {
      const before = backend.liveBytes;
      const data = dataOf(c);
      const work = workOf(backend, c, data);
      const handedOn = ['add', 'addScalar'].includes(name) && c.direction === 'backward';
      if (!handedOn) expect(work.bytes).toBeGreaterThan(0);
      expect(backend.liveBytes).toBe(before);
      const prepared = new PreparedOp(backend, c, data);
      await prepared.run(2);
      const results = await prepared.results();
      expect(results.some((values) => values !== null && values.length > 0)).toBe(true);
      prepared.free();
      expect(backend.liveBytes).toBe(before);
    }
  });
});

test('products count their operations, forward and backward', () => {
  const backend = createJsBackend('f32');
  const [forward, backwards] = casesOf({ ...every, ops: ['matmul'], shapes: ['64x32x48'] });
  const flops = 2 * 64 * 32 * 48;
  expect(workOf(backend, forward, dataOf(forward)).flops).toBe(flops);
  expect(workOf(backend, backwards, dataOf(backwards)).flops).toBe(2 * flops);
  expect(caseName(backwards)).toBe('matmul/64x32x48/backward');
});

test('what cannot be is refused with what can', () => {
  const ask = (options: object) => () => casesOf({ ...every, ...options });
  expect(ask({ ops: ['sofmax'] })).toThrow('did you mean "softmax"');
  expect(ask({ ops: ['reshape'] })).toThrow('view');
  expect(ask({ ops: ['linear'], shapes: ['3x4'] })).toThrow('does not fit linear');
  expect(ask({ ops: ['linear'], shapes: ['3x4x0'] })).toThrow('does not fit linear');
  expect(ask({ groups: ['round'] })).toThrow('no sizes are called "round"');
});

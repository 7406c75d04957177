import { describe, expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { casesOf } from '../../src/bench/case.js';
import { check } from '../../src/bench/check.js';
import { type Contender, ours } from '../../src/bench/contender.js';
import { measure } from '../../src/bench/measure.js';
import { bandwidthRoof, betterOf, place, type Roofs } from '../../src/bench/roofs.js';
import { refuseImpossible, runBench } from '../../src/bench/run.js';
import { dataOf, workOf } from '../../src/bench/run-op.js';
import { BACKENDS } from '../backends.js';
import { describeIf } from '../skip.js';

const options = { batch: 1, seq: 8, groups: ['bert'] } as const;
const [softmax] = casesOf({ ...options, ops: ['softmax'], shapes: ['9x17'] });
const quick = { rounds: 2, seconds: 0.01, slowest: 5 };
const ROOFS: Roofs = {
  gflops: 100,
  bandwidth: [
    { bytes: 1e4, gbs: 200 },
    { bytes: 1e6, gbs: 90 },
    { bytes: 1e8, gbs: 20 },
  ],
};

/** A backend whose softmax is off by a little. */
function wrong(by: number): Backend {
  const backend = createJsBackend('f32');
  const kernels = Object.create(backend.kernels) as Backend['kernels'];
  kernels.softmax = (x, y, rows, cols) => {
    backend.kernels.softmax(x, y, rows, cols);
    const more = backend.upload(new Float32Array(rows * cols).fill(by));
    backend.kernels.accumulate(more, y);
    backend.free(more);
  };
  return new Proxy(backend, {
    get: (target, name) => {
      if (name === 'kernels') return kernels;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('what is wrong is not timed', () => {
  test('rounding passes', async () => {
    const found = await check(ours(createJsBackend('f32'), 'js', 1), softmax);
    expect(found).toMatchObject({ sizes: [9, 17] });
    expect((found as { maxAbsError: number }).maxAbsError).toBeLessThan(1e-6);
  });

  test.each([1e-3, Number.NaN])('off by %d does not', async (by) => {
    await expect(check(ours(wrong(by), 'js', 1), softmax)).rejects.toMatchObject({ code: 'BENCH-WRONG', exitCode: 70 });
    const entrants = [{ contender: ours(wrong(by), 'js', 1), roofs: null }];
    await expect(runBench([softmax], entrants, quick)).rejects.toMatchObject({ code: 'BENCH-WRONG' });
  });

  test('a large case is compared at smaller sizes', async () => {
    const [big] = casesOf({ ...options, ops: ['linear'], shapes: ['4096x768x768'] });
    const found = await check(ours(createJsBackend('f32'), 'js', 1), big);
    expect((found as { readonly sizes: readonly number[] }).sizes.reduce((n, size) => n * size, 1)).toBeLessThan(
      4096 * 768 * 768,
    );
    expect((found as { expectedSeconds: number }).expectedSeconds).toBeGreaterThan(1);
  });
});

test('contenders take turns, and calls are joined until a sample is long enough', async () => {
  const order: string[] = [];
  const entry = (name: string) => ({
    run: async (times: number) => {
      if (order.at(-1) !== name) order.push(name);
      return name === 'own' ? times * 1e-4 : void (await new Promise((done) => setTimeout(done, 1)));
    },
    results: async () => [],
    free: () => undefined,
  });
  const [own, other] = await measure([entry('own'), entry('other')], { rounds: 3, seconds: 0.005 });
  expect(own.median).toBeCloseTo(1e-4, 10);
  expect(own.calls).toBeGreaterThanOrEqual(40);
  expect(other.n).toBeGreaterThanOrEqual(9);
  expect(order.slice(2)).toEqual(['own', 'other', 'own', 'other'].slice(0, order.length - 2));
});

describe('roofs', () => {
  test('a small piece of memory has the roof of its cache, and none is lower than a larger one', () => {
    expect([1e3, 1e4, 5e5, 1e6, 1e9].map((bytes) => bandwidthRoof(ROOFS, bytes))).toEqual([200, 200, 200, 90, 20]);
  });

  test('the nearer roof bounds', () => {
    expect(place(ROOFS, { flops: 80e9, bytes: 1e9 }, 1)).toMatchObject({ bound: 'compute', roofFraction: 0.8 });
    expect(place(ROOFS, { flops: 1e9, bytes: 10e9 }, 1)).toMatchObject({ bound: 'memory', roofFraction: 0.5 });
    expect(place(ROOFS, { flops: null, bytes: 10e9 }, 1).gflops).toBeNull();
  });

  test('of two looks the better one counts, footprint by footprint', () => {
    const again = { gflops: 120, bandwidth: [{ bytes: 1e4, gbs: 150 }, ROOFS.bandwidth[1], { bytes: 1e8, gbs: 25 }] };
    expect(betterOf(ROOFS, again)).toEqual({
      gflops: 120,
      bandwidth: [ROOFS.bandwidth[0], ...again.bandwidth.slice(1)],
    });
    expect(betterOf({ gflops: null, bandwidth: [] }, ROOFS)).toEqual(ROOFS);
  });

  test('a busy moment while they were measured fails nothing: they are measured again', async () => {
    const low: Roofs = { gflops: 1e-9, bandwidth: [{ bytes: 1, gbs: 1e-9 }] };
    const contender = ours(createJsBackend('f32'), 'js', 1);
    const outcome = await runBench([softmax], [{ contender, roofs: low, again: async () => ROOFS }], quick);
    expect([outcome.impossible, outcome.roofs.get('js')]).toEqual([[], ROOFS]);
    expect(outcome.results[0].placed?.roofFraction).toBeLessThan(1);
  });

  test('what lies above them fails the run', async () => {
    const low: Roofs = { gflops: 1e-9, bandwidth: [{ bytes: 1, gbs: 1e-9 }] };
    const outcome = await runBench(
      [softmax],
      [{ contender: ours(createJsBackend('f32'), 'js', 1), roofs: low }],
      quick,
    );
    expect(outcome.impossible).toHaveLength(1);
    expect(() => refuseImpossible(outcome)).toThrow('above what this machine can do');
  });
});

test('a peer that does nothing is left out, with the reason', async () => {
  const js = ours(createJsBackend('f32'), 'js', 1);
  const peer: Contender = {
    ...{ name: 'peer', runsOn: 'nothing', threads: 1, backend: null, close: () => undefined },
    prepare: async (c, data) => {
      const prepared = await js.prepare(c, data);
      return typeof prepared === 'string' ? prepared : { ...prepared, run: async (times) => times * 1e-9 };
    },
  };
  const both = [js, peer].map((contender) => ({ contender, roofs: ROOFS }));
  const outcome = await runBench([softmax], both, quick);
  expect([outcome.impossible, outcome.results.map((r) => r.contender)]).toEqual([[], ['js']]);
  expect(outcome.notRun[0]).toMatchObject({ contender: 'peer', reason: expect.stringContaining('faster than memory') });
});

test.each([
  ['neg', 2],
  ['mulScalar', 2],
  ['square', 3], // 2 x dOut
  ['tanh', 3], // (1 - y^2) dOut
  ['powScalar', 3],
])('bytes of the way back of %s: only what its slope reads', (name, buffers) => {
  const [, c] = casesOf({ ...options, ops: [name], shapes: ['9x17'] });
  expect(workOf(createJsBackend('f32'), c, dataOf(c)).bytes).toBe(buffers * 4 * 9 * 17);
});

describeIf(
  BACKENDS.some(({ name }) => name === 'native'),
  'native',
  'the addon is not built',
)('bandwidth', () => {
  test('memory moves faster than any kernel moves it, and none is kept', () => {
    const backend = BACKENDS.find(({ name }) => name === 'native')?.create() as Backend;
    const length = 2 ** 18;
    const [x, y] = [backend.alloc(length, 'f32'), backend.alloc(length, 'f32')];
    const before = backend.liveBytes;
    const gbs = backend.movePeak?.(8 * length) as number;
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 20; i++) {
      const begin = performance.now();
      backend.kernels.copy(x, y, [length], { offset: 0, strides: [1] }, { offset: 0, strides: [1] });
      void backend.flush(); // it has run when the call is back
      best = Math.min(best, performance.now() - begin);
    }
    expect(gbs).toBeGreaterThan((8 * length) / best / 1e6 / 1.1);
    expect(backend.liveBytes).toBe(before);
  });
});

test('tensors of a call are counted: its input and its result', async () => {
  const contender = ours(createJsBackend('f32'), 'js', 1);
  const { results } = await runBench([softmax], [{ contender, roofs: null }], quick);
  expect(results[0].memory).toBe(2 * 4 * 9 * 17);
  expect(contender.backend?.liveBytes).toBe(0);
});

test('who cannot do a case is named with the reason, and so is who would take minutes', async () => {
  const absent: Contender = {
    ...{ name: 'peer', runsOn: 'nothing', threads: 1, backend: null },
    prepare: async () => 'has no such op',
    close: () => undefined,
  };
  const js = { contender: ours(createJsBackend('f32'), 'js', 1), roofs: ROOFS };
  const outcome = await runBench([softmax], [js, { contender: absent, roofs: null }], quick);
  expect(outcome.notRun).toEqual([{ name: 'softmax/9x17/forward', contender: 'peer', reason: 'has no such op' }]);
  expect(outcome.results.map((r) => r.contender)).toEqual(['js']);
  const hasty = await runBench([softmax], [js], { ...quick, slowest: 1e-9 });
  expect(hasty.notRun[0].reason).toMatch(/a call would take about/);
  refuseImpossible({ ...outcome, impossible: [] });
});

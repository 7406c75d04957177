import { describe, expect, test } from '@jest/globals';
import { type KernelCall, Trace } from '../../src/backend/trace.js';
import { chromeTrace, profileLines } from '../../src/cli/profile.js';
import { run } from '../../src/cli/program.js';
import { backward, ones, scope, type Tensor, tensor } from '../../src/index.js';
import { BACKENDS } from '../backends.js';

const call = (changes: Partial<KernelCall>): KernelCall => ({
  kernel: 'matmul',
  op: 'linear',
  phase: 'forward',
  begin: 100,
  ms: 2,
  flops: 4e8,
  bytes: 1e7,
  ...changes,
});

describe.each(BACKENDS)('the clock of $name', ({ create, dtype }) => {
  const work = async (backend: ReturnType<typeof create>): Promise<ArrayLike<number>> => {
    const x = tensor([1, 2, 3, 4, 5, 6], [2, 3], { backend, dtype, requiresGrad: true });
    const weight = ones([5, 3], { backend, dtype, requiresGrad: true });
    const bias = ones([5], { backend, dtype, requiresGrad: true });
    scope(() => backward(x.linear(weight, bias).square().sum()));
    return (x.grad as Tensor).data();
  };

  test('tells which op called a kernel, how long it ran, and what it did', async () => {
    const backend = create();
    const plain = await work(backend);
    const trace = new Trace();
    backend.trace = trace;
    const begin = performance.now();
    const timed = await work(backend);
    await backend.flush();
    const wall = performance.now() - begin;
    backend.trace = null;
    expect(timed).toEqual(plain);

    const { totals, calls } = trace;
    const products = totals.filter(({ kernel }) => kernel === 'matmul');
    expect(products.map(({ op, phase, calls: n, flops }) => [op, phase, n, flops]).sort()).toEqual([
      ['linear', 'backward', 2, 120],
      ['linear', 'forward', 1, 60],
    ]);
    const item = dtype === 'f64' ? 8 : 4;
    const forward = products.find(({ phase }) => phase === 'forward');
    expect(forward?.bytes).toBe(item * (6 + 15 + 5 + 10));
    expect(trace.ms).toBeLessThanOrEqual(wall);
    for (const [i, { begin: at, ms }] of calls.entries()) {
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(at + ms).toBeLessThanOrEqual((calls[i + 1]?.begin ?? begin + wall) + 1e-6);
    }
    const before = calls.length;
    await work(backend);
    expect(calls.length).toBe(before);
  });
});

describe('a profile', () => {
  const trace = new Trace(2);
  trace.add(call({}));
  trace.add(call({ begin: 104 }));
  trace.add(call({ kernel: 'adamw', op: '', begin: 107, ms: 1, flops: 0, bytes: 2e7 }));
  trace.add(call({ phase: 'backward', begin: 108, ms: 3 }));

  test('has shares that sum up to the wall time, and rates beside the roofs', () => {
    expect(profileLines(trace, 10, { gflops: 400, gbs: 10 })).toEqual([
      'measured roofs: multiply-adds 400 GFLOP/s, copy 10 GB/s; in brackets the share of the roof',
      'share     time  calls  kernel          for                         GFLOP/s        GB/s',
      ' 40 %   4.0 ms      2  matmul          linear                   200 (0.50)  5.0 (0.50)',
      ' 30 %   3.0 ms      1  matmul          linear, backward         133 (0.33)  3.3 (0.33)',
      ' 10 %   1.0 ms      1  adamw           –                                     20 (2.00)',
      ' 20 %   2.0 ms         not in kernels  TypeScript, data, files',
      '100 %  10.0 ms      4  all             wall time',
    ]);
    const rateless = profileLines(trace, 10, { gflops: null, gbs: 10 });
    expect(rateless[0]).toBe('measured roofs: copy 10 GB/s; in brackets the share of the roof');
    expect(rateless[2]).toContain(' 200  5.0 (0.50)');
  });

  test('keeps the first calls for the trace and counts the others', () => {
    expect(trace.calls.length).toBe(2);
    expect(trace.ms).toBe(8);
    const { traceEvents } = JSON.parse(chromeTrace(trace.calls, 100, 10));
    expect(traceEvents.slice(1)).toEqual([
      { name: 'all', cat: 'wall', ph: 'X', ts: 0, dur: 10_000, pid: 1, tid: 2 },
      expect.objectContaining({ name: 'matmul: linear', cat: 'forward', ph: 'X', ts: 0, dur: 2000, tid: 1 }),
      expect.objectContaining({ ts: 4000, args: { flops: 4e8, bytes: 1e7, gflops: 200, gbs: 5 } }),
    ]);
  });

  test('does not take a text for its file', async () => {
    const said: string[] = [];
    const streams = { out: () => undefined, err: (text: string) => void said.push(text) };
    expect(await run(['fill-mask', 'model', '--profile', 'a [MASK]'], streams)).toBe(2);
    expect(said.join('')).toContain('--profile=FILE.json');
  });
});

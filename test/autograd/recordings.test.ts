import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { noGrad } from '../../src/autograd/apply.js';
import { Recordings } from '../../src/autograd/recordings.js';
import { scope } from '../../src/autograd/scope.js';
import type { Backend, Buf } from '../../src/backend/backend.js';
import { tensor } from '../../src/tensor/create.js';
import { BACKENDS } from '../backends.js';

const NEVER = { step: 0, lr: 0, correction1: 1, correction2: 1 };

describe.each(BACKENDS)('$name', ({ create, dtype }) => {
  let backend: Backend;
  let result: Buf;
  let recordings: Recordings;
  let bodies = 0;
  beforeAll(() => {
    backend = create();
  });
  afterEach(() => {
    recordings.dispose();
    backend.free(result);
  });

  /** The sum of dropout(x), of the ids' rows of x. */
  function enqueue(values: Float32Array | Float64Array, ids: Int32Array, step: number): void {
    bodies++;
    scope(() =>
      noGrad(() => {
        const x = tensor(values, [values.length / 2, 2], { backend });
        const rows = x.gather(tensor(ids, [ids.length], { backend }));
        const kept = rows.dropout(0.5, { seed: 1, stream: 2, step, row: 0 }).sum();
        backend.kernels.copy(kept.buf, result, [1], { offset: 0, strides: [1] }, { offset: 0, strides: [1] });
      }),
    );
  }

  const values = (from: number, length = 200) => {
    const data = dtype === 'f64' ? new Float64Array(length) : new Float32Array(length);
    return data.map((_, i) => from + i);
  };
  const start = (): void => {
    result = backend.alloc(1, backend.float);
    recordings = new Recordings(backend);
    bodies = 0;
  };

  test('other inputs and another step give what the program itself gives; it ran twice', async () => {
    start();
    const live = backend.liveBytes;
    for (let step = 0; step < 6; step++) {
      const [x, ids] = [values(step), Int32Array.of(step, 99, 3 * step)];
      recordings.run('a', [x, ids], { ...NEVER, step }, () => enqueue(x, ids, step));
      const [replayed] = await backend.read(result);
      enqueue(x, ids, step);
      expect(replayed).toBe((await backend.read(result))[0]);
    }
    expect(bodies - 6).toBe(backend.record === undefined ? 6 : 2);
    recordings.dispose();
    expect(backend.liveBytes).toBe(live);
  });

  test('recordings of several shapes share memory, and the larger one may come later', async () => {
    start();
    const sums: number[][] = [];
    for (let round = 0; round < 4; round++) {
      sums.push([]);
      for (const length of [20, 4000, 200]) {
        const [x, ids] = [values(1, length), Int32Array.of(1, 2)];
        recordings.run(`${length}`, [x, ids], { ...NEVER, step: 7 }, () => enqueue(x, ids, 7));
        sums[round].push((await backend.read(result))[0]);
      }
    }
    for (const round of sums) expect(round).toEqual(sums[0]);
  });

  /** y = the sum of x, by way of buffers that are freed before y is written. */
  function chain(x: Float32Array, y: Buf): void {
    const { kernels } = backend;
    const [from, doubled, sums] = [backend.upload(x), backend.alloc(x.length, 'f32'), backend.alloc(1, 'f32')];
    kernels.copy(from, doubled, [x.length], { offset: 0, strides: [1] }, { offset: 0, strides: [1] });
    kernels.accumulate(from, doubled);
    kernels.reduce('sum', doubled, sums, 1, x.length, 1);
    for (const buf of [from, doubled]) backend.free(buf);
    kernels.fill(y, 0.5);
    const window = backend.view(y, y.length - 1, 1);
    kernels.accumulate(sums, window);
    for (const buf of [sums, window]) backend.free(buf);
  }

  test('what is lent holds other buffers until it is written, and then what it is for', async () => {
    start();
    if (backend.borrows !== true) return;
    const length = 2 ** 16;
    const y = backend.alloc(length, 'f32');
    const live = backend.liveBytes;
    for (let step = 0; step < 3; step++) {
      const x = new Float32Array(length).fill(step);
      recordings.run('lent', [x], NEVER, () => chain(x, y), [y]);
      expect(backend.liveBytes - live).toBeLessThan(1.5 * 4 * length); // the input alone
      const values = await backend.read(y);
      expect([values[0], values[length - 1]]).toEqual([0.5, 2 * step * length + 0.5]);
    }
    backend.free(y);
  });

  test('a first step that is like no other one leaves no recording behind', () => {
    start();
    if (backend.borrows !== true) return;
    const y = backend.alloc(2 ** 16, 'f32');
    const sizes = ['a', 'b', 'c', 'b'].map((key) => {
      const x = new Float32Array(2 ** 16);
      recordings.run(key, [x], NEVER, () => chain(x, y), [y]);
      return recordings.size;
    });
    expect(sizes).toEqual([1, 0, 0, 1]);
    backend.free(y);
  });

  test('an array that is no input is refused, and so is memory that is left behind', () => {
    start();
    if (backend.record === undefined) return;
    const [x, ids] = [values(1), Int32Array.of(1)];
    const live = backend.liveBytes;
    recordings.run('b', [x], NEVER, () => enqueue(x, ids, 0));
    expect(() => recordings.run('b', [x], NEVER, () => enqueue(x, ids, 0))).toThrow('none of its inputs');
    recordings.run('c', [], NEVER, () => {});
    expect(() => recordings.run('c', [], NEVER, () => void backend.alloc(5, 'f32'))).toThrow('not freed');
    expect(backend.liveBytes).toBe(live);
  });

  test('of many recordings the oldest give way', () => {
    start();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20; i++) {
        const [x, ids] = [values(1, 20 + 2 * i), Int32Array.of(1)];
        recordings.run(`${i}`, [x, ids], NEVER, () => enqueue(x, ids, 0));
      }
    }
    expect(recordings.size).toBeLessThanOrEqual(16);
  });
});

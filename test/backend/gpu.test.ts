import { expect, test } from '@jest/globals';
import gpujs from 'gpu.js';
import type { Backend, Buf } from '../../src/backend/backend.js';
import { TILES } from '../../src/backend/gpu/fast/tiles.js';
import { createGpuBackend, GpuBackend, type Tier } from '../../src/backend/gpu/index.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { openBackend, selectBackend } from '../../src/backend/select.js';
import { type BertgradError, DtypeError } from '../../src/core/errors.js';
import { attention } from '../../src/ops/attention.js';
import { OPS } from '../../src/ops/index.js';
import { GPU_BACKENDS, whyNoGpu } from '../backends.js';
import { check } from '../conformance/compare.js';
import { caseOf } from '../conformance/evaluate.js';
import { describeIf } from '../skip.js';
import { longWork } from './long-work.js';

const describeGpu = describeIf(GPU_BACKENDS.length > 0, 'gpu', whyNoGpu ?? '');
const upload = (b: Backend, ...values: number[]): Buf => b.upload(new Float32Array(values));
const LINE = { offset: 0, strides: [1] };
const copyTo = (b: Backend, x: Buf, y: Buf): void => b.kernels.copy(x, y, [x.length], LINE, LINE);

function errorOf(call: () => unknown): BertgradError {
  try {
    call();
  } catch (error) {
    return error as BertgradError;
  }
  throw new Error('nothing was thrown');
}

describeGpu('memory of the GPU backend', () => {
  test('counts what is alive, and views keep their memory', async () => {
    const b = await createGpuBackend();
    const x = upload(b, 1, 2, 3, 4);
    const tail = b.view(x, 2, 2);
    b.free(x);
    expect(b.liveBytes).toBe(16);
    const other = upload(b, 9, 9, 9, 9);
    expect(await b.read(tail)).toEqual(Float32Array.of(3, 4));
    b.free(tail);
    b.free(other);
    expect([b.liveBytes, b.peakBytes]).toEqual([0, 32]);
  });

  test('hands freed memory out again', async () => {
    const b = await createGpuBackend();
    for (let i = 0; i < 50; i++) b.free(b.alloc(1000 + i, 'f32')); // one class of sizes
    expect(b.heldBytes).toBeLessThan(10_000);
  });

  test('mistakes with buffers have a name', async () => {
    const b = await createGpuBackend();
    const x = upload(b, 1, 2);
    const foreign = createJsBackend().alloc(2, 'f32');
    expect(errorOf(() => b.view(x, 1, 2)).message).toContain('1 .. 3 into 2');
    expect(errorOf(() => b.kernels.accumulate(foreign, x))).toMatchObject({ code: 'BACKEND-MIXED', exitCode: 69 });
    expect(errorOf(() => b.write(x, new Float32Array(3))).message).toContain('3 values written to a buffer of 2');
    expect(() => b.alloc(1, 'f64')).toThrow(DtypeError);
    expect(() => b.write(x, new Int32Array(2))).toThrow(DtypeError);
    b.free(x);
    expect(errorOf(() => b.free(x))).toMatchObject({ code: 'BACKEND-FREED' });
    expect(errorOf(() => b.kernels.fill(x, 0))).toMatchObject({ code: 'BACKEND-FREED' });
  });

  test('a tensor beyond the limits of the adapter is refused, with both sizes', async () => {
    const b = await createGpuBackend();
    const error = errorOf(() => b.alloc(b.device.limits.buffer / 4 + 1, 'f32'));
    expect(error).toMatchObject({ code: 'BACKEND-GPU-LIMIT', exitCode: 69 });
    expect(error.where).toContain('maxBufferSize');
    const device = { ...b.device, limits: { ...b.device.limits, binding: 1024 } };
    const small = new GpuBackend(device, b.compiler, {});
    const x = small.alloc(1000, 'f32');
    expect(errorOf(() => small.kernels.fill(x, 1))).toMatchObject({ code: 'BACKEND-GPU-LIMIT' });
  });
});

describeGpu('order of the GPU queue', () => {
  test('writes, uploads into freed memory and reads keep their places among kernels', async () => {
    const b = await createGpuBackend();
    const [x, before, after] = [upload(b, 1, 2), b.alloc(2, 'f32'), b.alloc(2, 'f32')];
    copyTo(b, x, before);
    b.write(x, Float32Array.of(3, 4));
    copyTo(b, x, after);
    b.free(x);
    upload(b, 5, 6); // takes the place of x
    const one = upload(b, 1, 1);
    const first = b.read(after);
    b.kernels.accumulate(one, after);
    const second = b.read(after);
    expect(await b.read(before)).toEqual(Float32Array.of(1, 2));
    expect([await first, await second]).toEqual([Float32Array.of(3, 4), Float32Array.of(4, 5)]);
  });

  test('more launches than a batch holds run all, in order', async () => {
    const b = await createGpuBackend();
    const [x, one] = [upload(b, 0), upload(b, 1)];
    for (let i = 0; i < 1000; i++) b.kernels.accumulate(one, x);
    expect(await b.read(x)).toEqual(Float32Array.of(1000));
  });

  test('windows begin anywhere, also two of one buffer in one launch', async () => {
    const b = await createGpuBackend();
    const x = b.upload(Float32Array.from({ length: 200 }, (_, i) => i));
    const [low, high] = [b.view(x, 3, 70), b.view(x, 101, 70)];
    b.kernels.accumulate(high, low);
    const got = await b.read(x);
    expect(got.subarray(0, 5)).toEqual(Float32Array.of(0, 1, 2, 3 + 101, 4 + 102));
    expect(got.subarray(72, 75)).toEqual(Float32Array.of(72 + 170, 73, 74));
  });
});

describeGpu('kernels of the GPU backend', () => {
  test.each([
    ['whole tiles', 64, 96, 64],
    ['edges everywhere', 37, 45, 29],
  ])('all tiles give the same bits: %s', async (_, m, n, k) => {
    const wave = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i));
    const products: Float32Array[] = [];
    const { software } = (await createGpuBackend()).device;
    // A large shader takes a processor that plays the GPU half a minute to compile.
    const tiles = TILES.filter(({ name }) => !software || name === '32x32' || name.includes('registers'));
    for (const { name } of tiles) {
      const b = await createGpuBackend({ tile: name });
      const [a, w, y] = [b.upload(wave(m * k)), b.upload(wave(k * n)), b.alloc(m * n, 'f32')];
      const sizes = { m, n, k, batch: 1, strideA: 0, strideB: 0 };
      b.kernels.matmul({ a, b: w, y, ...sizes, transposeA: false, transposeB: false });
      products.push((await b.read(y)) as Float32Array);
    }
    for (const product of products) expect(product).toEqual(products[0]);
  });

  test.each(['fast', 'plain'] satisfies Tier[])('dropout draws the numbers of the js backend: %s', async (tier) => {
    const key = { seed: 2 ** 40 + 12345, stream: 1024, step: 17, row: 2 ** 20 + 5 };
    const ones = new Float32Array(7 * 130).fill(1);
    const drop = async (b: Backend): Promise<unknown> => {
      const [x, y] = [b.upload(ones), b.alloc(ones.length, 'f32')];
      b.kernels.dropout(x, y, 7, 130, 0.3, key);
      return b.read(y);
    };
    expect(await drop(await createGpuBackend({ tier }))).toEqual(await drop(createJsBackend()));
  });

  test('a word table of BERT-base: its rows, and a binding that is too small for it', async () => {
    const b = await createGpuBackend();
    const [rows, width] = [30_522, 768]; // 23.4 million elements, 94 MB
    const table = b.alloc(rows * width, 'f32');
    b.kernels.fill(table, 0);
    const [last, ids] = [b.view(table, (rows - 1) * width, width), b.upload(Int32Array.of(rows - 1, 0, rows - 1))];
    const dY = b.upload(Float32Array.from({ length: 3 * width }, (_, i) => i % width));
    b.kernels.scatterAdd(ids, dY, table, 3, width, rows);
    expect(await b.read(last)).toEqual(Float32Array.from({ length: width }, (_, i) => 2 * i));
    const y = b.alloc(3 * width, 'f32');
    b.kernels.gather(table, ids, y, 3, width);
    expect((await b.read(y)).subarray(width - 1, width + 2)).toEqual(Float32Array.of(2 * (width - 1), 0, 1));
    for (const buf of [table, last, ids, dY, y]) b.free(buf);
    b.trim();
    const device = { ...b.device, limits: { ...b.device.limits, binding: 2 ** 26 } };
    const small = new GpuBackend(device, b.compiler, {});
    const large = small.alloc(rows * width, 'f32');
    expect(errorOf(() => small.kernels.fill(large, 1))).toMatchObject({
      code: 'BACKEND-GPU-LIMIT',
      message: 'gpu: a kernel cannot be given 23440896 elements at once',
      where: 'maxStorageBufferBindingSize 67108864 bytes',
    });
    small.free(large);
    small.trim();
  });

  test('rows of a table are found beyond element 2^24', async () => {
    const b = await createGpuBackend();
    const [rows, width] = [140_000, 128]; // 17.9 million elements
    const table = b.alloc(rows * width, 'f32');
    b.kernels.fill(table, 0);
    const last = b.view(table, (rows - 1) * width, width);
    b.kernels.fill(last, 3);
    const [ids, y] = [b.upload(Int32Array.of(rows - 1, rows - 2)), b.alloc(2 * width, 'f32')];
    b.kernels.gather(table, ids, y, 2, width);
    b.kernels.scatterAdd(ids, y, table, 2, width, rows);
    expect((await b.read(last))[5]).toBe(6);
    expect(await b.read(y)).toEqual(Float32Array.from({ length: 256 }, (_, i) => (i < 128 ? 3 : 0)));
    for (const buf of [table, last, ids, y]) b.free(buf);
    b.trim();
  });
});

describeGpu('what a GPU is given, where a processor plays one', () => {
  const names = ['sum', 'softmax', 'logSoftmax', 'layerNorm', 'residualNorm', 'linearCrossEntropy', 'attention'];
  const samples = OPS.filter(({ name }) => names.includes(name)).flatMap((op) =>
    op.samples.map((sample) => ({ name: `${op.name}, ${sample.name}`, op, sample })),
  );

  test.each(samples)('many threads a row: $name', async ({ op, sample }) => {
    const { device, compiler } = await createGpuBackend();
    const limits = { ...device.limits, subgroup: 0 };
    const b = new GpuBackend({ ...device, software: false, limits }, compiler, { tile: 'few registers' });
    expect(await check(caseOf(op, sample), b)).toBeNull();
  });
});

describeGpu('attention', () => {
  test.each([
    ['more keys than a slice, heads of 64', [1, 35, 1, 64], null],
    ['more queries than a workgroup, heads of 32, dropout', [2, 19, 3, 32], 0.3],
  ])(
    '%s',
    async (_, sizes, rate) => {
      const sample = attention.workload?.at(sizes) as (typeof attention)['samples'][number];
      const key = { seed: 99, stream: 5, step: 2, row: 40 };
      const attrs = { ...sample.attrs, dropout: rate === null ? null : { rate, key } };
      const op = OPS.find(({ name }) => name === 'attention') as (typeof OPS)[number];
      expect(await check(caseOf(op, { ...sample, attrs }), await createGpuBackend())).toBeNull();
    },
    120_000,
  );
});

/** Counts the dispatches that `body` causes. */
async function dispatches(b: GpuBackend, body: () => Promise<unknown>): Promise<number> {
  const { gpu } = b.device;
  const create = gpu.createCommandEncoder.bind(gpu);
  let count = 0;
  gpu.createCommandEncoder = (...args) => {
    const encoder = create(...args);
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = () => {
      const pass = begin();
      const dispatch = pass.dispatchWorkgroups.bind(pass);
      pass.dispatchWorkgroups = (...groups) => {
        count++;
        dispatch(...groups);
      };
      return pass;
    };
    return encoder;
  };
  await body();
  gpu.createCommandEncoder = create;
  return count;
}

describeGpu('launches that would take too long', () => {
  const wave = (length: number, by: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * by));

  test.each(['fast', 'plain'] satisfies Tier[])('are cut into parts, which give the same bits: %s', async (tier) => {
    const [whole, cut] = [await createGpuBackend({ tier }), await createGpuBackend({ tier, mostWork: 20_000 })];
    let [want, got]: unknown[][] = [[], []];
    const few = await dispatches(whole, async () => (want = await longWork(whole)));
    const many = await dispatches(cut, async () => (got = await longWork(cut)));
    expect(got).toEqual(want);
    expect(many).toBeGreaterThan(few + (tier === 'fast' ? 3 : 50)); // fast kernels have few workgroups
  });

  test('a submit holds no more work than one launch may', async () => {
    const b = await createGpuBackend({ mostWork: 1e6 });
    const { queue } = b.device.gpu;
    const submit = queue.submit.bind(queue);
    let submits = 0;
    queue.submit = (buffers) => {
      submits++;
      submit(buffers);
    };
    const [x, y] = [b.upload(wave(64 * 64, 1)), b.alloc(64 * 64, 'f32')];
    const sizes = { m: 64, n: 64, k: 64, batch: 1, strideA: 0, strideB: 0, transposeA: false, transposeB: false };
    for (let i = 0; i < 10; i++) b.kernels.matmul({ a: x, b: x, y, ...sizes }); // 0.5 million operations each
    await b.flush();
    queue.submit = submit;
    expect(submits).toBe(10);
  });
});

describeGpu('ids that do not fit', () => {
  const refusal = (id: number, position: number, rows: number): object =>
    expect.objectContaining({
      code: 'BACKEND-COMMAND',
      message: `gpu: id ${id} at position ${position}, but there are ${rows} rows`,
      fix: 'check indices against the size of what they index',
    });
  const ints = (b: Backend, ...values: number[]): Buf => b.upload(new Int32Array(values));

  test.each(['fast', 'plain'] satisfies Tier[])('are refused at the next read or flush: %s', async (tier) => {
    const b = await createGpuBackend({ tier });
    const [table, y] = [upload(b, 1, 2, 3, 4), b.alloc(6, 'f32')];
    for (const id of [2, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      b.kernels.gather(table, ints(b, 1, 0, id), y, 3, 2);
      await expect(b.flush()).rejects.toEqual(refusal(id, 2, 2));
    }
    b.kernels.scatterAdd(ints(b, 7, 9), y, table, 2, 2, 2);
    await expect(b.read(y)).rejects.toEqual(refusal(7, 0, 2));
    b.kernels.fill(y, 7); // the queue goes on
    expect(await b.read(y)).toEqual(new Float32Array(6).fill(7));
  });

  test.each(['fast', 'plain'] satisfies Tier[])(
    'labels of a loss, those that are ignored excepted: %s',
    async (tier) => {
      const b = await createGpuBackend({ tier });
      const [logits, losses, lse] = [b.upload(new Float32Array(80 * 3)), b.alloc(80, 'f32'), b.alloc(80, 'f32')];
      const labels = new Int32Array(80).map((_, i) => (i % 2 === 0 ? -100 : 2));
      b.kernels.crossEntropy(logits, b.upload(labels), losses, lse, 80, 3, -100);
      await b.flush();
      labels[71] = 3;
      labels[73] = 4;
      const wrong = b.upload(labels);
      b.kernels.crossEntropy(logits, wrong, losses, lse, 80, 3, -100);
      await expect(b.read(losses)).rejects.toEqual(refusal(3, 71, 3));
      const sums = { results: b.alloc(160, 'f32'), sums: b.alloc(3, 'f32') };
      b.write(wrong, labels);
      b.kernels.crossEntropyInPlace({ logits, labels: wrong, ...sums, rows: 80, cols: 3, ignoreIndex: -1, scale: 1 });
      await expect(b.flush()).rejects.toEqual(refusal(-100, 0, 3));
    },
  );

  test('a list is looked at again when it has changed, and all that is read meanwhile is refused', async () => {
    const b = await createGpuBackend();
    const [table, y, ids] = [upload(b, 1, 2), b.alloc(1, 'f32'), ints(b, 1)];
    b.kernels.gather(table, ids, y, 1, 1);
    b.kernels.gather(table, ids, y, 1, 1);
    expect(await b.read(y)).toEqual(Float32Array.of(2));
    b.write(ids, Int32Array.of(5));
    b.kernels.gather(table, ids, y, 1, 1);
    const reads = [b.read(y), b.read(table)];
    for (const read of await Promise.allSettled(reads)) {
      expect(read).toEqual({ status: 'rejected', reason: refusal(5, 0, 2) });
    }
    expect(await b.read(table)).toEqual(Float32Array.of(1, 2));
  });
});

describeGpu('a recording', () => {
  test('runs again with other inputs and another moment, in memory of its own', async () => {
    const b = await createGpuBackend();
    const [rows, cols] = [5, 64];
    const y = b.alloc(rows * cols, 'f32');
    const ones = (): Float32Array => new Float32Array(rows * cols).fill(1);
    const [x, ids] = [ones(), Int32Array.of(4, 3, 2, 1, 0)];
    const body = (step: number) => (): void => {
      const [table, index] = [b.upload(x), b.upload(ids)];
      const [picked, dropped] = [b.alloc(rows * cols, 'f32'), b.alloc(rows * cols, 'f32')];
      b.kernels.gather(table, index, picked, rows, cols);
      b.kernels.dropout(picked, dropped, rows, cols, 0.5, { seed: 3, stream: 1, step, row: 0 });
      b.kernels.fill(y, 0);
      b.kernels.accumulate(dropped, y);
      for (const buf of [table, index, picked, dropped]) b.free(buf);
    };
    const eager = async (step: number): Promise<unknown> => {
      body(step)();
      return b.read(y);
    };
    const recording = b.record(body(0));
    const moment = { lr: 0, correction1: 1, correction2: 1 };
    for (const step of [7, 8, 9]) {
      x[5] = step;
      const want = await eager(step);
      b.write(recording.inputs.get(x) as Buf, x);
      b.write(recording.inputs.get(ids) as Buf, ids);
      recording.run({ ...moment, step });
      expect(await b.read(y)).toEqual(want);
    }
    const held = b.heldBytes;
    for (let i = 0; i < 20; i++) recording.run({ ...moment, step: i });
    await b.flush();
    expect(b.heldBytes).toBe(held);
    b.write(recording.inputs.get(ids) as Buf, Int32Array.of(0, 1, 5, 0, 0));
    recording.run({ ...moment, step: 1 });
    await expect(b.flush()).rejects.toMatchObject({ message: 'gpu: id 5 at position 2, but there are 5 rows' });
    recording.free();
    b.free(y);
    await b.flush();
    expect(b.liveBytes).toBe(0);
  });
});

describeGpu('a GPU by name', () => {
  test('is opened, and says what runs', async () => {
    const { backend, reason } = await openBackend('gpu');
    expect(backend.runsOn).toMatch(/, webgpu, (software|hardware)$/);
    expect(reason).toContain('asked for');
    expect(errorOf(() => selectBackend('gpu')).fix).toContain('openBackend');
  });

  test('is not chosen by itself where a processor plays it', async () => {
    const gpu = await createGpuBackend();
    const { backend, reason } = await openBackend('auto');
    if (gpu.device.software) {
      expect(backend.name).not.toBe('gpu');
      expect(reason).toContain('is software');
    } else expect(reason).toContain('trial');
  });
});

// Last: they break the device that all backends of this process share.
describeGpu('what goes wrong on the device', () => {
  test('a command it refuses fails the run, once', async () => {
    const b = await createGpuBackend();
    b.device.gpu.createBuffer({ size: 2 ** 52, usage: 8 });
    await b.device.gpu.queue.onSubmittedWorkDone();
    await expect(b.flush()).rejects.toMatchObject({ exitCode: 69 });
    await b.flush();
  });

  test('memory that it has not is one clear error, and the next tensor fits again', async () => {
    const b = await createGpuBackend();
    // No process is given a buffer as large as SwiftShader says it could be; a real GPU may well have one.
    if (!b.device.adapter.includes('SwiftShader')) return;
    const before = b.heldBytes;
    const x = b.alloc(b.device.limits.buffer / 4, 'f32');
    b.kernels.fill(x, 1);
    await expect(b.flush()).rejects.toMatchObject({
      code: 'BACKEND-MEMORY',
      message: expect.stringMatching(/^out of memory: /),
      where: expect.stringContaining('gpu backend'),
      fix: expect.stringContaining('smaller batch'),
    });
    b.free(x);
    expect(b.heldBytes).toBe(before);
    const y = b.alloc(2, 'f32');
    b.kernels.fill(y, 3);
    expect(await b.read(y)).toEqual(Float32Array.of(3, 3));
  });

  test('a device that is lost is named, and the next one works', async () => {
    const b = await createGpuBackend();
    const x = upload(b, 1);
    await gpujs.WebGPUContext.destroy();
    await expect(b.read(x)).rejects.toMatchObject({ code: 'BACKEND-GPU-LOST' });
    const next = await createGpuBackend();
    expect(await next.read(upload(next, 7))).toEqual(Float32Array.of(7));
  });
});

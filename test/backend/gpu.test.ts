import { expect, test } from '@jest/globals';
import gpujs from 'gpu.js';
import type { Backend, Buf } from '../../src/backend/backend.js';
import { TILES } from '../../src/backend/gpu/fast/tiles.js';
import { createGpuBackend, GpuBackend, type Tier } from '../../src/backend/gpu/index.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { openBackend, selectBackend } from '../../src/backend/select.js';
import { type BertgradError, DtypeError } from '../../src/core/errors.js';
import { GPU_BACKENDS, whyNoGpu } from '../backends.js';
import { describeIf } from '../skip.js';

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
    const tiles = TILES.filter(({ name }) => !software || ['32x32', 'registers', 'few registers'].includes(name));
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

  test('a device that is lost is named, and the next one works', async () => {
    const b = await createGpuBackend();
    const x = upload(b, 1);
    await gpujs.WebGPUContext.destroy();
    await expect(b.read(x)).rejects.toMatchObject({ code: 'BACKEND-GPU-LOST' });
    const next = await createGpuBackend();
    expect(await next.read(upload(next, 7))).toEqual(Float32Array.of(7));
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createNativeBackend } from '#native';
import type { Backend, Buf } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { createNativeBackend as createAbsent } from '../../src/backend/native/absent.js';
import { loadAddon } from '../../src/backend/native/load.js';
import { defaultBackend, selectBackend } from '../../src/backend/select.js';
import { type BertgradError, DtypeError, UsageError } from '../../src/core/errors.js';
import { describeIf } from '../skip.js';
import { whyNoNative } from './native-trial.js';

/** The error that a call ends with. */
function errorOf(call: () => unknown): BertgradError {
  try {
    call();
  } catch (error) {
    return error as BertgradError;
  }
  throw new Error('nothing was thrown');
}

const LINE = { offset: 0, strides: [1] };
const upload = (b: Backend, ...values: number[]): Buf => b.upload(new Float32Array(values));
const copyTo = (b: Backend, x: Buf, y: Buf): void => b.kernels.copy(x, y, [x.length], LINE, LINE);

describe('without the addon', () => {
  test('a missing file names itself and the command that makes it', () => {
    const error = errorOf(() => loadAddon('/no/such/folder/bertgrad.node'));
    expect(error).toMatchObject({ code: 'BACKEND-NATIVE', exitCode: 69, fix: 'npm run build' });
    expect(error.message).toContain('not built');
    expect(error.where).toContain('/no/such/folder');
  });

  test('a file that does not load gives the reason in one line', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bertgrad-'));
    const path = join(folder, 'broken.node');
    writeFileSync(path, 'no library');
    const error = errorOf(() => loadAddon(path));
    rmSync(folder, { recursive: true });
    expect(error).toMatchObject({ code: 'BACKEND-NATIVE', exitCode: 69, fix: 'npm run build' });
    expect(error.message).toMatch(/^the addon does not load: [^\n]+$/);
  });

  test('in a browser there is no native backend', () => {
    expect(errorOf(createAbsent)).toMatchObject({ code: 'BACKEND-NATIVE', exitCode: 69 });
  });
});

const absent = whyNoNative();
const describeNative = describeIf(absent === null, 'native', absent ?? '');

describeNative('memory of the native backend', () => {
  test('counts what is alive, and views keep their memory', async () => {
    const b = createNativeBackend();
    const x = upload(b, 1, 2, 3, 4);
    const tail = b.view(x, 2, 2);
    const deeper = b.view(tail, 1, 1);
    expect(b.liveBytes).toBe(16);
    b.free(x);
    b.free(tail);
    expect(b.liveBytes).toBe(16);
    const other = upload(b, 9, 9, 9, 9);
    expect(await b.read(deeper)).toEqual(new Float32Array([4]));
    b.free(deeper);
    b.free(other);
    expect(b.liveBytes).toBe(0);
    expect(b.peakBytes).toBe(32);
  });

  test('mistakes with buffers have a name', () => {
    const b = createNativeBackend();
    const x = upload(b, 1, 2);
    const foreign = createNativeBackend().alloc(2, 'f32');
    expect(errorOf(() => b.view(x, 1, 2)).message).toContain('1 .. 3 into 2');
    expect(errorOf(() => b.kernels.accumulate(foreign, x))).toMatchObject({ code: 'BACKEND-MIXED', exitCode: 69 });
    expect(errorOf(() => b.free(createJsBackend().alloc(1, 'f32')))).toMatchObject({ code: 'BACKEND-MIXED' });
    expect(errorOf(() => b.kernels.softmax(x, x, 3, 4))).toMatchObject({ code: 'BACKEND-SIZE' });
    expect(errorOf(() => b.write(x, new Float32Array(3))).message).toContain('3 values written to a buffer of 2');
    b.free(x);
    expect(errorOf(() => b.free(x))).toMatchObject({
      code: 'BACKEND-FREED',
      message: 'native: a buffer was freed twice',
    });
    expect(errorOf(() => b.kernels.fill(x, 0))).toMatchObject({ code: 'BACKEND-FREED' });
    expect(errorOf(() => b.view(x, 0, 1))).toMatchObject({ code: 'BACKEND-FREED' });
  });

  test('element types that it lacks are refused', () => {
    const b = createNativeBackend();
    const [x, ids] = [upload(b, 1), b.upload(new Int32Array(1))];
    expect(() => b.alloc(1, 'f64')).toThrow(DtypeError);
    expect(() => b.upload(new Float64Array(1))).toThrow(DtypeError);
    expect(() => b.write(x, new Int32Array(1))).toThrow(DtypeError);
    expect(() => b.kernels.accumulate(ids, x)).toThrow(DtypeError);
    expect(() => b.kernels.copy(ids, x, [1], LINE, LINE)).toThrow(DtypeError);
    expect(b.liveBytes).toBe(8);
  });

  test('out of memory says how much was wanted and how much there is', () => {
    const b = createNativeBackend({ arenaGb: 0.0625 });
    const half = b.alloc(2 ** 23, 'f32');
    const error = errorOf(() => b.alloc(2 ** 23, 'f32'));
    expect(error).toMatchObject({ code: 'BACKEND-MEMORY', exitCode: 69, message: 'out of memory: 32 MiB more wanted' });
    expect(error.where).toBe('native backend, 32 MiB of 64 MiB in use');
    expect(errorOf(() => b.alloc(Number.NaN, 'f32'))).toMatchObject({ code: 'BACKEND-MEMORY' });
    b.free(half);
    b.free(b.alloc(15 * 2 ** 20, 'f32')); // a sixteenth is kept for small buffers
    expect(b.liveBytes).toBe(0);
  });

  test('poison shows what nobody wrote and what is gone', async () => {
    const b = createNativeBackend({ poison: true });
    const x = upload(b, 1, 2);
    const y = b.alloc(2, 'f32');
    expect(await b.read(y)).toEqual(new Float32Array([Number.NaN, Number.NaN]));
    b.free(x);
    const again = b.alloc(2, 'f32');
    expect(await b.read(again)).toEqual(new Float32Array([Number.NaN, Number.NaN]));
  });

  test('what is free goes back to the system when a recording gets its room, and what is not stays', async () => {
    const backend = createNativeBackend({ arenaGb: 0.5, poison: false });
    const rss = (): number => process.memoryUsage.rss();
    const before = rss();
    const n = 2 ** 23; // 32 MiB of floats
    const [kept, gone, last] = [1, 2, 3].map((value) => {
      const buf = backend.alloc(n, 'f32');
      backend.kernels.fill(buf, value);
      return buf;
    });
    backend.free(gone);
    const recording = backend.record(() => {
      const big = backend.alloc(2 * n, 'f32'); // larger than the gap
      backend.kernels.fill(big, 4);
      backend.kernels.accumulate(last, kept);
      backend.free(big);
    });
    expect(rss() - before).toBeLessThan(2.5 * 4 * n);
    recording.run({ step: 0, lr: 0, correction1: 1, correction2: 1 });
    expect((await backend.read(kept)).every((x) => x === 4)).toBe(true);
    recording.free();
    for (const buf of [kept, last]) backend.free(buf);
    expect(backend.liveBytes).toBe(0);
  });

  test('empty buffers are buffers', async () => {
    const b = createNativeBackend();
    const [x, y] = [upload(b), b.alloc(0, 'f32')];
    b.kernels.accumulate(x, y);
    expect(await b.read(y)).toEqual(new Float32Array(0));
    expect(b.liveBytes).toBe(0);
    b.free(x);
    expect(() => b.free(x)).toThrow('freed twice');
  });
});

describeNative('order of the native queue', () => {
  test('a write comes after the kernels that read the old content', async () => {
    const b = createNativeBackend();
    const [x, before, after] = [upload(b, 1, 2), b.alloc(2, 'f32'), b.alloc(2, 'f32')];
    copyTo(b, x, before);
    b.write(x, new Float32Array([3, 4]));
    copyTo(b, x, after);
    b.write(x, new Float32Array([5, 6]));
    expect(await b.read(before)).toEqual(new Float32Array([1, 2]));
    expect(await b.read(after)).toEqual(new Float32Array([3, 4]));
  });

  test('an upload into freed memory comes after the kernels that read it', async () => {
    const b = createNativeBackend();
    const y = b.alloc(2, 'f32');
    const x = upload(b, 1, 2);
    copyTo(b, x, y);
    b.free(x);
    upload(b, 3, 4); // takes the place of x
    expect(await b.read(y)).toEqual(new Float32Array([1, 2]));
  });

  test('reads started together see each its own moment', async () => {
    const b = createNativeBackend();
    const [x, one] = [upload(b, 1), upload(b, 1)];
    const first = b.read(x);
    b.kernels.accumulate(one, x);
    const second = b.read(x);
    b.kernels.accumulate(one, x);
    b.free(x);
    upload(b, 100);
    expect([(await first)[0], (await second)[0]]).toEqual([1, 2]);
  });

  test('more commands than a queue holds run all, in order', async () => {
    const b = createNativeBackend();
    const [x, one] = [upload(b, 0), upload(b, 1)];
    for (let i = 0; i < 20_000; i++) b.kernels.accumulate(one, x);
    expect(await b.read(x)).toEqual(new Float32Array([20_000]));
  });

  test('an id outside its table is refused before any memory is read', async () => {
    const b = createNativeBackend();
    const [table, y] = [upload(b, 1, 2, 3, 4), b.alloc(2, 'f32')];
    for (const id of [2, -1, 2 ** 31 - 1]) {
      b.kernels.gather(table, b.upload(new Int32Array([id])), y, 1, 2);
      await expect(b.flush()).rejects.toMatchObject({
        code: 'BACKEND-COMMAND',
        message: expect.stringContaining(`id ${id}`),
      });
    }
    b.kernels.fill(y, 7); // the queue goes on
    expect(await b.read(y)).toEqual(new Float32Array([7, 7]));
  });

  test('attention refuses sequences that do not lie end to end', async () => {
    const b = createNativeBackend();
    const [q, lse, keyBias] = [b.alloc(8, 'f32'), b.alloc(4, 'f32'), b.alloc(4, 'f32')];
    const sizes = {
      queries: null,
      rows: 4,
      queryRows: 4,
      sequences: 2,
      heads: 1,
      headDim: 2,
      maxSeq: 2,
      scale: 1,
      dropout: null,
    };
    for (const ends of [
      [0, 3, 4],
      [0, 2, 5],
      [1, 2, 4],
      [0, 5, 4],
    ]) {
      const offsets = b.upload(new Int32Array(ends));
      b.kernels.attention({ q, k: q, v: q, keyBias, offsets, ...sizes }, b.alloc(8, 'f32'), lse);
      await expect(b.flush()).rejects.toMatchObject({ code: 'BACKEND-COMMAND' });
    }
    for (const [ends, places] of [
      [
        [0, 1, 3],
        [0, 1],
      ],
      [
        [0, 2, 1],
        [0, 1],
      ],
      [
        [0, 1, 2],
        [0, 2],
      ],
      [
        [0, 1, 2],
        [-1, 0],
      ],
    ]) {
      const queries = { offsets: b.upload(new Int32Array(ends)), places: b.upload(new Int32Array(places)) };
      const offsets = b.upload(new Int32Array([0, 2, 4]));
      const call = { q, k: q, v: q, keyBias, offsets, ...sizes, queries, queryRows: 2 };
      b.kernels.attention(call, b.alloc(8, 'f32'), lse);
      await expect(b.flush()).rejects.toThrow('queries');
    }
  });
});

describeNative('set-up of the native backend', () => {
  const saved = { ...process.env };
  afterEach(() => {
    for (const name of ['BG_ISA', 'BG_THREADS', 'BG_ARENA_GB', 'BG_POISON']) {
      if (saved[name] === undefined) delete process.env[name];
      else process.env[name] = saved[name];
    }
  });

  test('says what it runs on', () => {
    const { isas } = createNativeBackend();
    expect(isas.at(-1)).toBe('base');
    for (const isa of isas) expect(createNativeBackend({ isa, threads: 1 }).runsOn).toBe(`${isa}, 1 thread`);
    process.env.BG_THREADS = '3';
    process.env.BG_ISA = 'base';
    expect(createNativeBackend().runsOn).toBe('base, 3 threads');
  });

  test.each([
    ['BG_ISA', 'sse9', 'USAGE-ISA'],
    ['BG_ISA', process.arch === 'x64' ? 'neon' : 'avx2', 'USAGE-ISA'],
    ['BG_THREADS', '0', 'USAGE-THREADS'],
    ['BG_THREADS', 'two', 'USAGE-THREADS'],
    ['BG_THREADS', '1.5', 'USAGE-THREADS'],
    ['BG_THREADS', '1000', 'USAGE-THREADS'],
    ['BG_ARENA_GB', '-1', 'USAGE-ARENA'],
    ['BG_ARENA_GB', 'much', 'USAGE-ARENA'],
    ['BG_POISON', 'yes', 'USAGE-POISON'],
  ])('%s=%s is refused, even where another backend could be taken', (name, value, code) => {
    process.env[name] = value;
    const error = errorOf(() => selectBackend('auto'));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code, exitCode: 2 });
    expect(error.message).toContain(`${name}=${value}`);
    if (name === 'BG_ISA') expect(error.fix).toContain('base');
  });

  test('is what auto chooses', () => {
    expect(selectBackend('auto').reason).toMatch(/^native \(.*\): the fastest/);
    expect(defaultBackend().liveBytes).toBe(0);
  });

  test('measures what no kernel can exceed', () => {
    const backend = createNativeBackend({ threads: 1 });
    for (const precision of ['f32', 'bf16', 'int8'] as const)
      expect(backend.fmaPeak(1, precision)).toBeGreaterThan(0.5);
    expect(Object.keys(backend.multipliers)).toEqual(['bf16', 'int8']);
    expect(createNativeBackend({ isa: 'base' }).multipliers).toEqual({ bf16: null, int8: null });
    if (backend.isas.includes('avx2'))
      expect(createNativeBackend({ isa: 'avx2' }).multipliers).toEqual({ bf16: null, int8: 'avx2' });
  });

  test('backends live side by side with their own threads and memory', async () => {
    const backends = [1, 2, 1].map((threads) => createNativeBackend({ threads }));
    const bufs = backends.map((b, i) => {
      const x = upload(b, i);
      b.kernels.fill(x, i + 10);
      return x;
    });
    for (const [i, b] of backends.entries()) expect((await b.read(bufs[i]))[0]).toBe(i + 10);
  });

  test('Node workers compute at the same time, and end', async () => {
    const path = join(process.cwd(), 'build', 'Release', 'bertgrad.node');
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      const addon = require(workerData.path);
      const engine = new addon.Engine(2 ** 30, '', workerData.threads);
      const n = 100000;
      engine.commit(8 * n);
      const [fill, accumulate] = [addon.commands.indexOf('fill'), addon.commands.indexOf('accumulate')];
      engine.exec(new Float64Array([fill, 0, n, 1, fill, 4 * n, n, 0]), 8);
      for (let i = 0; i < 50; i++) engine.exec(new Float64Array([accumulate, 0, 4 * n, n]), 4);
      const out = new Float32Array(n);
      engine.copyOut(4 * n, out);
      parentPort.postMessage(out.every((x) => x === 50));`;
    const results = [1, 2, 2].map(
      (threads) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(code, { eval: true, workerData: { path, threads } });
          worker.on('message', resolve);
          worker.on('error', reject);
        }),
    );
    expect(await Promise.all(results)).toEqual([true, true, true]);
  });
});

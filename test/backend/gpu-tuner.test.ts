import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Device } from '../../src/backend/gpu/device.js';
import { createGpuBackend, GpuBackend } from '../../src/backend/gpu/index.js';
import { fileMemory, trialsPath } from '../../src/backend/gpu/tile-file.js';
import { GPU_BACKENDS, whyNoGpu } from '../backends.js';
import { describeIf } from '../skip.js';

const folder = mkdtempSync(join(tmpdir(), 'bertgrad-trials-'));

describe('what trials have chosen', () => {
  test('is kept by adapter, in a file that all processes share', () => {
    const path = join(folder, 'deep', 'trials.json');
    const [one, other] = [fileMemory('one', path), fileMemory('other', path)];
    one.set('a', '64x64');
    other.set('a', '32x32');
    one.save();
    other.save();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ one: { a: '64x64' }, other: { a: '32x32' } });
    const again = fileMemory('one', path);
    expect([again.get('a'), again.get('b'), again.size]).toEqual(['64x64', undefined, 1]);
  });

  test('is found out again where the file is damaged, or cannot be written', () => {
    const path = join(folder, 'damaged.json');
    for (const content of ['{', '[1]', '{"one": {"a": 1}}', 'null']) {
      writeFileSync(path, content);
      expect(fileMemory('one', path).size).toBe(0);
    }
    const blocked = fileMemory('one', join(path, 'below-a-file.json'));
    blocked.set('a', '64x64');
    blocked.save();
    expect(blocked.get('a')).toBe('64x64');
  });

  test('lies in the folder for caches', () => {
    expect(trialsPath({ XDG_CACHE_HOME: '/c' })).toBe('/c/bertgrad/gpu-trials.json');
    expect(trialsPath({})).toMatch(/\.cache\/bertgrad\/gpu-trials\.json$/);
  });
});

describeIf(
  GPU_BACKENDS.length > 0,
  'gpu',
  whyNoGpu ?? '',
)('trials of tiles', () => {
  test('a shape is tried once, and the next process knows', async () => {
    process.env.XDG_CACHE_HOME = join(folder, 'cache');
    const opened = await createGpuBackend();
    // As if it were no software, with workgroup memory for the small tiles alone: large ones take long to compile there.
    const limits = { ...opened.device.limits, workgroupMemory: 8192 };
    const device: Device = { ...opened.device, software: false, limits };
    const call = { m: 40, n: 24, k: 32, batch: 1, strideA: 0, strideB: 0, transposeA: false, transposeB: false };
    const multiply = async (): Promise<GpuBackend> => {
      const b = new GpuBackend(device, opened.compiler, {});
      const [x, w, y] = [b.alloc(40 * 32, 'f32'), b.alloc(32 * 24, 'f32'), b.alloc(40 * 24, 'f32')];
      b.kernels.matmul({ a: x, b: w, y, ...call });
      await b.flush();
      for (const buf of [x, w, y]) b.free(buf);
      expect(b.liveBytes).toBe(0);
      return b;
    };
    expect((await multiply()).trialMemory.size).toBe(1);
    const written = readFileSync(trialsPath(), 'utf8');
    const next = await multiply();
    expect(next.trials).toBe(`1 in ${trialsPath()}`);
    expect(readFileSync(trialsPath(), 'utf8')).toBe(written);
  }, 300_000);
});

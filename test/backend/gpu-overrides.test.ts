// The members of gpu.js's WebGPUKernel that this backend overrides, one test each: they are not documented API, so that
// another version of gpu.js shall fail here and not in somebody's numbers.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { Compiled } from '../../src/backend/gpu/compile.js';
import { createGpuBackend, type GpuBackend } from '../../src/backend/gpu/index.js';
import { fastShader, plainShader } from '../../src/backend/gpu/shader.js';
import type { FastKernel, PlainKernel } from '../../src/backend/gpu/spec.js';
import { GPU_BACKENDS, whyNoGpu } from '../backends.js';
import { describeIf } from '../skip.js';

const PLAIN: PlainKernel = {
  name: 'test plain',
  params: { x: 'f32', ids: 'i32', y: 'f32', n: 'int', by: 'float' },
  rank: 1,
  inPlace: 'y',
  text: 'function (x, ids, y, n, by) { return y[this.thread.x] + x[ids[this.thread.x]] * by + n; }',
};
const FAST: FastKernel = {
  name: 'test fast',
  params: { x: 'vec4', mask: 'u32', count: 'int', by: 'float' },
  outputs: { y: 'vec4', sums: 'f32' },
  wgsl: `@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) gid : vec3<u32>) {
  if (gid.x >= params.count) { return; }
  let v = x_at(gid.x) * params.by;
  set_y(gid.x, select(vec4<f32>(), v, mask_at(gid.x) > 0u));
  set_sums(gid.x, v.x + v.y + v.z + v.w);
}`,
};

describeIf(
  GPU_BACKENDS.length > 0,
  'gpu',
  whyNoGpu ?? '',
)('what is overridden in gpu.js', () => {
  const opened = createGpuBackend();
  const compile = async (kernel: PlainKernel | FastKernel): Promise<[GpuBackend, Compiled]> => {
    const backend = await opened;
    const compiled = backend.compiler.get(kernel);
    await compiled.ready;
    return [backend, compiled];
  };

  test('the version is the one that was read', () => {
    const { version } = JSON.parse(readFileSync('node_modules/gpu.js/package.json', 'utf8'));
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect([version, dependencies['gpu.js']]).toEqual(['2.24.1', '2.24.1']);
  });

  test('translateSource: gpu.js translates a plain text; a fast kernel brings its own', async () => {
    const [, plain] = await compile(PLAIN);
    expect(plain.wgsl).toContain('get_user_x(0, 0, i32(get_user_ids(0, 0, i32(i32(threadGid.x)))))*params.user_by');
    const [, fast] = await compile(FAST);
    expect(fast.wgsl).toContain(FAST.wgsl.slice(FAST.wgsl.indexOf('if (gid.x')));
    expect(fast.wgsl).not.toContain('threadGid');
  });

  test('computeParamsLayout: arrays, numbers, where the result begins, and the first workgroup', async () => {
    const [, { paramBytes, resultWord, scalars, arrays }] = await compile(PLAIN);
    expect(arrays.length).toBe(3);
    expect(scalars).toEqual([
      { word: 16, float: false },
      { word: 17, float: true },
    ]);
    expect([resultWord, paramBytes]).toEqual([18, 96]); // 22 words, in sixteens of bytes
  });

  test('assembleWGSL: windows, ids and results in place', async () => {
    const [, { wgsl }] = await compile(PLAIN);
    expect(wgsl).toContain('user_x[params.user_x_dims.w + u32(');
    expect(wgsl).toContain('user_ids : array<i32>;');
    expect(wgsl).toContain('f32(user_ids[params.user_ids_dims.w');
    expect(wgsl).not.toContain('var<storage, read> user_y');
    expect(wgsl).toContain('return f32(result[params.resultOffset + ');
    expect(wgsl).toMatch(/result\[params\.resultOffset \+ u32\(data_index\)\] = f32\(.*\);return;/);
  });

  test('assembleWGSL: vectors, bits and several results', async () => {
    const [, { wgsl }] = await compile(FAST);
    expect(wgsl).toContain('var<storage, read> x : array<vec4<f32>>;');
    expect(wgsl).toContain('var<storage, read> mask : array<u32>;');
    expect(wgsl).toContain('var<storage, read_write> result : array<vec4<f32>>;');
    expect(wgsl).toContain('var<storage, read_write> sums : array<f32>;');
    expect(wgsl).toContain('count : u32,');
  });

  test('assembleWGSL: threads are counted from the beginning of the whole launch', async () => {
    const [, { wgsl }] = await compile(PLAIN);
    const first = 'vec3<u32>(params.firstX, params.firstY, params.firstZ)';
    expect(wgsl).toContain(`let gid = gid_here + ${first} * vec3<u32>(64, 1, 1);`);
    expect((await compile(FAST))[1].wgsl).toContain(`let gid = gid_here + ${first} * vec3<u32>(32, 1, 1);`);
  });

  test('_buildAsync: a pipeline over windows of our own buffers', async () => {
    const [backend, compiled] = await compile(FAST);
    expect(compiled.pipeline).not.toBeNull();
    const x = backend.upload(Float32Array.from({ length: 12 }, (_, i) => i));
    const mask = backend.upload(Int32Array.of(1, 0));
    const [y, sums] = [backend.alloc(8, 'f32'), backend.alloc(2, 'f32')];
    const window = backend.view(x, 4, 8);
    const dims = [1, 1, 1] as const;
    const args = [{ buf: window, dims }, { buf: mask, dims }, 2, 0.5];
    const outputs = [
      { buf: y, dims },
      { buf: sums, dims },
    ];
    backend.queue.launch(compiled, args, outputs, dims);
    expect(() => backend.queue.launch(compiled, args.slice(1), outputs, dims)).toThrow(
      'was given 4 arrays and numbers',
    );
    expect(await backend.read(y)).toEqual(Float32Array.of(2, 2.5, 3, 3.5, 0, 0, 0, 0));
    expect(await backend.read(sums)).toEqual(Float32Array.of(11, 19));
    for (const buf of [x, mask, y, sums, window]) backend.free(buf);
  });

  test('a shader that is assembled otherwise is refused by name', () => {
    const refusal = expect.objectContaining({
      code: 'BACKEND-GPU',
      message: expect.stringContaining('another way than version 2.24.1'),
    });
    const thrownBy = (run: () => string): unknown => {
      try {
        return run();
      } catch (error) {
        return error;
      }
    };
    expect(thrownBy(() => plainShader('fn main() {}', PLAIN))).toEqual(refusal);
    expect(thrownBy(() => fastShader('fn main() {}', FAST))).toEqual(refusal);
  });
});

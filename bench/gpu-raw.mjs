// Hand-written WGSL on the device of the gpu backend, without gpu.js and without this library: what its kernels are
// measured against. A product in the tiles of the library's largest kernel, and the roofs of the adapter.

/** y = a b, all [rows, cols] in row-major order, sizes multiples of 128, 128 and 16. 128 x 128 a workgroup, 8 x 8 a thread. */
export const matmul128 = (n, k) => `
@group(0) @binding(0) var<storage, read> a : array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b : array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y : array<vec4<f32>>;
var<workgroup> ta : array<vec4<f32>, 512>;
var<workgroup> tb : array<vec4<f32>, 512>;
@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_id) lid : vec3<u32>,
        @builtin(local_invocation_index) li : u32) {
  let row0 = wid.y * 128u; let col0 = wid.x * 32u;
  var c = array<array<vec4<f32>, 2>, 8>();
  for (var k0 = 0u; k0 < ${k}u; k0 += 16u) {
    if (li < 128u) {
      let g = li / 4u; let q = li % 4u;
      let at = (row0 + g * 4u) * ${k / 4}u + k0 / 4u + q;
      let r0 = a[at]; let r1 = a[at + ${k / 4}u]; let r2 = a[at + ${(2 * k) / 4}u]; let r3 = a[at + ${(3 * k) / 4}u];
      ta[q * 128u + g] = vec4<f32>(r0.x, r1.x, r2.x, r3.x);
      ta[q * 128u + 32u + g] = vec4<f32>(r0.y, r1.y, r2.y, r3.y);
      ta[q * 128u + 64u + g] = vec4<f32>(r0.z, r1.z, r2.z, r3.z);
      ta[q * 128u + 96u + g] = vec4<f32>(r0.w, r1.w, r2.w, r3.w);
    }
    for (var u = li; u < 512u; u += 256u) { tb[u] = b[(k0 + u / 32u) * ${n / 4}u + col0 + u % 32u]; }
    workgroupBarrier();
    for (var p = 0u; p < 16u; p++) {
      let a0 = ta[p * 32u + lid.y]; let a1 = ta[p * 32u + 16u + lid.y];
      let b0 = tb[p * 32u + lid.x]; let b1 = tb[p * 32u + 16u + lid.x];
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `      c[${i}][0] = fma(vec4<f32>(a${i >> 2}[${i & 3}]), b0, c[${i}][0]); c[${i}][1] = fma(vec4<f32>(a${i >> 2}[${i & 3}]), b1, c[${i}][1]);`).join('\n')}
    }
    workgroupBarrier();
  }
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `  { let at = (row0 + ${(i >> 2) * 64 + (i & 3)}u + lid.y * 4u) * ${n / 4}u + col0 + lid.x; y[at] = c[${i}][0]; y[at + 16u] = c[${i}][1]; }`).join('\n')}
}`;

/** The same from registers alone, 64 x 64 a workgroup of 64 threads: the tiling that serves where a processor plays the GPU. */
export const matmulRegisters = (n, k) => `
@group(0) @binding(0) var<storage, read> a : array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b : array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y : array<vec4<f32>>;
@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_id) lid : vec3<u32>) {
  let row0 = wid.y * 64u + lid.y * 4u; let col0 = wid.x * 16u + lid.x;
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `  var c${i}_0 = vec4<f32>(); var c${i}_1 = vec4<f32>();`).join('\n')}
  for (var q = 0u; q < ${k / 4}u; q++) {
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `    let a${i} = a[(row0 + ${(i >> 2) * 32 + (i & 3)}u) * ${k / 4}u + q];`).join('\n')}
${[0, 1, 2, 3]
  .map(
    (e) => `    { let at = (q * 4u + ${e}u) * ${n / 4}u + col0; let b0 = b[at]; let b1 = b[at + 8u];
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `      c${i}_0 = fma(vec4<f32>(a${i}[${e}]), b0, c${i}_0); c${i}_1 = fma(vec4<f32>(a${i}[${e}]), b1, c${i}_1);`).join('\n')} }`,
  )
  .join('\n')}
  }
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `  { let at = (row0 + ${(i >> 2) * 32 + (i & 3)}u) * ${n / 4}u + col0; y[at] = c${i}_0; y[at + 8u] = c${i}_1; }`).join('\n')}
}`;

const count = (n, text) => Array.from({ length: n }, (_, i) => text(i)).join('\n');

/** The same for subgroups of four threads, 64 x 32 a workgroup of eight: each reads one of four rows of a, and they broadcast. */
export const matmulShared = (n, k) => `enable subgroups;
@group(0) @binding(0) var<storage, read> a : array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b : array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y : array<vec4<f32>>;
@compute @workgroup_size(4, 2)
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_id) lid : vec3<u32>,
        @builtin(subgroup_invocation_id) lane : u32) {
  let row0 = wid.y * 64u + lid.y * 4u; let col0 = wid.x * 8u + lid.x;
${count(32, (i) => `  var c${i}_0 = vec4<f32>(); var c${i}_1 = vec4<f32>();`)}
  for (var q = 0u; q < ${k / 4}u; q++) {
${count(8, (g) => `    let a${g} = a[(row0 + ${g * 8}u + lane) * ${k / 4}u + q];`)}
${count(
  4,
  (e) => `    { let at = (q * 4u + ${e}u) * ${n / 4}u + col0; let b0 = b[at]; let b1 = b[at + 4u];
${count(32, (i) => `      { let s = vec4<f32>(subgroupBroadcast(a${i >> 2}[${e}], ${i & 3}u)); c${i}_0 = fma(s, b0, c${i}_0); c${i}_1 = fma(s, b1, c${i}_1); }`)} }`,
)}
  }
${count(32, (i) => `  { let at = (row0 + ${(i >> 2) * 8 + (i & 3)}u) * ${n / 4}u + col0; y[at] = c${i}_0; y[at + 4u] = c${i}_1; }`)}
}`;

/** Multiply-adds in registers, eight chains of vectors a thread: 2 * 4 * 8 * 8 * `rounds` operations. */
const fmaChains = (rounds) => `
@group(0) @binding(0) var<storage, read_write> y : array<vec4<f32>>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid : vec3<u32>) {
  let f = vec4<f32>(f32(gid.x) * 1e-9 + 0.999); let d = vec4<f32>(1e-6);
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `  var c${i} = f * ${i + 1}.0;`).join('\n')}
  for (var r = 0u; r < ${rounds}u; r++) {
${[0, 1, 2, 3, 4, 5, 6, 7].map(() => `    ${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `c${i} = fma(c${i}, f, d);`).join(' ')}`).join('\n')}
  }
  y[gid.x] = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7;
}`;

const COPY = `
@group(0) @binding(0) var<storage, read> x : array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y : array<vec4<f32>>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>) {
  let i = gid.x + gid.y * groups.x * 256u;
  if (i < arrayLength(&y)) { y[i] = x[i]; }
}`;

/** A shader on buffers of its own, ready to be launched: `run(count)` submits that many launches at once. */
export async function prepare(device, code, bytes, groups, fill) {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const buffers = bytes.map((size) => device.createBuffer({ size, usage: 0x80 | 0x04 | 0x08 }));
  if (fill) for (const [i, data] of fill.entries()) device.queue.writeBuffer(buffers[i], 0, data);
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const run = (count) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...groups);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return device.queue.onSubmittedWorkDone();
  };
  const free = () => {
    for (const buffer of buffers) buffer.destroy();
  };
  return { run, free };
}

/** GFLOP/s of multiply-adds and GB/s of copying, counting bytes read and written. */
export async function roofs(device, secondsOf, software) {
  const [threads, rounds] = software ? [4096, 64] : [1 << 20, 256];
  const fma = await prepare(device, fmaChains(rounds), [16 * threads], [threads / 256, 1, 1]);
  const gflops = (2 * 4 * 8 * 8 * rounds * threads) / (await secondsOf(fma.run)) / 1e9;
  fma.free();
  const bytes = software ? 2 ** 26 : 2 ** 29;
  const copy = await prepare(device, COPY, [bytes, bytes], [bytes / 16 / 256 / 64, 64, 1]);
  const gbytes = (2 * bytes) / (await secondsOf(copy.run)) / 1e9;
  copy.free();
  return { gflops, gbytes };
}

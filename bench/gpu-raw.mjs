// Hand-written WGSL on the device of the gpu backend, without gpu.js and without this library: what its kernels are
// measured against. A product in any of the library's tilings, and the roofs of the adapter.

const each = (count, text) => Array.from({ length: count }, (_, i) => text(i)).join('\n');
const rows4 = [0, 1, 2, 3];
/** Accumulators of a thread: row i, four columns of group j. */
const sums = (rows, groups, text) => each(rows, (i) => each(groups, (j) => text(i, j, `c${i}_${j}`)));

const bindings = (y) => `
@group(0) @binding(0) var<storage, read> a : array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b : array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y : array<vec4<f32>>;
${y}`;

/** What the place of a workgroup says besides its rows and columns: which matrices of a batch, or which part of k. */
function place({ m, n, k, batch, parts }) {
  const of = (size) => (batch > 1 ? `wid.z * ${size / 4}u + ` : '');
  const part = lengthOf(k, parts);
  return {
    ofA: of(m * k),
    ofB: of(k * n),
    ofY: batch * parts > 1 ? `wid.z * ${(m * n) / 4}u + ` : '',
    begin: parts > 1 ? `wid.z * ${part}u` : '0u',
    end: parts > 1 ? `min(${k}u, wid.z * ${part}u + ${part}u)` : `${k}u`,
  };
}

/** One slice of k of an operand into workgroup memory, [bk, size / 4]; where it runs along k in memory, blocks are turned. */
function fill(name, { size, first, width, turned, bk, k, threads, of }) {
  const groups = size / 4;
  const body = turned
    ? `let g = u / ${bk / 4}u; let q = u % ${bk / 4}u;
      let at = ${of}(${first} + g * 4u) * ${k / 4}u + k0 / 4u + q;
${each(4, (r) => `      let r${r} = ${name}[at + ${(r * k) / 4}u];`)}
${each(4, (e) => `      t${name}[(q * 4u + ${e}u) * ${groups}u + g] = vec4<f32>(r0[${e}], r1[${e}], r2[${e}], r3[${e}]);`)}`
    : `t${name}[u] = ${name}[${of}(k0 + u / ${groups}u) * ${width / 4}u + ${first} / 4u + u % ${groups}u];`;
  const units = turned ? (groups * bk) / 4 : groups * bk;
  return `    for (var u = li; u < ${units}u; u += ${threads}u) { ${body} }`;
}

/** Slices of both operands in workgroup memory. */
function tiled({ bm, bn, bk, rows, cols }, shape) {
  const { m, n, k, transposeA, transposeB } = shape;
  const [tx, ty, groups] = [bn / cols, bm / rows, cols / 4];
  const { ofA, ofB, ofY, begin, end } = place(shape);
  const common = { bk, k, threads: tx * ty };
  return `${bindings(`var<workgroup> ta : array<vec4<f32>, ${(bk * bm) / 4}>;\nvar<workgroup> tb : array<vec4<f32>, ${(bk * bn) / 4}>;`)}
@compute @workgroup_size(${tx}, ${ty})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_id) lid : vec3<u32>,
        @builtin(local_invocation_index) li : u32) {
  let row0 = wid.y * ${bm}u; let col0 = wid.x * ${bn}u;
${sums(rows, groups, (_i, _j, c) => `  var ${c} = vec4<f32>();`)}
  let end = ${end};
  for (var k0 = ${begin}; k0 < end; k0 += ${bk}u) {
${fill('a', { ...common, of: ofA, size: bm, first: 'row0', width: m, turned: !transposeA })}
${fill('b', { ...common, of: ofB, size: bn, first: 'col0', width: n, turned: transposeB })}
    workgroupBarrier();
    for (var p = 0u; p < ${bk}u; p++) {
${each(rows / 4, (i) => `      let a${i} = ta[p * ${bm / 4}u + ${i * ty}u + lid.y];`)}
${each(groups, (j) => `      let b${j} = tb[p * ${bn / 4}u + ${j * tx}u + lid.x];`)}
${sums(rows, groups, (i, j, c) => `      ${c} = fma(vec4<f32>(a${i >> 2}[${i & 3}]), b${j}, ${c});`)}
    }
    workgroupBarrier();
  }
${store(rows, groups, [tx, ty], n, ofY)}
}`;
}

const store = (rows, groups, [tx, ty], n, of) =>
  sums(rows, groups, (i, j, c) => {
    const row = `row0 + ${(i >> 2) * ty * 4 + (i & 3)}u + lid.y * 4u`;
    return `  y[${of}(${row}) * ${n / 4}u + col0 / 4u + ${j * tx}u + lid.x] = ${c};`;
  });

/** Straight from the buffers, four steps of k at a time; where subgroups are four threads, each reads one of four rows of a. */
function fromRegisters({ bm, bn, rows, cols, shared }, shape) {
  const { m, n, k, transposeA, transposeB } = shape;
  const { ofA: atA, ofB: atB, ofY, begin, end } = place(shape);
  const [tx, ty, groups] = [bn / cols, bm / rows, cols / 4];
  const row = (i) => `row0 + ${i * ty * 4}u + lid.y * 4u`;
  const col = (j) => `col0 / 4u + ${j * tx}u + lid.x`;
  const ofA = (i, r) =>
    transposeA
      ? `a[${atA}(q * 4u + ${r}) * ${m / 4}u + (${row(i)}) / 4u]`
      : `a[${atA}(${row(i)} + ${r}) * ${k / 4}u + q]`;
  const ofB = (j, r) =>
    transposeB
      ? `b[${atB}((${col(j)}) * 4u + ${r}u) * ${k / 4}u + q]`
      : `b[${atB}(q * 4u + ${r}u) * ${n / 4}u + ${col(j)}]`;
  const readA = shared
    ? each(rows / 4, (i) => `    let a${i} = ${ofA(i, 'lane')};`)
    : each(rows / 4, (i) => each(4, (r) => `    let a${i}_${r} = ${ofA(i, `${r}u`)};`));
  const a = (i, e) => {
    const [group, r] = [i >> 2, i & 3];
    if (!shared) return transposeA ? `a${group}_${e}[${r}]` : `a${group}_${r}[${e}]`;
    return transposeA ? `subgroupBroadcast(a${group}[${r}], ${e}u)` : `subgroupBroadcast(a${group}[${e}], ${r}u)`;
  };
  const b = (j, e) => (transposeB ? `vec4<f32>(${rows4.map((r) => `b${j}_${r}[${e}]`).join(', ')})` : `b${j}_${e}`);
  return `${shared ? 'enable subgroups;' : ''}${bindings('')}
@compute @workgroup_size(${tx}, ${ty})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_id) lid : vec3<u32>${shared ? ',\n        @builtin(subgroup_invocation_id) lane : u32' : ''}) {
  let row0 = wid.y * ${bm}u; let col0 = wid.x * ${bn}u;
${sums(rows, groups, (_i, _j, c) => `  var ${c} = vec4<f32>();`)}
  let end = ${end} / 4u;
  for (var q = ${begin} / 4u; q < end; q++) {
${readA}
${each(groups, (j) => each(4, (r) => `    let b${j}_${r} = ${ofB(j, r)};`))}
${each(4, (e) => `    {\n${each(groups, (j) => `      let v${j} = ${b(j, e)};`)}\n${each(rows, (i) => `      { let s = vec4<f32>(${a(i, e)}); ${each(groups, (j) => `c${i}_${j} = fma(s, v${j}, c${i}_${j});`)} }`)}\n    }`)}
  }
${store(rows, groups, [tx, ty], n, ofY)}
}`;
}

/** Steps of k of a part, as src/backend/gpu/fast/matmul.ts has them. */
const lengthOf = (k, parts) => (parts === 1 ? k : Math.ceil(k / parts / 64) * 64);

/** Sums of parts of k, added in their order. */
const addParts = (parts, count) => `
@group(0) @binding(0) var<storage, read> sums : array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y : array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid : vec3<u32>) {
  if (gid.x >= ${count / 4}u) { return; }
  var t = vec4<f32>();
  for (var p = 0u; p < ${parts}u; p++) { t += sums[p * ${count / 4}u + gid.x]; }
  y[gid.x] = t;
}`;

/**
 * y = op(a) op(b) in a tiling of the library (src/backend/gpu/fast/tiles.ts), sizes written into the text.
 * @param shape m, n, k, transposeA, transposeB; `batch` of them, or `parts` along k that are added afterwards
 * @returns bytes of its buffers, and passes over them: a, b, y and, where there are parts, their sums; null where the sizes
 *   are no multiples of the tile's
 */
export function matmulByHand(tile, shape) {
  const { bm, bn, bk } = tile;
  const { m, n, k, batch, parts } = shape;
  if (m % bm !== 0 || n % bn !== 0 || lengthOf(k, parts) % Math.max(4, bk) !== 0 || k % Math.max(4, bk) !== 0)
    return null;
  const code = bk === 0 ? fromRegisters(tile, shape) : tiled(tile, shape);
  const groups = [n / bn, m / bm, batch * parts];
  const bytes = [m * k, k * n, m * n].map((size) => 4 * size * batch);
  if (parts === 1) return { bytes, passes: [{ code, groups, uses: [0, 1, 2] }] };
  const add = { code: addParts(parts, m * n), groups: [Math.ceil((m * n) / 256), 1, 1], uses: [3, 2] };
  return { bytes: [...bytes, 4 * m * n * parts], passes: [{ code, groups, uses: [0, 1, 3] }, add] };
}

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

const STORAGE = 0x80 | 0x04 | 0x08;

/** A shader and its buffers, as `setBindGroup` takes them. */
async function passOf(device, { code, groups, uses }, buffers) {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const entries = uses.map((at, binding) => ({ binding, resource: { buffer: buffers[at] } }));
  return { pipeline, groups, bound: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
}

/**
 * Shaders on buffers of their own, ready to be launched: `run(count)` submits so many launches of all passes at once.
 * @param bytes of each buffer @param fill what the first ones hold
 */
export async function prepare(device, { bytes, passes }, fill = []) {
  const buffers = bytes.map((size) => device.createBuffer({ size, usage: STORAGE }));
  for (const [i, data] of fill.entries()) device.queue.writeBuffer(buffers[i], 0, data);
  const all = await Promise.all(passes.map((pass) => passOf(device, pass, buffers)));
  const submit = (count) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < count; i++) {
      for (const { pipeline, bound, groups } of all) {
        if (i === 0 || all.length > 1) pass.setPipeline(pipeline);
        pass.setBindGroup(0, bound);
        pass.dispatchWorkgroups(...groups);
      }
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  const done = () => device.queue.onSubmittedWorkDone();
  const run = (count) => {
    submit(count);
    return done();
  };
  const free = () => {
    for (const buffer of buffers) buffer.destroy();
  };
  /** The content of buffer i. */
  const read = async (i) => {
    const staging = device.createBuffer({ size: bytes[i], usage: 0x01 | 0x08 });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffers[i], 0, staging, 0, bytes[i]);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(0x01);
    const values = new Float32Array(staging.getMappedRange()).slice();
    staging.destroy();
    return values;
  };
  return { submit, done, run, read, free };
}

const single = (code, bytes, groups) => ({ bytes, passes: [{ code, groups, uses: bytes.map((_, i) => i) }] });

/** GFLOP/s of multiply-adds and GB/s of copying, counting bytes read and written. */
export async function roofs(device, secondsOf, software) {
  const [threads, rounds] = software ? [4096, 64] : [1 << 20, 256];
  const fma = await prepare(device, single(fmaChains(rounds), [16 * threads], [threads / 256, 1, 1]));
  const gflops = (2 * 4 * 8 * 8 * rounds * threads) / (await secondsOf(fma.run)) / 1e9;
  fma.free();
  const bytes = software ? 2 ** 26 : 2 ** 29;
  const copy = await prepare(device, single(COPY, [bytes, bytes], [bytes / 16 / 256 / 64, 64, 1]));
  const gbytes = (2 * bytes) / (await secondsOf(copy.run)) / 1e9;
  copy.free();
  return { gflops, gbytes };
}

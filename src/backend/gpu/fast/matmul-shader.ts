import { type FastKernel, type FastKind, Memo } from '../spec.js';
import { EPILOGUES } from './functions.js';
import { closing, each, formKeys, formName, type MatmulForm, opening, outerProduct } from './matmul-form.js';
import { registerBody } from './matmul-registers.js';
import { type Tile, threadsOf } from './tiles.js';

const kind = (vector: boolean): FastKind => (vector ? 'vec4' : 'f32');

/**
 * `load_x(batch, row, col)`: four elements of a matrix [rows, cols] from `col` on. Beyond the edge of k they must be 0;
 * beyond the other edge any will do, as what comes of them is not stored: an index that is clamped costs no branch.
 * `place_x(batch, outer)`: of vectors, where the first at a row or column of y lies in the binding.
 */
function loader(
  name: string,
  vector: boolean,
  [rows, cols]: readonly string[],
  alongK: boolean,
  wholeK: boolean,
): string {
  const stride = `params.stride${name.toUpperCase()} * batch`;
  const [inner, edge] = alongK ? [`col >= ${cols}`, `row >= ${rows}`] : [`row >= ${rows}`, `col >= ${cols}`];
  if (!vector) {
    return `
fn load_${name}(batch : u32, row : u32, col : u32) -> vec4<f32> {
  if (${inner} || ${edge}) { return vec4<f32>(); }
  let at = ${stride} + row * ${cols} + col;
  var v = vec4<f32>();
  for (var i = 0u; i < 4u; i++) { if (col + i < ${cols}) { v[i] = ${name}_at(at + i); } }
  return v;
}`;
  }
  const place = alongK ? [`min(row, ${rows} - 1u)`, 'col'] : ['row', `min(col, ${cols} - 4u)`];
  const outer = alongK ? `min(outer, ${rows} - 1u) * ${cols}` : `min(outer, ${cols} - 4u)`;
  return `
fn place_${name}(batch : u32, outer : u32) -> u32 { return params.${name}_dims.w + (${stride} + ${outer}) / 4u; }
fn load_${name}(batch : u32, row : u32, col : u32) -> vec4<f32> {
  ${wholeK ? '' : `if (${inner}) { return vec4<f32>(); }`}
  return ${name}_at((${stride} + ${place[0]} * ${cols} + ${place[1]}) / 4u);
}`;
}

/** What the matrices look like in memory: op(a) is [m, k], op(b) is [k, n]. */
function loaders({ transposeA, transposeB, vectorA, vectorB, wholeK }: MatmulForm): string {
  const a = transposeA ? ['params.k', 'params.m'] : ['params.m', 'params.k'];
  const b = transposeB ? ['params.n', 'params.k'] : ['params.k', 'params.n'];
  return loader('a', vectorA, a, !transposeA, wholeK) + loader('b', vectorB, b, transposeB, wholeK);
}

/** `finish(at, col, t)`: bias, epilogue, store of four neighbours of a row, the first at place `at` of y. */
function finisher({ vectorY, bias, end, pre, fn }: MatmulForm): string {
  const functions = end === 'activate' || end === 'slope' ? EPILOGUES[fn] : '';
  const steps = [
    bias ? 't += load_bias(col, col);' : '',
    pre ? 'store_pre(at, col, t);' : '',
    end === 'activate' ? 't = value(t);' : '',
    end === 'slope' ? 't *= slope(load_x(at, col));' : '',
    end === 'add' ? 't += load_y(at, col);' : '',
  ].join('\n  ');
  const read = (name: string): string =>
    vectorY
      ? `fn load_${name}(at : u32, col : u32) -> vec4<f32> { return ${name}_at(at / 4u); }`
      : `fn load_${name}(at : u32, col : u32) -> vec4<f32> {
  var v = vec4<f32>();
  for (var i = 0u; i < 4u; i++) { if (col + i < params.n) { v[i] = ${name}_at(at + i); } }
  return v;
}`;
  const write = (name: string): string =>
    vectorY
      ? `fn store_${name}(at : u32, col : u32, v : vec4<f32>) { set_${name}(at / 4u, v); }`
      : `fn store_${name}(at : u32, col : u32, v : vec4<f32>) {
  for (var i = 0u; i < 4u; i++) { if (col + i < params.n) { set_${name}(at + i, v[i]); } }
}`;
  const parts = [write('y'), pre ? write('pre') : '', end === 'slope' ? read('x') : '', end === 'add' ? read('y') : ''];
  if (bias) parts.push(read('bias'));
  return `${functions}
${parts.join('\n')}
fn finish(at : u32, col : u32, product : vec4<f32>) {
  var t = product;
  ${steps}
  store_y(at, col, t);
}`;
}

/**
 * Fills workgroup memory with one slice of k, [bk, outer / 4] vectors. Where memory runs along the outer size, a vector
 * is copied; where it runs along k, a thread turns a block of 4 x 4.
 */
function fillTile(name: 'a' | 'b', outer: number, { bk }: Tile, turned: boolean, threads: number): string {
  const groups = outer / 4;
  const first = name === 'a' ? 'row0' : 'col0';
  const units = turned ? groups * (bk / 4) : groups * bk;
  const guard = units % threads === 0 ? '' : `if (u < ${units}u) `;
  const body = turned
    ? `let g = u / ${bk / 4}u; let q = u % ${bk / 4}u;
        let p = k0 + q * 4u; let o = ${first} + g * 4u;
        let r0 = load_${name}(batch, o, p); let r1 = load_${name}(batch, o + 1u, p);
        let r2 = load_${name}(batch, o + 2u, p); let r3 = load_${name}(batch, o + 3u, p);
        ${each(4, (e) => `tile_${name}[(q * 4u + ${e}u) * ${groups}u + g] = vec4<f32>(r0[${e}], r1[${e}], r2[${e}], r3[${e}]);`)}`
    : `let p = u / ${groups}u; let g = u % ${groups}u;
        tile_${name}[u] = load_${name}(batch, k0 + p, ${first} + g * 4u);`;
  return `
    for (var i = 0u; i < ${Math.ceil(units / threads)}u; i++) {
      let u = i * ${threads}u + li;
      ${guard}{ ${body} }
    }`;
}

/** Slices of op(a) and op(b) go through workgroup memory, each element of y through the registers of one thread. */
function tiledBody(form: MatmulForm): string {
  const { tile, transposeA, transposeB } = form;
  const { bm, bn, bk, rows, cols } = tile;
  const [tx, ty] = threadsOf(tile);
  const groups = cols / 4;
  return `
var<workgroup> tile_a : array<vec4<f32>, ${(bk * bm) / 4}>;
var<workgroup> tile_b : array<vec4<f32>, ${(bk * bn) / 4}>;
@compute @workgroup_size(${tx}, ${ty})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_id) lid : vec3<u32>,
        @builtin(local_invocation_index) li : u32) {
${opening(form)}
  for (var k0 = begin; k0 < end; k0 += ${bk}u) {${fillTile('a', bm, tile, !transposeA, tx * ty)}${fillTile('b', bn, tile, transposeB, tx * ty)}
    workgroupBarrier();
    for (var p = 0u; p < ${bk}u; p++) {
${each(rows / 4, (i) => `      let a${i} = tile_a[p * ${bm / 4}u + ${i * ty}u + ly];`)}
${each(groups, (j) => `      let b${j} = tile_b[p * ${bn / 4}u + ${j * tx}u + lx];`)}
${outerProduct(rows, groups)}
    }
    workgroupBarrier();
  }
${closing(tile, [tx, ty])}
}`;
}

const kernels = new Memo<FastKernel>();

/**
 * y = op(a) op(b) and what follows. Every tile sums over k in rising order with fused multiply-adds, so that all of them
 * give the same bits.
 */
export const matmulKernel = (form: MatmulForm): FastKernel => kernels.get(formKeys(form), () => shaderOf(form));

function shaderOf(form: MatmulForm): FastKernel {
  const { vectorA, vectorB, vectorY, bias, end, pre, tile } = form;
  return {
    name: formName(form),
    params: {
      a: kind(vectorA),
      b: kind(vectorB),
      ...(bias ? { bias: kind(vectorY) } : {}),
      ...(end === 'slope' ? { x: kind(vectorY) } : {}),
      ...{ m: 'int', n: 'int', k: 'int', strideA: 'int', strideB: 'int', splits: 'int', part: 'int' },
    } as FastKernel['params'],
    ...(tile.shared ? { subgroups: true } : {}),
    outputs: { y: kind(vectorY), ...(pre ? { pre: kind(vectorY) } : {}) },
    wgsl: `${loaders(form)}${finisher(form)}${tile.bk === 0 ? registerBody(form) : tiledBody(form)}`,
  };
}

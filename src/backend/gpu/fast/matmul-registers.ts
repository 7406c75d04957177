import { closing, each, type MatmulForm, opening, outerProduct, rowOf, sum } from './matmul-form.js';
import { threadsOf } from './tiles.js';

/**
 * Element `e` of row i of op(a), of which each of four threads has read a row of every block `name0` .. of 4 x 4; or, turned,
 * a column.
 */
export const fromNeighbour = (name: string, i: number, e: number, turned: boolean): string => {
  const [element, thread] = turned ? [i & 3, e] : [e, i & 3];
  return `subgroupBroadcast(${name}${i >> 2}[${element}], ${thread}u)`;
};

/**
 * Reads four steps of k of four rows of op(a), or four columns of op(b): of vectors, what of their places does not depend on k
 * is computed before the loop, and what is the same for all once a step.
 * @param alongK whether a vector is four steps of one row or column, else four of them at one step
 * @param lane which of the four a thread reads; null: all of them, as `a0_0` .. `a0_3`
 */
function reader(
  name: 'a' | 'b',
  { vectorA, vectorB, wholeK }: MatmulForm,
  alongK: boolean,
  lane: string | null,
): { begin(i: number, outer: string): string; step: string; read(i: number, outer: string): string } {
  const vectors = wholeK && (name === 'a' ? vectorA : vectorB);
  const which = lane === null ? ['0u', '1u', '2u', '3u'] : [lane];
  const of = (i: number, r: number): string => (lane === null ? `${name}${i}_${r}` : `${name}${i}`);
  const element = (i: number, outer: string, r: string): string => {
    if (!vectors) return `load_${name}(batch, ${alongK ? `${outer} + ${r}, k0` : `k0 + ${r}, ${outer}`})`;
    return alongK ? `${name}[at_${name}${i}_${r} + q]` : `${name}[at_${name}${i} + row_${name}${r}]`;
  };
  const row = (r: string, at: number): string =>
    at === 0 ? `(k0 + ${r}) * width_${name}` : `row_${name}${which[at - 1]} + width_${name}`;
  const lines = (text: (r: string, at: number) => string): string => which.map(text).join('\n');
  return {
    begin: (i, outer) => {
      if (!vectors) return '';
      if (!alongK) return `  let at_${name}${i} = place_${name}(batch, ${outer});`;
      return lines((r) => `  let at_${name}${i}_${r} = place_${name}(batch, ${outer} + ${r});`);
    },
    step: vectors && !alongK ? lines((r, at) => `    let row_${name}${r} = ${row(r, at)};`) : '',
    read: (i, outer) => lines((r, at) => `    let ${of(i, at)} = ${element(i, outer, r)};`),
  };
}

/** Column `e` of four rows in registers. */
export const turned = (names: readonly string[], e: number): string =>
  `vec4<f32>(${names.map((name) => `${name}[${e}]`).join(', ')})`;

/** Four steps of k straight from the buffers: no memory to share, no barrier. The best where a processor plays the GPU. */
export function registerBody(form: MatmulForm): string {
  const { tile, transposeA, transposeB } = form;
  const { rows, cols } = tile;
  const [tx, ty] = threadsOf(tile);
  const groups = cols / 4;
  const turn = (name: string, e: number): string =>
    turned(
      [0, 1, 2, 3].map((r) => `${name}_${r}`),
      e,
    );
  const row = (i: number): string => rowOf(i * 4, ty);
  const col = (j: number): string => `col0 + ${j * tx * 4}u + lx * 4u`;
  const a = reader('a', form, !transposeA, tile.shared ? 'lane' : null);
  const b = reader('b', form, transposeB, null);
  const column = (e: number): string =>
    each(rows / 4, (i) => `      let a${i} = ${transposeA ? `a${i}_${e}` : turn(`a${i}`, e)};`);
  const shared = (e: number) => (i: number) => fromNeighbour('a', i, e, transposeA);
  const step = (e: number): string => `    {
${each(groups, (j) => `      let b${j} = ${transposeB ? turn(`b${j}`, e) : `b${j}_${e}`};`)}
${tile.shared ? outerProduct(rows, groups, sum, shared(e)) : `${column(e)}\n${outerProduct(rows, groups)}`}
    }`;
  return `
@compute @workgroup_size(${tx}, ${ty})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_id) lid : vec3<u32>${tile.shared ? ', @builtin(subgroup_invocation_id) lane : u32' : ''}) {
${opening(form)}
${each(rows / 4, (i) => a.begin(i, row(i)))}
${each(groups, (j) => b.begin(j, col(j)))}
  let width_a = m / 4u; let width_b = n / 4u;
  for (var k0 = begin; k0 < end; k0 += 4u) {
    let q = k0 / 4u;
${a.step}
${b.step}
${each(rows / 4, (i) => a.read(i, row(i)))}
${each(groups, (j) => b.read(j, col(j)))}
${each(4, step)}
  }
${closing(tile, [tx, ty])}
}`;
}

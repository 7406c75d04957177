import type { Tile } from './tiles.js';

/** All that makes one matmul shader differ from another. */
export interface MatmulForm {
  readonly tile: Tile;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Whether the buffers can be read and written four elements at a time: lengths of rows and places divide by 4. */
  readonly vectorA: boolean;
  readonly vectorB: boolean;
  readonly vectorY: boolean;
  /** Whether every slice of k is a whole one. */
  readonly wholeK: boolean;
  /** Whether k is cut into parts. */
  readonly split: boolean;
  readonly bias: boolean;
  readonly end: 'store' | 'add' | 'activate' | 'slope';
  /** Whether `activate` also stores what the function was applied to. */
  readonly pre: boolean;
  /** gelu, geluTanh or relu, for `activate` and `slope`. */
  readonly fn: string;
}

const letter = (condition: boolean, yes: string, no: string): string => (condition ? yes : no);

export function formName(form: MatmulForm): string {
  const { tile, transposeA, transposeB, vectorA, vectorB, vectorY, wholeK, split, bias, end, pre, fn } = form;
  const vectors = [vectorA, vectorB, vectorY].map((v) => letter(v, '4', '1')).join('');
  const transposes = letter(transposeA, 't', 'n') + letter(transposeB, 't', 'n');
  return `matmul ${tile.name} ${transposes} ${vectors}${letter(wholeK, '', ' part')}${letter(split, ' split', '')}${letter(bias, ' bias', '')} ${end} ${fn}${letter(pre, ' pre', '')}`;
}

/** What tells one form from another: the conditions are the bits of a number. */
export function formKeys(form: MatmulForm): readonly unknown[] {
  const { tile, transposeA, transposeB, vectorA, vectorB, vectorY, wholeK, split, bias, end, pre, fn } = form;
  const conditions = [transposeA, transposeB, vectorA, vectorB, vectorY, wholeK, split, bias, pre];
  return [tile, end, fn, conditions.reduce((bits, holds) => 2 * bits + Number(holds), 0)];
}

/** One after the other, a line each. */
export const each = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join('\n');

/** Names of the accumulators: row i of the thread, four columns of group j. */
export const sum = (i: number, j: number): string => `c${i}_${j}`;

/**
 * One step of k: sums += a column of op(a) times a row of op(b), the row in registers as vectors `b0` ..
 * @param to names of the sums @param of element i of the column, read just before it is used: it takes up no register until then
 */
export function outerProduct(rows: number, groups: number, to = sum, of = fromVectors): string {
  return each(rows, (i) => {
    const products = each(groups, (j) => `        ${to(i, j)} = fma(s, b${j}, ${to(i, j)});`);
    return `      { let s = vec4<f32>(${of(i)});\n${products} }`;
  });
}

/** Element i of a column of op(a) in registers as vectors `a0` .. */
const fromVectors = (i: number): string => `a${i >> 2}[${i & 3}]`;

/** Where row i of a thread lies: groups of four, as far apart as all threads' groups together. */
export const rowOf = (i: number, threads: number): string => `row0 + ${(i >> 2) * threads * 4 + (i & 3)}u + ly * 4u`;

/** What every matmul shader begins with: the tile's place, the thread's, its slice of k, and sums of 0. */
export function opening({ tile: { bm, bn, rows, cols }, split }: MatmulForm): string {
  const slice = split
    ? `let batch = wid.z / params.splits;
  let begin = (wid.z % params.splits) * params.part;
  let end = min(params.k, begin + params.part);`
    : 'let batch = wid.z; let begin = 0u; let end = params.k;';
  return `  let row0 = wid.y * ${bm}u; let col0 = wid.x * ${bn}u;
  let lx = lid.x; let ly = lid.y;
  ${slice}
  let m = params.m; let n = params.n; // after a store they would be read anew
${each(rows, (i) => each(cols / 4, (j) => `  var ${sum(i, j)} = vec4<f32>();`))}`;
}

/** What every matmul shader ends with: each four sums that lie within y get what follows the product. */
export function closing({ rows, cols }: Tile, [tx, ty]: readonly [number, number]): string {
  const groups = cols / 4;
  return `  let first = wid.z * m * n;
${each(groups, (j) => `  let at${j} = col0 + ${j * tx * 4}u + lx * 4u;`)}
${each(
  rows,
  (i) => `  {
    let row = ${rowOf(i, ty)}; let line = first + row * n;
    if (row < m) {
${each(groups, (j) => `      if (at${j} < n) { finish(line + at${j}, at${j}, ${sum(i, j)}); }`)}
    }
  }`,
)}`;
}

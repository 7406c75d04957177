import { type Product, product } from '../kernels/matmul.js';
import type { GlMemory } from './memory.js';
import type { WideKernel } from './program.js';
import type { GlRunner } from './runner.js';
import { type Grid, LANES } from './textures.js';

const lanes = [0, 1, 2, 3] as const;

/**
 * Four neighbours of a row of y a fragment: a texel of a serves all four, so four steps along k cost five fetches for
 * sixteen products, where a scalar kernel needs 32. Both operands are sheets, b turned so that it is [k, n]; k and n are in
 * texels; `rowsA`, `rowsB` lead from one matrix of a batch to the next. Without a batch a tenth of the time is saved.
 */
function kernelOf(bias: boolean, batch: boolean): WideKernel {
  const layer = (rows: string): string => (batch ? `this.thread.z * ${rows} + ` : '');
  const rows = lanes.map((j) => `const b${j} = b[${layer('rowsB')}i * 4 + ${j}][this.thread.x];`);
  const product = (j: number): string => lanes.map((i) => `av[${i}] * b${i}[${j}]`).join(' + ');
  const added = (j: number): string => (bias ? ` + bias[this.thread.x * 4 + ${j}]` : '');
  return {
    name: `matmul wide${bias ? ' bias' : ''}${batch ? ' batch' : ''}`,
    params: {
      a: 'f32',
      b: 'f32',
      ...(bias ? { bias: 'f32' } : {}),
      k: 'int',
      ...(batch ? { rowsA: 'int', rowsB: 'int' } : {}),
    },
    rank: 3,
    loop: 'k',
    sheets: ['a', 'b'],
    text: `function (a, b, ${bias ? 'bias, ' : ''}k${batch ? ', rowsA, rowsB' : ''}) {
  ${lanes.map((j) => `let s${j} = 0;`).join(' ')}
  for (let i = 0; i < k; i++) {
    const av = a[${layer('rowsA')}this.thread.y][i];
    ${rows.join('\n    ')}
    ${lanes.map((j) => `s${j} += ${product(j)};`).join('\n    ')}
  }
  return [${lanes.map((j) => `s${j}${added(j)}`).join(', ')}];
}`,
  };
}

/** A product with vectors where sizes allow it. */
export const wideProduct =
  (runner: GlRunner, { textures }: GlMemory): Product =>
  (_, call, y) => {
    const { a, b, bias, m, n, k, transposeA, transposeB, batch, strideA, strideB } = call;
    const [layersA, layersB] = [strideA === 0 ? 1 : batch, strideB === 0 ? 1 : batch];
    const tallest = Math.max(m * layersA, k * layersB);
    const fits = n % LANES === 0 && k % LANES === 0 && tallest <= textures.side && Math.max(n, k) <= textures.side;
    if (!fits || m === 0 || n === 0 || k === 0 || batch === 0) return product(runner, call, y);
    const sheets: Grid[] = [
      runner.sheet(a, [k, m, layersA], [strideA, ...(transposeA ? ([1, m] as const) : ([k, 1] as const))]),
      runner.sheet(b, [n, k, layersB], [strideB, ...(transposeB ? ([1, k] as const) : ([n, 1] as const))]),
    ];
    const layers = batch === 1 ? [] : [strideA === 0 ? 0 : m, strideB === 0 ? 0 : k];
    const operands = bias === undefined ? sheets : [...sheets, bias];
    const kernel = kernelOf(bias !== undefined, batch > 1);
    runner.runWide(kernel, [...operands, k / LANES, ...layers], [n / LANES, m, batch], y);
    for (const sheet of sheets) textures.give(sheet);
  };

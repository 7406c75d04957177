import type { MatmulCall } from '../../backend.js';
import { type Product, product } from '../kernels/matmul.js';
import { line, Memo } from '../spec.js';
import type { GlMemory } from './memory.js';
import type { WideKernel } from './program.js';
import type { GlRunner } from './runner.js';
import { LANES } from './textures.js';

const each = (count: number, text: (i: number) => string, between = '\n    '): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(between);

/** What makes one product differ from another. */
interface Form {
  /** Rows of y that a fragment computes: as many results as it draws at once. */
  readonly rows: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly bias: boolean;
  /** `rowsA`, `rowsB` then lead from one matrix of a batch to the next. Without them a tenth of the time is saved. */
  readonly batch: boolean;
}

/** Texels of op(a) for four steps along k: those of one row each or, where a is transposed, those of four rows at one step. */
function readA({ rows, transposeA, batch }: Form): { reads: string; element: (row: number, step: number) => string } {
  const layer = batch ? 'this.thread.z * rowsA + ' : '';
  const [y, groups] = ['this.thread.y', rows / LANES];
  return transposeA
    ? {
        reads: each(groups, (g) =>
          each(4, (e) => `const a${g}${e} = a[${layer}i * 4 + ${e}][${y} * ${groups} + ${g}];`),
        ),
        element: (row, step) => `a${row >> 2}${step}[${row & 3}]`,
      }
    : {
        reads: each(rows, (r) => `const a${r} = a[${layer}${y} * ${rows} + ${r}][i];`),
        element: (row, step) => `a${row}[${step}]`,
      };
}

/** The same of op(b): four columns. */
function readB({ transposeB, batch }: Form): { reads: string; element: (step: number, col: number) => string } {
  const layer = batch ? 'this.thread.z * rowsB + ' : '';
  return transposeB
    ? {
        reads: each(4, (j) => `const b${j} = b[${layer}this.thread.x * 4 + ${j}][i];`),
        element: (step, col) => `b${col}[${step}]`,
      }
    : {
        reads: each(4, (e) => `const b${e} = b[${layer}i * 4 + ${e}][this.thread.x];`),
        element: (step, col) => `b${step}[${col}]`,
      };
}

const kernels = new Memo<WideKernel>();

/**
 * A block of `rows` x 4 elements of y a fragment, a row each to a texture of its own: with eight rows twelve texels serve
 * 128 products, where a scalar kernel reads 256 numbers. Both operands are sheets as they lie in memory; k is in texels.
 */
function kernelOf(form: Form): WideKernel {
  const { rows, transposeA, transposeB, bias, batch } = form;
  const name = `matmul ${rows} rows ${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}${bias ? ' bias' : ''}${batch ? ' batch' : ''}`;
  const params = {
    ...({ a: 'f32', b: 'f32' } as const),
    ...(bias ? ({ bias: 'f32' } as const) : {}),
    ...({ k: 'int' } as const),
    ...(batch ? ({ rowsA: 'int', rowsB: 'int' } as const) : {}),
  };
  const [a, b] = [readA(form), readB(form)];
  const sum = (r: number, j: number): string => each(4, (e) => `${a.element(r, e)} * ${b.element(e, j)}`, ' + ');
  const result = (r: number): string =>
    each(4, (j) => `s${r}${j}${bias ? ` + bias[this.thread.x * 4 + ${j}]` : ''}`, ', ');
  return kernels.get([name], () => ({
    ...{ name, params, rank: 3, sheets: ['a', 'b'] },
    beside: Array.from({ length: rows - 1 }, (_, i) => `function row${i + 1}(p, q, r, s) { return [p, q, r, s]; }`),
    text: `function (${Object.keys(params).join(', ')}) {
  ${each(rows, (r) => each(4, (j) => `let s${r}${j} = 0;`, ' '), '\n  ')}
  for (let i = 0; i < k; i++) {
    ${a.reads}
    ${b.reads}
    ${each(rows, (r) => each(4, (j) => `s${r}${j} += ${sum(r, j)};`))}
  }
  ${each(rows - 1, (r) => `row${r + 1}(${result(r + 1)});`, '\n  ')}
  return [${result(0)}];
}`,
  }));
}

/** Rows that were drawn apart, in their order: row y of each `rows` is in sheet y. */
const inOrder = (rows: number): WideKernel =>
  kernels.get([`rows in order ${rows}`], () => {
    const sheets = Array.from({ length: rows }, (_, i) => `s${i}`);
    const choose = (i: number): string => `if (this.thread.y == ${i}) { v = s${i}[this.thread.z][this.thread.x]; }`;
    return {
      ...{ name: `rows in order ${rows}`, rank: 3, sheets },
      params: Object.fromEntries(sheets.map((name) => [name, 'f32'])),
      text: `function (${sheets.join(', ')}) {
  let v = s0[this.thread.z][this.thread.x];
  ${each(rows - 1, (i) => choose(i + 1), '\n  ')}
  return [v[0], v[1], v[2], v[3]];
}`,
    };
  });

/** Whether rows of all three matrices, and sums, are made of whole texels, and the sheets of them fit into textures. */
function fits({ m, n, k, transposeA, batch, strideA, strideB }: MatmulCall, rows: number, side: number): boolean {
  const whole = [n, k, transposeA ? m : k].every((size) => size > 0 && size % LANES === 0);
  const [layersA, layersB] = [strideA === 0 ? 1 : batch, strideB === 0 ? 1 : batch];
  const tallest = Math.max(Math.max(m, k) * layersA, Math.max(n, k) * layersB);
  return whole && m > 0 && batch > 0 && (batch === 1 || m % rows === 0) && tallest <= side;
}

/** A product with vectors where sizes allow it. @param rows 4 or 8 */
export const wideProduct =
  (runner: GlRunner, { textures }: GlMemory, rows: number): Product =>
  (_, call, y) => {
    const { a, b, bias, m, n, k, transposeA, transposeB, batch, strideA, strideB } = call;
    if (!fits(call, rows, textures.side)) return product(runner, call, y);
    const [sizeA, sizeB] = [transposeA ? [m, k] : [k, m], transposeB ? [k, n] : [n, k]];
    const sheets = [
      runner.sheet(a, [sizeA[0], sizeA[1], strideA === 0 ? 1 : batch], strideA),
      runner.sheet(b, [sizeB[0], sizeB[1], strideB === 0 ? 1 : batch], strideB),
    ];
    const layers = batch === 1 ? [] : [strideA === 0 ? 0 : sizeA[1], strideB === 0 ? 0 : sizeB[1]];
    const operands = bias === undefined ? sheets : [...sheets, line(bias)];
    const kernel = kernelOf({ rows, transposeA, transposeB, bias: bias !== undefined, batch: batch > 1 });
    const blocks = Math.ceil(m / rows);
    const work = 2 * m * n * k * batch;
    const stack = runner.runStack(kernel, [...operands, k / LANES, ...layers], [n / LANES, blocks, batch], work);
    runner.runWide(inOrder(rows), stack.sheets, [n / LANES, rows, blocks * batch], y);
    textures.giveStack(stack);
    for (const sheet of sheets) textures.give(sheet);
  };

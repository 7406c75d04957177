import { ShapeError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import { checkRank, takes } from './check.js';
import type { Arg, BackwardCtx, GradOp, Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';

const gatherGrad: GradOp<{ readonly table: Shape; readonly add: boolean }> = {
  name: 'gatherGrad',
  shapes: (_, { table }) => [table],
  forward: ({ kernels }, [ids, dOut], [dTable], { add }) => {
    const [tableRows, width] = dTable.shape;
    if (!add) kernels.fill(dTable.buf, 0);
    kernels.scatterAdd(ids.buf, dOut.buf, dTable.buf, ids.buf.length, width, tableRows);
  },
};

/** The gradient of a table, input i, from that of the rows it gave; added to where it is gathered, or handed back. */
export function tableGradient<A>(ctx: BackwardCtx<A>, i: number, ids: Arg, dOut: Arg): Arg | null {
  if (!ctx.needs(i)) return null;
  const target = ctx.into(i);
  const attrs = { table: ctx.inputs[i].shape, add: target?.add ?? false };
  const [dTable] = ctx.runGrad(gatherGrad, [ids, dOut], attrs, [target?.arg ?? null]);
  return target === null ? dTable : null;
}

const sample = (name: string, table: Shape, ids: Shape): Sample<object> => ({
  name,
  inputs: [table, { shape: ids, ids: table[0] }],
  attrs: {},
});

export const gather: Op = {
  name: 'gather',
  doc: {
    formula: 'y[..., :] = table[ids[...], :]',
    gradient: 'dTable[ids[...], :] += dOut[..., :], all other rows 0',
    why: {
      en: 'the same as a one-hot matrix times the table, without the zeros; a token that occurs n times adds n gradients to its row, in a fixed order',
      zh: '等于独热矩阵乘以嵌入表，只是省去了所有的零；一个词元出现 n 次，就按固定次序往它那一行散加 n 次梯度',
    },
    source: 'google-research/bert modeling.py:385-430',
  },
  inputTypes: ['float', 'i32'],
  shape: (inputs) => {
    takes('gather', inputs, 2);
    const [table, ids] = inputs;
    if (table.length !== 2) throw new ShapeError('gather', 'needs a table [rows, width]', [table]);
    if (numel(ids) > 0 && table[0] === 0) throw new ShapeError('gather', 'an empty table has no rows to give', inputs);
    return checkRank('gather', [...ids, table[1]]);
  },
  cost: ([table, ids]) => ({ flops: 0, bytes: bytesOf(ids) + 2 * table[1] * bytesOf(ids) }),
  forward: ({ kernels }, [table, ids], y) => kernels.gather(table.buf, ids.buf, y.buf, ids.buf.length, table.shape[1]),
  backward: (ctx) => [tableGradient(ctx, 0, ctx.inputs[1], ctx.dOut), null],
  get samples() {
    return [
      sample('one id as a scalar', [5, 3], []),
      sample('one element', [1, 1], [1]),
      sample('seven', [7, 7], [7]),
      sample('width 15', [5, 15], [4]),
      sample('width 16, a vector', [5, 16], [4]),
      sample('width 17', [5, 17], [4]),
      sample('width 65', [4, 65], [6]),
      sample('width 1', [9, 1], [20]),
      sample('batch of sequences', [11, 4], [3, 5]),
      sample('no ids', [5, 3], [0]),
      sample('more ids than rows', [3, 4], [100]),
      sample('vocabulary', [30522, 2], [9]),
      sample('bert: word table', [50, 32], [2, 9]),
      { name: 'one id many times', inputs: [[4, 5], { shape: [6], ids: 4, values: [2, 2, 2, 2, 2, 2] }], attrs: {} },
      { name: 'first and last row', inputs: [[9, 3], { shape: [4], ids: 9, values: [8, 0, 0, 8] }], attrs: {} },
    ];
  },
  workload: {
    axes: ['rows of the table', 'ids', 'width'],
    at: ([rows, ids, width]) => ({ inputs: [[rows, width], { shape: [ids], ids: rows }], attrs: {} }),
    bert: ({ vocab, tokens, hidden }) => [['word embeddings', [vocab, tokens, hidden]]],
  },
  get badSamples() {
    return [
      { name: 'ids that are floats', inputs: [[5, 3], [2]], attrs: {} },
      { name: 'a vector as table', inputs: [[5], { shape: [2], ids: 5 }], attrs: {} },
      { name: 'no ids at all', inputs: [[5, 3]], attrs: {} },
      {
        name: 'an integer table',
        inputs: [
          { shape: [5, 3], ids: 9 },
          { shape: [2], ids: 5 },
        ],
        attrs: {},
      },
      { name: 'an empty table', inputs: [[0, 3], { shape: [2], ids: 1 }], attrs: {} },
    ];
  },
};

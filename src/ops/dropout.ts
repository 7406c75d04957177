import { ShapeError } from '../core/errors.js';
import type { RandomKey } from '../core/random.js';
import { numel, rowsOf, type Shape } from '../core/shape.js';
import { takes } from './check.js';
import type { Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';
import { rowsWorkload } from './samples.js';
import { copyAll } from './scratch.js';

export interface DropoutAttrs {
  /** Share of the elements that are set to 0, in [0, 1). */
  readonly rate: number;
  /** Which random numbers; the same key drops the same elements. */
  readonly key: RandomKey;
}

/** @throws {ShapeError} for a rate outside [0, 1) */
export function checkRate(op: string, rate: number): void {
  if (!(rate >= 0 && rate < 1))
    throw new ShapeError(op, `the dropout rate must be at least 0 and below 1; got ${rate}`);
}

const KEY: RandomKey = { seed: 12345, stream: 7, step: 3, row: 0 };

const sample = (name: string, x: Shape, rate = 0.3, key: Partial<RandomKey> = {}): Sample<DropoutAttrs> => ({
  name,
  inputs: [x],
  attrs: { rate, key: { ...KEY, ...key } },
});

export const dropout: Op<DropoutAttrs> = {
  name: 'dropout',
  doc: {
    formula: 'y = x / (1 - rate) where the random number of the element, 16 bits, is at least rate 2^16, else 0',
    gradient: 'dX = dOut / (1 - rate) where kept, else 0: the same op on dOut with the same key',
    why: {
      en: 'what is kept is scaled up, so that inference needs no change; the mask is drawn again on the way back instead of being stored',
      zh: '保留下来的元素放大 1 / (1 - rate) 倍，推理时便无需改动；反向传播时用同一个键重新生成掩码，不必保存',
    },
    source: 'Srivastava et al. 2014, JMLR 15, sec. 10; Salmon et al. 2011 for the random numbers',
  },
  shape: (inputs, { rate }) => {
    takes('dropout', inputs, 1);
    checkRate('dropout', rate);
    return inputs[0];
  },
  view: (_, { rate }) => (rate === 0 ? { offset: 0 } : null), // nothing is dropped: the same memory
  cost: ([x]) => ({ flops: numel(x), bytes: bytesOf(x, x) }),
  forward: (backend, [x], y, { rate, key }) => {
    if (rate === 0) return copyAll(backend, x.buf, y.buf, x.shape);
    backend.kernels.dropout(x.buf, y.buf, ...rowsOf(x.shape), rate, key);
  },
  backward: ({ dOut, attrs, run }) => [run(dropout, [dOut], attrs)],
  get samples() {
    return [
      sample('scalar', []),
      sample('one element', [1]),
      sample('seven', [7]),
      sample('15', [3, 15]),
      sample('16, a vector', [3, 16]),
      sample('17, a vector and one', [3, 17]),
      sample('63', [3, 63]),
      sample('65, a block and one', [3, 65]),
      sample('no elements', [0, 3]),
      sample('rank 4', [2, 3, 5, 7]),
      sample('one long row', [1, 1000]),
      sample('one long column', [1000, 1]),
      sample('rate 0', [3, 5], 0),
      sample('nearly all dropped', [4, 40], 0.99),
      sample('later rows of a batch', [3, 20], 0.1, { row: 1000 }),
      sample('a large seed', [3, 20], 0.5, { seed: 2 ** 52 + 1, step: 4e9 }),
      sample('bert', [2, 5, 32], 0.1),
    ];
  },
  workload: rowsWorkload({ rate: 0.1, key: KEY }),
  get badSamples() {
    return [
      { name: 'everything dropped', inputs: [[3]], attrs: { rate: 1, key: KEY } },
      { name: 'a negative rate', inputs: [[3]], attrs: { rate: -0.1, key: KEY } },
      { name: 'a rate that is no number', inputs: [[3]], attrs: { rate: Number.NaN, key: KEY } },
      { name: 'two inputs', inputs: [[3], [3]], attrs: { rate: 0.1, key: KEY } },
      { name: 'integers', inputs: [{ shape: [3], ids: 5 }], attrs: { rate: 0.1, key: KEY } },
    ];
  },
};

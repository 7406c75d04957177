import { ShapeError } from '../core/errors.js';
import { type Shape, sameShape, stridesOf } from '../core/shape.js';
import { checkRank } from './check.js';
import type { Arg, Op, Sample } from './op.js';
import { bytesOf } from './reduction.js';
import { rowsWorkload } from './samples.js';
import { slice } from './slice.js';

export interface ConcatAttrs {
  readonly axis: number;
}

/** What is joined: name, axis, shapes. */
const SAMPLES = [
  ['one input', 0, [[3]]],
  ['two numbers', 0, [[1], [1]]],
  ['7 and 9', 0, [[7], [9]]],
  [
    'rows',
    0,
    [
      [2, 3],
      [5, 3],
    ],
  ],
  [
    'columns',
    1,
    [
      [3, 2],
      [3, 1],
    ],
  ],
  [
    '16 and 1 columns',
    1,
    [
      [2, 16],
      [2, 1],
    ],
  ],
  [
    '63 and 2 columns',
    1,
    [
      [3, 63],
      [3, 2],
    ],
  ],
  [
    'five inputs',
    1,
    [
      [2, 1],
      [2, 2],
      [2, 3],
      [2, 4],
      [2, 5],
    ],
  ],
  [
    'an empty one among them',
    0,
    [
      [2, 3],
      [0, 3],
      [1, 3],
    ],
  ],
  [
    'all empty',
    1,
    [
      [0, 3],
      [0, 2],
    ],
  ],
  [
    'rank 4',
    2,
    [
      [2, 3, 1, 7],
      [2, 3, 4, 7],
    ],
  ],
  [
    'long columns',
    1,
    [
      [1000, 1],
      [1000, 2],
    ],
  ],
  [
    'bert: two halves of a batch',
    0,
    [
      [2, 5, 32],
      [1, 5, 32],
    ],
  ],
] as const;

/** Index along the axis at which each input begins. */
function startsOf(inputs: readonly Arg[], axis: number): number[] {
  let end = 0;
  return inputs.map(({ shape }) => {
    end += shape[axis];
    return end - shape[axis];
  });
}

export const concat: Op<ConcatAttrs> = {
  name: 'concat',
  doc: {
    formula: 'y = the inputs one after the other along one axis',
    gradient: 'each input gets the slice of dOut that it filled',
    why: {
      en: 'the inverse of slicing: every element goes to one place, and its gradient comes back from there',
      zh: '切片的逆运算：每个元素只去往一处，梯度也从那里原样取回',
    },
    source: 'NumPy, numpy.concatenate',
  },
  shape: (inputs, { axis }) => {
    if (inputs.length === 0) throw new ShapeError('concat', 'takes at least one input');
    const [first] = inputs;
    checkRank('concat', first);
    if (first[axis] === undefined) throw new ShapeError('concat', `axis ${axis} is outside the tensor`, [first]);
    const rest = (shape: Shape): Shape => shape.toSpliced(axis, 1);
    for (const shape of inputs) {
      if (shape.length !== first.length || !sameShape(rest(shape), rest(first))) {
        throw new ShapeError('concat', `sizes must be equal on all axes but ${axis}`, [first, shape]);
      }
    }
    return first.toSpliced(
      axis,
      1,
      inputs.reduce((size, shape) => size + shape[axis], 0),
    );
  },
  cost: (inputs) => ({ flops: 0, bytes: 2 * bytesOf(...inputs) }),
  forward: ({ kernels }, inputs, y, { axis }) => {
    const strides = stridesOf(y.shape);
    const starts = startsOf(inputs, axis);
    inputs.forEach((x, i) => {
      const to = { offset: starts[i] * strides[axis], strides };
      kernels.copy(x.buf, y.buf, x.shape, { offset: 0, strides: stridesOf(x.shape) }, to);
    });
  },
  backward: ({ inputs, dOut, attrs: { axis }, needs, run }) => {
    const starts = startsOf(inputs, axis);
    const part = (start: number, size: number): Arg => run(slice, [dOut], { axis, start, end: start + size });
    return inputs.map(({ shape }, i) => (needs(i) ? part(starts[i], shape[axis]) : null));
  },
  get samples() {
    return SAMPLES.map(([name, axis, inputs]): Sample<ConcatAttrs> => ({ name, inputs, attrs: { axis } })).concat([
      { name: 'the same tensor twice', inputs: [{ shape: [2, 3] }, { shape: [2, 3], same: 0 }], attrs: { axis: 1 } },
    ]);
  },
  workload: rowsWorkload({ axis: 1 }, (rows, cols) => [
    [rows, cols],
    [rows, cols],
  ]),
  get badSamples() {
    return [
      { name: 'no inputs', inputs: [], attrs: { axis: 0 } },
      {
        name: 'other columns',
        inputs: [
          [2, 3],
          [2, 4],
        ],
        attrs: { axis: 0 },
      },
      { name: 'other rank', inputs: [[2, 3], [2]], attrs: { axis: 0 } },
      { name: 'no such axis', inputs: [[2], [2]], attrs: { axis: 1 } },
      { name: 'integers and floats', inputs: [{ shape: [3], ids: 5 }, [3]], attrs: { axis: 0 } },
    ];
  },
};

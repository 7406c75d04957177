import { ShapeError } from '../../../core/errors.js';
import { numel, type Shape } from '../../../core/shape.js';
import { joined } from '../../axes.js';
import type { Buf, Walk } from '../../backend.js';
import { type FastKernel, line, Memo } from '../spec.js';
import { type FastRunner, foldThreads, LINE_MAIN } from './runner.js';

const MOST_AXES = 8;

/** Bits move as they are, floats and ids alike. Axis 0 is the innermost. */
const copyKernel = (axes: number): FastKernel => {
  const numbers = Array.from({ length: axes }, (_, a) => [`n${a}`, `read${a}`, `write${a}`]).flat();
  const steps = Array.from({ length: axes }, (_, a) => {
    const index = a === axes - 1 ? 'rest' : `rest % params.n${a}`;
    return `  { let index = ${index}; reads += index * params.read${a}; writes += index * params.write${a}; rest /= params.n${a}; }`;
  });
  return {
    name: `copy ${axes}`,
    params: {
      x: 'u32',
      count: 'int',
      ...Object.fromEntries(numbers.map((n) => [n, 'int' as const])),
      firstRead: 'int',
      firstWrite: 'int',
    },
    outputs: { y: 'u32' },
    wgsl: `${LINE_MAIN}
  var rest = i;
  var reads = params.firstRead; var writes = params.firstWrite;
${steps.join('\n')}
  set_y(writes, x_at(reads));
}`,
  };
};

const copies = new Memo<FastKernel>();

export function copy(runner: FastRunner, x: Buf, y: Buf, shape: Shape, from: Walk, to: Walk): void {
  const count = numel(shape);
  if (count === 0) return;
  const { shape: axes, strides } = joined(shape, from.strides, to.strides);
  if (axes.length > MOST_AXES) {
    throw new ShapeError('gpu', `no walk along more than ${MOST_AXES} axes that do not follow one another`, [shape]);
  }
  const numbers = axes
    .flatMap((n, axis) => [[n, strides[0][axis], strides[1][axis]]])
    .toReversed()
    .flat();
  const args = [line(x), count, ...numbers, from.offset, to.offset];
  runner.launch(
    copies.get([axes.length], () => copyKernel(axes.length)),
    args,
    [line(y)],
    foldThreads(count),
  );
}

/** Tables up to this many rows are summed row by row of the table, larger ones along chains of equal ids. */
const SMALL_TABLE = 64;

/** Every element of a small table sums the rows that carry its id. */
const SMALL: FastKernel = {
  name: 'scatterAdd small',
  params: { ids: 'i32', dY: 'f32', rows: 'int', width: 'int', chunk: 'int', count: 'int', cells: 'int' },
  outputs: { sums: 'f32' },
  wgsl: `${LINE_MAIN}
  let cell = i % params.cells;
  let id = i32(cell / params.width);
  let col = cell % params.width;
  let begin = (i / params.cells) * params.chunk;
  let end = min(params.rows, begin + params.chunk);
  var sum = 0.0;
  for (var r = begin; r < end; r++) {
    if (ids_at(r) == id) { sum += dY_at(r * params.width + col); }
  }
  set_sums(i, sum);
}`,
};

/** next[r]: the next row with the id of row r, or -1; -2 - next where an earlier row has it, too. */
const CHAIN: FastKernel = {
  name: 'scatterAdd chain',
  params: { ids: 'i32', count: 'int' },
  outputs: { next: 'i32' },
  wgsl: `${LINE_MAIN}
  let id = ids_at(i);
  var first = true;
  for (var r = 0u; r < i; r++) { if (ids_at(r) == id) { first = false; break; } }
  var after = -1;
  for (var r = i + 1u; r < params.count; r++) { if (ids_at(r) == id) { after = i32(r); break; } }
  set_next(i, select(-3 - after, after, first));
}`,
};

/** The first row of each id walks its chain, and adds the sum to the table. A thread has one column. */
const FOLLOW: FastKernel = {
  name: 'scatterAdd follow',
  params: { ids: 'i32', next: 'i32', dY: 'f32', width: 'int', count: 'int' },
  outputs: { dTable: 'f32' },
  wgsl: `${LINE_MAIN}
  let col = i % params.width;
  var r = i32(i / params.width);
  var after = next_at(u32(r));
  if (after < -1) { return; }
  let at = u32(ids_at(u32(r))) * params.width + col;
  var sum = dTable_at(at);
  loop {
    sum += dY_at(u32(r) * params.width + col);
    if (after == -1) { break; }
    r = after;
    after = next_at(u32(r));
    if (after < -1) { after = -3 - after; }
  }
  set_dTable(at, sum);
}`,
};

/** Parts of the sums of a small table, added to it in their order. */
const ADD_PARTS: FastKernel = {
  name: 'scatterAdd parts',
  params: { sums: 'f32', parts: 'int', count: 'int' },
  outputs: { dTable: 'f32' },
  wgsl: `${LINE_MAIN}
  var sum = dTable_at(i);
  for (var p = 0u; p < params.parts; p++) { sum += sums_at(p * params.count + i); }
  set_dTable(i, sum);
}`,
};

/** Rows of one part. */
const CHUNK = 256;

export function scatterAdd(
  runner: FastRunner,
  ids: Buf,
  dY: Buf,
  dTable: Buf,
  rows: number,
  width: number,
  tableRows: number,
): void {
  if (rows * width === 0) return;
  runner.checkIds(ids, rows, tableRows);
  const scratch = (length: number, dtype: 'f32' | 'i32', use: (buf: Buf) => void): void => {
    const buf = runner.alloc(length, dtype);
    use(buf);
    runner.free(buf);
  };
  if (tableRows <= SMALL_TABLE) {
    const [cells, parts] = [tableRows * width, Math.ceil(rows / CHUNK)];
    scratch(cells * parts, 'f32', (sums) => {
      const args = [line(ids), line(dY), rows, width, CHUNK, cells * parts, cells];
      runner.launch(SMALL, args, [line(sums)], foldThreads(cells * parts));
      runner.launch(ADD_PARTS, [line(sums), parts, cells], [line(dTable)], foldThreads(cells));
    });
  } else {
    scratch(rows, 'i32', (next) => {
      runner.launch(CHAIN, [line(ids), rows], [line(next)], foldThreads(rows), rows ** 2);
      const args = [line(ids), line(next), line(dY), width, rows * width];
      runner.launch(FOLLOW, args, [line(dTable)], foldThreads(rows * width));
    });
  }
}

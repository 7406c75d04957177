import type { Buf } from '../../backend.js';
import { reduce as plainReduce } from '../kernels/rows.js';
import { withScratch } from '../kernels/scratch.js';
import { type FastKernel, line, Memo } from '../spec.js';
import { type FastRunner, fold, foldThreads, LINE_MAIN, rowMain, threadsFor, total } from './runner.js';

const kernels = new Memo<FastKernel>();

/** Rows that one thread sums in a column, and elements that one workgroup sums in a long row. */
const CHUNK_ROWS = 64;
const CHUNK_COLS = 8192;

/** sums[chunk, col] = sum of a chunk of the rows of each column; neighbouring threads read neighbouring elements. */
const COLUMNS: FastKernel = {
  name: 'column sums',
  params: { x: 'f32', count: 'int', size: 'int', inner: 'int', chunk: 'int' },
  outputs: { y: 'f32' },
  wgsl: `${LINE_MAIN}
  let col = i % params.inner;
  let begin = (i / params.inner) * params.chunk;
  let end = min(params.size, begin + params.chunk);
  var sum = 0.0;
  for (var r = begin; r < end; r++) { sum += x_at(r * params.inner + col); }
  set_y(i, sum);
}`,
};

/** Sums of a chunk of each row; of squares with `square`. */
const rowSums = (threads: number, square: boolean): FastKernel => {
  const name = `row sums ${threads}${square ? ' of squares' : ''}`;
  return kernels.get([name], () => ({
    name,
    params: { x: 'f32', rows: 'int', size: 'int', chunk: 'int', chunks: 'int' },
    outputs: { y: 'f32' },
    wgsl: `${total(threads)}${rowMain(threads)}
  let first = (row / params.chunks) * params.size;
  let begin = (row % params.chunks) * params.chunk;
  let end = min(params.size, begin + params.chunk);
  var sum = 0.0;
  for (var c = begin + t; c < end; c += ${threads}u) {
    let v = x_at(first + c);
    sum += ${square ? 'v * v' : 'v'};
  }
  sum = total(t, sum);
  if (t == 0u) { set_y(row, sum); }
}`,
  }));
};

function columnSums(runner: FastRunner, x: Buf, y: Buf, size: number, inner: number): void {
  const chunks = Math.ceil(size / CHUNK_ROWS);
  const launch = (from: Buf, to: Buf, rows: number, chunk: number, count: number): void =>
    runner.launch(COLUMNS, [line(from), count, rows, inner, chunk], [line(to)], foldThreads(count));
  if (chunks <= 4) launch(x, y, size, size, inner);
  else {
    withScratch(runner, [chunks * inner], ([sums]) => {
      launch(x, sums, size, CHUNK_ROWS, chunks * inner);
      columnSums(runner, sums, y, chunks, inner);
    });
  }
}

/** Long rows are cut into chunks, by their length alone. */
export function sumOfRows(runner: FastRunner, x: Buf, y: Buf, rows: number, size: number, square = false): void {
  const chunks = Math.max(1, Math.ceil(size / CHUNK_COLS));
  const threads = threadsFor(runner, size);
  const launch = (to: Buf): void =>
    runner.launch(
      rowSums(threads, square),
      [line(x), rows * chunks, size, CHUNK_COLS, chunks],
      [line(to)],
      fold(rows * chunks),
    );
  if (chunks === 1) launch(y);
  else {
    withScratch(runner, [rows * chunks], ([sums]) => {
      launch(sums);
      sumOfRows(runner, sums, y, rows, chunks);
    });
  }
}

export function reduce(
  runner: FastRunner,
  fn: 'sum' | 'max' | 'min',
  x: Buf,
  y: Buf,
  outer: number,
  size: number,
  inner: number,
): void {
  if (fn !== 'sum' || size === 0 || outer * inner === 0) plainReduce(runner, fn, x, y, outer, size, inner);
  else if (inner === 1) sumOfRows(runner, x, y, outer, size);
  else if (outer === 1) columnSums(runner, x, y, size, inner);
  else plainReduce(runner, fn, x, y, outer, size, inner);
}

import type { Buf } from '../../backend.js';
import { line, type PlainKernel, type PlainRunner, table } from '../spec.js';

/** A row and a column index each: their product, which may exceed 2^24, is taken with integers. */
const GATHER: PlainKernel = {
  name: 'gather',
  params: { source: 'f32', ids: 'i32' },
  rank: 2,
  text: 'function (source, ids) { return source[ids[this.thread.y]][this.thread.x]; }',
};

export function gather(runner: PlainRunner, source: Buf, ids: Buf, y: Buf, rows: number, width: number): void {
  const entries = width === 0 ? 0 : source.length / width;
  if (width > 0) runner.checkIds(ids, rows, entries);
  const from = table(source, entries, width);
  runner.run(GATHER, [from, line(ids)], [width, rows, 1], y);
}

/** Each element of the table sums the rows that carry its id, in rising order: no update is lost, no order is random. */
const SCATTER_ADD: PlainKernel = {
  name: 'scatterAdd',
  params: { ids: 'i32', dY: 'f32', dTable: 'f32', rows: 'int' },
  rank: 2,
  inPlace: 'dTable',
  loop: 'rows',
  text: `function (ids, dY, dTable, rows) {
  let sum = dTable[this.thread.y][this.thread.x];
  for (let r = 0; r < rows; r++) {
    if (ids[r] == this.thread.y) { sum += dY[r][this.thread.x]; }
  }
  return sum;
}`,
};

export function scatterAdd(
  runner: PlainRunner,
  ids: Buf,
  dY: Buf,
  dTable: Buf,
  rows: number,
  width: number,
  tableRows: number,
): void {
  runner.checkIds(ids, rows, tableRows);
  const args = [line(ids), table(dY, rows, width), table(dTable, tableRows, width), rows];
  runner.run(SCATTER_ADD, args, [width, tableRows, 1], dTable);
}

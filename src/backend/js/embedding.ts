import type { Buf } from '../backend.js';
import { dataOf } from './memory.js';

export function gather(table: Buf, ids: Buf, y: Buf, rows: number, width: number): void {
  const [from, index, to] = [dataOf(table), dataOf(ids), dataOf(y)];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) to[row * width + i] = from[index[row] * width + i];
  }
}

/** A row that was read twice gets both gradients: the transpose of `gather`. */
export function scatterAdd(ids: Buf, dY: Buf, dTable: Buf, rows: number, width: number, _tableRows: number): void {
  const [index, from, to] = [dataOf(ids), dataOf(dY), dataOf(dTable)];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) to[index[row] * width + i] += from[row * width + i];
  }
}

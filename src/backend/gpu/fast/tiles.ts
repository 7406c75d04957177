/**
 * How a product is cut up. A workgroup computes bm x bn elements of y, a thread rows x cols of them in registers, with
 * bk columns of op(a) and rows of op(b) in workgroup memory at a time; bk = 0: straight from the buffers.
 */
export interface Tile {
  readonly name: string;
  readonly bm: number;
  readonly bn: number;
  readonly bk: number;
  readonly rows: number;
  readonly cols: number;
  /** Whether four neighbouring threads share what they read of op(a): for adapters whose subgroups are four threads. */
  readonly shared?: true;
}

/** Threads of a subgroup that a shared tile is made for: the vectors of a processor that plays the GPU. */
export const SHARERS = 4;

export const TILES: readonly Tile[] = [
  { name: '128x128', bm: 128, bn: 128, bk: 16, rows: 8, cols: 8 },
  { name: '128x64', bm: 128, bn: 64, bk: 16, rows: 8, cols: 4 },
  { name: '64x64', bm: 64, bn: 64, bk: 16, rows: 4, cols: 4 },
  { name: '64x64 wide', bm: 64, bn: 64, bk: 16, rows: 8, cols: 8 },
  { name: '32x32', bm: 32, bn: 32, bk: 32, rows: 4, cols: 4 },
  { name: 'shared registers', bm: 64, bn: 32, bk: 0, rows: 32, cols: 8, shared: true },
  { name: 'few shared registers', bm: 64, bn: 32, bk: 0, rows: 16, cols: 8, shared: true },
  { name: 'registers', bm: 64, bn: 64, bk: 0, rows: 8, cols: 8 },
  { name: 'few registers', bm: 16, bn: 32, bk: 0, rows: 4, cols: 4 },
];

/** Threads of a workgroup along the columns and the rows of y. */
export const threadsOf = ({ bm, bn, rows, cols }: Tile): [x: number, y: number] => [bn / cols, bm / rows];

/** Bytes of workgroup memory. */
export const memoryOf = ({ bm, bn, bk }: Tile): number => 4 * bk * (bm + bn);

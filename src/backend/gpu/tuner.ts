import type { Buf, MatmulCall } from '../backend.js';
import { product } from './fast/matmul.js';
import type { FastRunner } from './fast/runner.js';
import { memoryOf, TILES, type Tile, threadsOf } from './fast/tiles.js';

/** Groups that keep a large GPU busy: one for each of its multiprocessors. */
const BUSY = 132;
/** A timing long enough to trust, in seconds. */
const LONG_ENOUGH = 0.002;

/** Sizes that behave alike: rounded up to an eighth of a power of two. */
function alike(size: number): number {
  const step = Math.max(1, 2 ** (Math.floor(Math.log2(Math.max(1, size))) - 3));
  return Math.ceil(size / step) * step;
}

/**
 * Which tile is the fastest for a product. A shape that comes up for the first time runs with a guess and is tried at the
 * next read, once; as all tiles give the same bits, nothing but the time depends on it. Where a processor plays the GPU
 * there is no trial: workgroup memory is no faster than any other there.
 */
export class Tuner {
  private readonly chosen = new Map<string, Tile>();
  private readonly untried = new Map<string, MatmulCall>();
  private readonly usable: readonly Tile[];

  /** @param fixed takes this tile always */
  constructor(
    private readonly runner: FastRunner,
    private readonly flush: () => Promise<void>,
    private readonly fixed: string | null,
  ) {
    const { workgroupMemory, workgroupThreads } = runner.limits;
    this.usable = TILES.filter((tile) => {
      const [x, y] = threadsOf(tile);
      return memoryOf(tile) <= workgroupMemory && x * y <= workgroupThreads && (fixed === null || tile.name === fixed);
    });
  }

  tileOf(call: MatmulCall): Tile {
    if (this.fixed !== null || this.runner.software) return this.guess(call);
    const { m, n, k, batch, transposeA, transposeB } = call;
    const key = `${Number(transposeA)}${Number(transposeB)} ${[m, n, k, batch].map(alike).join(' ')}`;
    const tile = this.chosen.get(key);
    if (tile !== undefined) return tile;
    if (!this.untried.has(key)) this.untried.set(key, call);
    return this.guess(call);
  }

  /** Tries what has come up since the last time. */
  async settle(): Promise<void> {
    for (const [key, call] of [...this.untried]) {
      this.untried.delete(key);
      this.chosen.set(key, this.guess(call)); // a trial that fails leaves the guess
      this.chosen.set(key, await this.trial(call));
    }
  }

  private guess({ m, n, batch }: MatmulCall): Tile {
    const shared = this.usable.filter((tile) => (tile.bk === 0) === this.runner.software);
    const tiles = shared.length > 0 ? shared : this.usable;
    const enough = this.runner.software ? 4 : BUSY;
    const busy = tiles.find(({ bm, bn }) => Math.ceil(m / bm) * Math.ceil(n / bn) * batch >= enough);
    return busy ?? (tiles.at(-1) as Tile);
  }

  private async trial(call: MatmulCall): Promise<Tile> {
    const { m, n, k, batch, transposeA, transposeB, strideA, strideB } = call;
    const fill = (length: number): Buf => {
      const buf = this.runner.alloc(length, 'f32');
      this.runner.keepFactors(buf, 1, length, 0.5, { seed: 1, stream: 0, step: 0, row: 0 }, null);
      return buf;
    };
    const [a, b] = [fill((batch - 1) * strideA + m * k), fill((batch - 1) * strideB + k * n)];
    const y = this.runner.alloc(batch * m * n, 'f32');
    const sizes = { m, n, k, batch, transposeA, transposeB, strideA, strideB };
    let [best, least] = [this.guess(call), Number.POSITIVE_INFINITY];
    for (const tile of this.usable) {
      const seconds = await this.time(() => product(this.runner, tile, { a, b, y, ...sizes }));
      if (seconds < least) [best, least] = [tile, seconds];
    }
    for (const buf of [a, b, y]) this.runner.free(buf);
    return best;
  }

  /** Seconds of one call, of as many as make a long enough timing; the better of two. */
  private async time(run: () => void): Promise<number> {
    const once = async (count: number): Promise<number> => {
      const begin = performance.now();
      for (let i = 0; i < count; i++) run();
      await this.flush();
      return (performance.now() - begin) / 1000 / count;
    };
    await once(1); // compiles
    const count = Math.min(20, Math.max(1, Math.ceil(LONG_ENOUGH / (await once(1)))));
    return Math.min(await once(count), await once(count));
  }
}

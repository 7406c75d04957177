import type { Buf, MatmulCall } from '../backend.js';
import { product } from './fast/matmul.js';
import type { FastRunner } from './fast/runner.js';
import { memoryOf, SHARERS, TILES, type Tile, threadsOf } from './fast/tiles.js';
import type { TileMemory } from './tile-memory.js';

/** Groups that keep a large GPU busy: one for each of its multiprocessors. */
const BUSY = 132;
/** Products below do not win back what the longest texts take to be compiled. */
const WORTH_COMPILING = 2 ** 25;
/** Seconds of one timing: of the first look at every tile, and of the rounds among those that came close. */
const LOOK = 0.004;
const ROUND = 0.02;
const MOST_CALLS = 1000;
const ROUNDS = 5;
/** Tiles that take longer than this times the best are not looked at again. */
const CLOSE = 1.4;
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
  private readonly untried = new Map<string, MatmulCall>();
  private readonly guessed = new Set<string>();
  private readonly usable: readonly Tile[];
  /** Those that are guessed at: straight from the buffers where a processor plays the GPU. */
  private readonly likely: readonly Tile[];

  /** @param fixed takes this tile always */
  constructor(
    private readonly runner: FastRunner,
    private readonly flush: () => Promise<void>,
    private readonly fixed: string | null,
    private readonly memory: TileMemory,
    /** Told of the rate of every product that was tried, in operations a second. */
    private readonly measured: (rate: number) => void,
  ) {
    const { workgroupMemory, workgroupThreads, subgroup } = runner.limits;
    this.usable = TILES.filter((tile) => {
      const [x, y] = threadsOf(tile);
      if (tile.shared && subgroup !== SHARERS) return false;
      return memoryOf(tile) <= workgroupMemory && x * y <= workgroupThreads && (fixed === null || tile.name === fixed);
    });
    const likely = this.usable.filter((tile) => (tile.bk === 0) === runner.software);
    this.likely = likely.length > 0 ? likely : this.usable;
  }

  tileOf(call: MatmulCall): Tile {
    if (this.fixed !== null || this.runner.software) return this.guess(call);
    const { m, n, k, batch, transposeA, transposeB } = call;
    const key = `${Number(transposeA)}${Number(transposeB)} ${[m, n, k, batch].map(alike).join(' ')}`;
    const tile = this.remembered(key);
    if (tile !== undefined) return tile;
    if (!this.untried.has(key) && !this.guessed.has(key)) this.untried.set(key, call);
    return this.guess(call);
  }

  /** Tries what has come up since the last time. */
  async settle(): Promise<void> {
    if (this.untried.size === 0) return;
    for (const [key, call] of [...this.untried]) {
      this.untried.delete(key);
      this.guessed.add(key); // a trial that fails leaves the guess
      this.memory.set(key, (await this.trial(call)).name);
    }
    this.memory.save();
  }

  private remembered(key: string): Tile | undefined {
    const name = this.memory.get(key);
    return name === undefined ? undefined : this.usable.find((tile) => tile.name === name);
  }

  private guess({ m, n, k, batch }: MatmulCall): Tile {
    const enough = this.runner.software ? 4 : BUSY;
    const busy = this.likely.find(({ bm, bn, rows }) => {
      if (rows > 16 && m * n * k * batch < WORTH_COMPILING) return false;
      return Math.ceil(m / bm) * Math.ceil(n / bn) * batch >= enough;
    });
    return busy ?? (this.likely.at(-1) as Tile);
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
    const { best, seconds } = await this.fastest((tile) => product(this.runner, tile, { a, b, y, ...sizes }));
    for (const buf of [a, b, y]) this.runner.free(buf);
    this.measured((2 * m * n * k * batch) / seconds);
    return best;
  }

  /**
   * One look at every tile, then rounds among those that came close, to and fro, so that neither the clock of a device
   * that wakes nor its warmth favours one of them; the best of each counts. A timing is long enough that the way to the
   * device and back is a small part of it.
   */
  private async fastest(run: (tile: Tile) => void): Promise<{ best: Tile; seconds: number }> {
    const least = new Map<Tile, number>();
    const once = async (tile: Tile, count: number): Promise<number> => {
      const begin = performance.now();
      for (let i = 0; i < count; i++) run(tile);
      await this.flush();
      return (performance.now() - begin) / 1000 / count;
    };
    const look = async (tile: Tile, seconds: number): Promise<void> => {
      const before = least.get(tile) ?? Number.POSITIVE_INFINITY;
      const count = Math.min(MOST_CALLS, Math.max(1, Math.ceil(seconds / before)));
      least.set(tile, Math.min(before, await once(tile, count)));
    };
    const secondsOf = (tile: Tile): number => least.get(tile) as number;
    for (const tile of this.usable) await once(tile, 1); // compiles
    for (const tile of this.usable) await look(tile, LOOK);
    for (const tile of this.usable) await look(tile, LOOK);
    for (let round = 0; round < ROUNDS; round++) {
      const close = Math.min(...least.values()) * CLOSE;
      const tiles = this.usable.filter((tile) => secondsOf(tile) <= close);
      for (const tile of round % 2 === 0 ? tiles : tiles.toReversed()) await look(tile, ROUND);
    }
    const best = this.usable.reduce((a, b) => (secondsOf(b) < secondsOf(a) ? b : a));
    return { best, seconds: secondsOf(best) };
  }
}

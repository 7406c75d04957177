import type { MatmulCall } from '../backend.js';
import type { Device } from './device.js';
import { memoryOf, TILES, type Tile, threadsOf } from './fast/tiles.js';

/** Whether the device can run it. */
const runs = ({ limits }: Device, tile: Tile): boolean => {
  const [x, y] = threadsOf(tile);
  return memoryOf(tile) <= limits.workgroupMemory && x * y <= limits.workgroupThreads;
};

/** The tile for a product before any trial: registers where a processor plays the GPU, else as large as keeps it busy. */
export function tileFor(device: Device, { m, n, batch }: MatmulCall): Tile {
  const usable = TILES.filter((tile) => runs(device, tile));
  const registers = usable.find((tile) => tile.bk === 0);
  if (device.software && registers !== undefined) return registers;
  const shared = usable.filter((tile) => tile.bk > 0);
  const busy = shared.find((tile) => Math.ceil(m / tile.bm) * Math.ceil(n / tile.bn) * batch >= 132);
  return busy ?? (shared.at(-1) as Tile);
}

import { both, esc, type Html } from '../../train/report/html.js';
import type { Roofs } from '../roofs.js';
import type { BenchResult } from '../run.js';
import { figureOf, px } from './plot.js';

const CELL = { width: 74, height: 34 } as const;
const LEFT = 64;
const TOP = 30;

/** Share of the peak over rows and columns of a product of one inner size: where a kernel has its weak spots. */
export function heatMap(results: readonly BenchResult[], contender: string, roofs: Roofs | null): Html {
  const cells = results.filter(
    (r) => r.group === 'grid' && r.contender === contender && r.direction === 'forward' && r.work.flops !== null,
  );
  const peak = roofs?.gflops ?? null;
  if (cells.length === 0 || peak === null) return '';
  const side = (i: number): number[] => [...new Set(cells.map((r) => r.sizes[i] as number))].sort((a, b) => a - b);
  const [rows, cols] = [side(0), side(2)];
  const drawn = cells.map((r) => {
    const share = (r.work.flops as number) / r.timing.median / 1e9 / peak;
    const [x, y] = [
      LEFT + cols.indexOf(r.sizes[2] as number) * CELL.width,
      TOP + rows.indexOf(r.sizes[0] as number) * CELL.height,
    ];
    const tone = share > 0.6 ? 'on' : 'off';
    return `<g><title>${esc(`${r.name}: ${(share * peak).toFixed(0)} GFLOP/s`)}</title><rect class="cell" x="${x}" y="${y}" width="${CELL.width - 2}" height="${CELL.height - 2}" rx="3" fill-opacity="${px(Math.max(0.06, Math.min(1, share)) * 100)}%"/><text class="${tone}" x="${x + CELL.width / 2 - 1}" y="${y + CELL.height / 2}" dy=".3em" text-anchor="middle">${(100 * share).toFixed(0)} %</text></g>`;
  });
  const above = cols.map(
    (n, i) =>
      `<text class="tick" x="${LEFT + i * CELL.width + CELL.width / 2}" y="${TOP - 10}" text-anchor="middle">n ${n}</text>`,
  );
  const beside = rows.map(
    (m, i) =>
      `<text class="tick" x="${LEFT - 8}" y="${TOP + i * CELL.height + CELL.height / 2}" dy=".3em" text-anchor="end">m ${m}</text>`,
  );
  const [width, height] = [LEFT + cols.length * CELL.width, TOP + rows.length * CELL.height];
  const inner = cells[0]?.sizes[1] ?? 0;
  return figureOf(
    both(`Share of the peak, ${contender}, k = ${inner}`, `占峰值的比例，${contender}，k = ${inner}`),
    both('Products of m x k by k x n.', 'm x k 与 k x n 的乘积。'),
    `<svg class="heat" viewBox="0 0 ${width} ${height}" style="max-width:${width}px" role="img" aria-label="heat map">${above.join('')}${beside.join('')}${drawn.join('')}</svg>`,
  );
}

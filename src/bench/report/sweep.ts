import { both, type Html } from '../../train/report/html.js';
import { rangeOf, type Scale, scale } from '../../train/report/scale.js';
import type { Roofs } from '../roofs.js';
import type { BenchResult } from '../run.js';
import { quantile } from '../stats.js';
import { AREA, band, curve, plain, plot, type SideLabel, toneOf } from './plot.js';

const rateOf = (r: BenchResult, seconds: number): number => (r.work.flops as number) / seconds / 1e9;

interface Scales {
  readonly x: Scale;
  readonly y: Scale;
}

function scalesOf(swept: readonly BenchResult[], sides: readonly number[], peak: number | null): Scales {
  const rates = swept.map((r) => rateOf(r, r.timing.median));
  const across: [number, number] = [(sides[0] as number) / 1.1, (sides.at(-1) as number) * 1.1];
  const up = rangeOf([0, ...rates, ...(peak === null ? [] : [peak])], rates, { zero: true });
  return {
    x: scale(across, [AREA.left, AREA.right], { count: 6, log: true }),
    y: scale(up, [AREA.bottom, AREA.top], { count: 6 }),
  };
}

/** One contender's line with its band, and its name at the end. */
function lineOf(mine: readonly BenchResult[], tone: string, { x, y }: Scales): { marks: Html; label: SideLabel } {
  const at = (r: BenchResult): number => x.pixel(r.sizes[0] as number);
  const points = mine.map((r) => ({ x: at(r), y: y.pixel(rateOf(r, r.timing.median)) }));
  const range = mine.map((r) => ({
    x: at(r),
    low: y.pixel(rateOf(r, quantile(r.timing.samples, 0.95))),
    high: y.pixel(rateOf(r, quantile(r.timing.samples, 0.05))),
  }));
  const [end, name] = [points.at(-1) as { y: number }, mine[0]?.contender ?? ''];
  return { marks: band(range, tone) + curve(points, tone), label: { text: name, tone, y: end.y } };
}

const CAPTION = both('Square products by size', '方阵乘法与规模');
const NOTE = both(
  'Medians; the band holds nine of ten samples. The dashed line is what multiply-adds in registers were measured to do here.',
  '中位数；色带包含九成样本。虚线是本机实测的寄存器内乘加峰值。',
);

/** GFLOP/s over the side of a square, a line a contender with its 5th to 95th percentile, and the measured peak. */
export function sweepPlot(results: readonly BenchResult[], contenders: readonly string[], roofs: Roofs | null): Html {
  const swept = results.filter((r) => r.group === 'sweep' && r.work.flops !== null && r.direction === 'forward');
  if (swept.length === 0) return '';
  const side = (r: BenchResult): number => r.sizes[0] as number;
  const sides = [...new Set(swept.map(side))].sort((a, b) => a - b);
  const peak = roofs?.gflops ?? null;
  const scales = scalesOf(swept, sides, peak);
  const lines = contenders.flatMap((name, i) => {
    const mine = swept.filter((r) => r.contender === name).sort((a, b) => side(a) - side(b));
    return mine.length === 0 ? [] : [lineOf(mine, toneOf(i), scales)];
  });
  const { x, y } = scales;
  const roof = peak === null ? '' : `<path class="level" d="M${AREA.left} ${y.pixel(peak)}H${AREA.right}"/>`;
  const roofLabel = peak === null ? [] : [{ text: `peak ${peak.toFixed(0)}`, tone: 'level', y: y.pixel(peak) }];
  const axes = {
    x: { scale: { ...x, ticks: sides }, title: 'm = n = k', tick: plain },
    y: { scale: y, title: 'GFLOP/s', tick: plain },
  };
  const marks = roof + lines.map((line) => line.marks).join('');
  return plot(CAPTION, NOTE, axes, marks, [...lines.map((line) => line.label), ...roofLabel]);
}

import { both, esc, type Html } from '../../train/report/html.js';
import { rangeOf, type Scale, scale } from '../../train/report/scale.js';
import type { Roofs } from '../roofs.js';
import type { BenchResult } from '../run.js';
import { AREA, plain, plot, px, toneOf } from './plot.js';

/** Operations a byte, and operations a second, of what has both. */
const placeOf = (r: BenchResult): { intensity: number; gflops: number } => ({
  intensity: (r.work.flops as number) / r.work.bytes,
  gflops: (r.work.flops as number) / r.timing.median / 1e9,
});

interface Scales {
  readonly x: Scale;
  readonly y: Scale;
}

/** Up along the bandwidth to the peak, then level. */
function roofPath(gbs: number, peak: number, { x, y }: Scales): string {
  const from = Math.max(x.from, y.from / gbs);
  const knee = Math.min(x.to, peak / gbs);
  return `M${px(x.pixel(from))} ${px(y.pixel(from * gbs))}L${px(x.pixel(knee))} ${px(y.pixel(knee * gbs))}H${AREA.right}`;
}

function dotOf(r: BenchResult, tone: string, { x, y }: Scales): Html {
  const { intensity, gflops } = placeOf(r);
  const title = `${r.contender}: ${r.name}, ${gflops.toFixed(1)} GFLOP/s`;
  return `<circle class="${tone}" cx="${px(x.pixel(intensity))}" cy="${px(y.pixel(gflops))}" r="4"><title>${esc(title)}</title></circle>`;
}

const noteOf = (memory: number, cache: number) =>
  both(
    `Each dot is a kernel. Left of the knee memory bounds it (${memory.toFixed(0)} GB/s from memory, ${cache.toFixed(0)} from caches, both measured), right of it arithmetic.`,
    `每个点是一个核函数。拐点左侧受内存限制（内存 ${memory.toFixed(0)} GB/s，缓存 ${cache.toFixed(0)} GB/s，均为实测），右侧受算力限制。`,
  );

/** Kernels under the roofs of the machine (Williams, Waterman and Patterson 2009). */
export function rooflinePlot(
  results: readonly BenchResult[],
  contenders: readonly string[],
  roofs: Roofs | null,
): Html {
  const counted = results.filter((r) => r.work.flops !== null);
  const peak = roofs?.gflops ?? null;
  const rates = roofs?.bandwidth.map(({ gbs }) => gbs) ?? [];
  if (counted.length === 0 || peak === null || rates.length === 0) return '';
  const [cache, memory] = [Math.max(...rates), rates.at(-1) as number];
  const places = counted.map(placeOf);
  const across = rangeOf([...places.map((p) => p.intensity), peak / memory, peak / cache], [], { log: true });
  const up = rangeOf([...places.map((p) => p.gflops), peak], [], { log: true });
  const scales = {
    x: scale(across, [AREA.left, AREA.right], { count: 8, log: true }),
    y: scale(up, [AREA.bottom, AREA.top], { count: 8, log: true }),
  };
  const dots = counted.map((r) => dotOf(r, toneOf(contenders.indexOf(r.contender)), scales));
  const roofsDrawn = [memory, cache].map((gbs) => `<path class="level" d="${roofPath(gbs, peak, scales)}"/>`);
  const last = contenders.length;
  const legend = contenders.map((name, i) => ({ text: name, tone: toneOf(i), y: AREA.bottom - 15 * (last - i) }));
  const axes = {
    x: { scale: scales.x, title: 'FLOP / byte', tick: plain },
    y: { scale: scales.y, title: 'GFLOP/s', tick: plain },
  };
  const labels = [...legend, { text: `peak ${peak.toFixed(0)}`, tone: 'level', y: scales.y.pixel(peak) }];
  return plot(both('Roofline', '屋顶线'), noteOf(memory, cache), axes, [...roofsDrawn, ...dots].join(''), labels);
}

import { both, esc, type Html } from '../../train/report/html.js';
import { rangeOf, scale } from '../../train/report/scale.js';
import type { Comparison } from '../compare.js';
import { figureOf, plain, px } from './plot.js';

const ROW = 24;
const LEFT = 330;
const WIDTH = 860;
const RIGHT = WIDTH - 90;
const TOP = 8;

/** Before and after of each kernel, as the ratio of times with its interval: left of 1 it became faster. */
export function dumbbells(rows: readonly Comparison[]): Html {
  const sorted = [...rows].sort((a, b) => a.ratio.ratio - b.ratio.ratio);
  const ends = sorted.flatMap(({ ratio }) => [ratio.low, ratio.high, 1]);
  const x = scale(rangeOf(ends, [], { log: true }), [LEFT, RIGHT], { count: 6, log: true });
  const height = TOP + sorted.length * ROW + 26;
  const one = x.pixel(1);
  const lines = sorted.map(({ name, ratio, verdict }, i) => {
    const y = TOP + i * ROW + ROW / 2;
    const tone = verdict === 'faster' ? 't0' : verdict === 'slower' ? 't1' : 'level';
    const at = x.pixel(ratio.ratio);
    return `<text x="${LEFT - 12}" y="${y}" dy=".32em" text-anchor="end">${esc(name)}</text><path class="grid" d="M${LEFT} ${y}H${RIGHT}"/><path class="line ${tone}" d="M${px(one)} ${y}H${px(at)}"/><path class="interval ${tone}" d="M${px(x.pixel(ratio.low))} ${y}H${px(x.pixel(ratio.high))}"/><circle class="level" cx="${px(one)}" cy="${y}" r="3.5"/><circle class="${tone}" cx="${px(at)}" cy="${y}" r="5"/><text class="${tone}" x="${RIGHT + 10}" y="${y}" dy=".32em">${ratio.ratio.toFixed(2)}</text>`;
  });
  const ticks = x.ticks.map(
    (tick) =>
      `<text class="tick" x="${px(x.pixel(tick))}" y="${height - 6}" text-anchor="middle">${plain(tick)}</text>`,
  );
  return figureOf(
    both('Time after / time before', '耗时之比：之后 / 之前'),
    both(
      'Medians with their 95 % interval. Coloured: more than chance and than the threshold.',
      '中位数及其 95 % 区间。着色者：差异超出偶然与阈值。',
    ),
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="before and after"><path class="axis" d="M${px(one)} ${TOP}V${height - 22}"/>${lines.join('')}${ticks.join('')}</svg>`,
  );
}

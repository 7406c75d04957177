import { type Point, smoothed, thinned } from './curve.js';
import { type Both, esc, type Html, words } from './html.js';
import { rangeOf, type Scale, scale } from './scale.js';

/** A line of a chart. `noisy`: drawn faint behind its moving mean; `exact`: drawn as it is. */
export interface Curve {
  readonly label: Both;
  readonly tone: 'one' | 'two';
  readonly kind: 'noisy' | 'exact';
  readonly points: readonly Point[];
}

/** A level to compare with, through the whole chart. */
export interface Level {
  readonly label: Both;
  readonly y: number;
}

/** A remark or a new session, at its step. */
export interface Mark {
  readonly x: number;
  readonly text: string;
  readonly tone: 'info' | 'warning' | 'error';
}

export interface Chart {
  readonly title: Both;
  readonly note?: Both;
  readonly curves: readonly Curve[];
  readonly levels?: readonly Level[];
  readonly marks?: readonly Mark[];
  readonly log?: boolean;
  readonly zero?: boolean;
  /** Values are shares of one. */
  readonly percent?: boolean;
  /** A value with its unit, for labels. */
  format(y: number): string;
  /** A tick of the axis. */
  tick(y: number): string;
}

/** Pixels; a chart is drawn once for wide screens and once for phones. */
export interface Size {
  readonly width: number;
  readonly height: number;
  /** Room for the labels of lines. */
  readonly right: number;
}

const LEFT = 48;
const TOP = 22;
const BOTTOM = 26;
const LINE = 15;
const px = (value: number): string => value.toFixed(1).replace(/\.0$/, '');

const path = (points: readonly Point[], x: Scale, y: Scale): string =>
  points.map((p, i) => `${i === 0 ? 'M' : 'L'}${px(x.pixel(p.x))} ${px(y.pixel(p.y))}`).join('');

/** A number of steps on the axis: `0`, `500`, `2k`, `1.5M`. */
export function steps(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
  return value >= 10_000 ? `${Number((value / 1e3).toPrecision(4))}k` : `${value}`;
}

function axes(x: Scale, y: Scale, size: Size, tick: Chart['tick']): Html {
  const end = size.width - size.right;
  const floor = size.height - BOTTOM;
  const across = y.ticks.map((t) => {
    const at = px(y.pixel(t));
    return `<path class="grid" d="M${LEFT} ${at}H${end}"/><text class="tick" x="${LEFT - 7}" y="${at}" dy=".32em" text-anchor="end">${esc(tick(t))}</text>`;
  });
  const below = x.ticks.filter(Number.isInteger).map((t) => {
    const at = px(x.pixel(t));
    return `<path class="axis" d="M${at} ${floor}v4"/><text class="tick" x="${at}" y="${floor + 17}" text-anchor="middle">${steps(t)}</text>`;
  });
  const unit = words({ en: 'step', zh: '步' }).replaceAll('<span', '<tspan').replaceAll('</span', '</tspan');
  return `${across.join('')}<path class="axis" d="M${LEFT} ${floor}H${end}"/>${below.join('')}<text class="tick" x="${LEFT - 12}" y="${floor + 17}" text-anchor="end">${unit}</text>`;
}

interface Label {
  readonly text: Both;
  readonly tone: string;
  readonly y: number;
}

/** Moves labels apart until none covers another, and none leaves the chart. */
function spread(labels: readonly Label[], low: number, high: number): Label[] {
  const placed = [...labels].sort((a, b) => a.y - b.y);
  for (let round = 0; round < 50; round++) {
    for (let i = 1; i < placed.length; i++) {
      const lack = LINE - (placed[i].y - placed[i - 1].y);
      if (lack <= 0) continue;
      placed[i - 1] = { ...placed[i - 1], y: placed[i - 1].y - lack / 2 };
      placed[i] = { ...placed[i], y: placed[i].y + lack / 2 };
    }
    const over = (placed.at(-1)?.y ?? low) - high;
    const under = low - (placed[0]?.y ?? low);
    const shift = over > 0 ? -over : Math.max(under, 0);
    if (shift !== 0) for (const [i, label] of placed.entries()) placed[i] = { ...label, y: label.y + shift };
  }
  return placed;
}

/** SVG text in both languages. */
const text = ({ en, zh }: Both, attributes: string): Html =>
  en === zh
    ? `<text ${attributes}>${esc(en)}</text>`
    : `<text lang="en" ${attributes}>${esc(en)}</text><text lang="zh" ${attributes}>${esc(zh)}</text>`;

const withValue = (label: Both, value: string): Both => ({ en: `${label.en} ${value}`, zh: `${label.zh} ${value}` });

/** Remarks above the plot; those that would cover one another share a mark. */
function marksOf(marks: readonly Mark[], x: Scale, size: Size): Html {
  const groups: { at: number; texts: string[]; tone: Mark['tone'] }[] = [];
  for (const { x: step, text: label, tone } of [...marks].sort((a, b) => a.x - b.x)) {
    const at = Math.max(x.pixel(Math.max(step, x.from)), LEFT);
    const last = groups.at(-1);
    if (last === undefined || at - last.at > 26) groups.push({ at, texts: [label], tone });
    else {
      last.texts.push(label);
      if (tone === 'error' || last.tone === 'info') last.tone = tone;
    }
  }
  return groups
    .map(({ at, texts, tone }) => {
      const label = texts.length > 1 ? `${texts[0]}–${texts.at(-1)}` : texts[0];
      const half = 5 + label.length * 3.4;
      const box = `<rect x="${px(at - half)}" y="1" width="${px(2 * half)}" height="15" rx="7.5"/>`;
      return `<g class="mark ${tone}"><path d="M${px(at)} 16V${size.height - BOTTOM}"/>${box}<text x="${px(at)}" y="12" text-anchor="middle">${esc(label)}</text></g>`;
    })
    .join('');
}

interface Drawn {
  readonly curve: Curve;
  /** What the eye follows. */
  readonly line: readonly Point[];
  /** Single values behind it; empty where the line shows all. */
  readonly faint: readonly Point[];
}

/** Lines of fewer points than this are drawn through each of them. */
const FEW = 60;

function prepare(curve: Curve, column: (x: number) => number, width: number, log: boolean): Drawn {
  const finite = curve.points.filter((p) => Number.isFinite(p.y) && (!log || p.y > 0));
  if (curve.kind === 'exact' || finite.length < FEW) return { curve, line: thinned(finite, column), faint: [] };
  const line = smoothed(finite, column, { reach: Math.round(width / 70), log });
  return { curve, line, faint: thinned(finite, column) };
}

function curveOf({ curve, line, faint }: Drawn, x: Scale, y: Scale): Html {
  const noise = faint.length === 0 ? '' : `<path class="noise ${curve.tone}" d="${path(faint, x, y)}"/>`;
  const dotted = faint.length === 0 && line.length * 12 < x.pixel(x.to) - x.pixel(x.from);
  const dots = dotted
    ? line.map((p) => `<circle class="${curve.tone}" cx="${px(x.pixel(p.x))}" cy="${px(y.pixel(p.y))}" r="2.5"/>`)
    : [];
  const label = `data-en="${esc(curve.label.en)}" data-zh="${esc(curve.label.zh)}"`;
  return `${noise}<path class="line ${curve.tone}" ${label} d="${path(line, x, y)}"/>${dots.join('')}`;
}

/** Steps whose value was not finite, as ticks on the axis. */
function broken(curves: readonly Curve[], x: Scale, floor: number): Html {
  const steps = curves.filter((c) => c.kind === 'noisy').flatMap((c) => c.points.filter((p) => !Number.isFinite(p.y)));
  const columns = new Set(steps.map((p) => Math.round(x.pixel(p.x))));
  return [...columns].map((at) => `<path class="broken" d="M${at} ${floor}v-8"/>`).join('');
}

function labelsOf(chart: Chart, drawn: readonly Drawn[], y: Scale): Label[] {
  const lines = drawn.flatMap(({ curve, line }) => {
    const last = line.at(-1);
    if (last === undefined) return [];
    return [{ text: withValue(curve.label, chart.format(last.y)), tone: curve.tone, y: y.pixel(last.y) }];
  });
  const levels = (chart.levels ?? []).map((l) => {
    return { text: withValue(l.label, chart.format(l.y)), tone: 'level', y: y.pixel(l.y) };
  });
  return [...lines, ...levels];
}

/** @param range first and last step of the axis. @param id unique in the page */
export function svg(chart: Chart, range: readonly [number, number], size: Size, id: string): Html {
  const end = size.width - size.right;
  const floor = size.height - BOTTOM;
  const x = scale(range, [LEFT, end], { count: size.width / 90 });
  const drawn = chart.curves.map((curve) => prepare(curve, x.pixel, end - LEFT, chart.log ?? false));
  const levels = (chart.levels ?? []).filter((l) => Number.isFinite(l.y));
  const must = [...drawn.flatMap((d) => d.line.map((p) => p.y)), ...levels.map((l) => l.y)];
  const values = rangeOf(
    must,
    drawn.flatMap((d) => d.faint.map((p) => p.y)),
    chart,
  );
  const y = scale(values, [floor, TOP], { count: size.height / 45, log: chart.log ?? false });
  const lines = levels.map((l) => `<path class="level" d="M${LEFT} ${px(y.pixel(l.y))}H${end}"/>`).join('');
  const curves = drawn.map((d) => curveOf(d, x, y)).join('');
  const labels = spread(labelsOf({ ...chart, levels }, drawn, y), TOP, floor)
    .map((l) => text(l.text, `class="label ${l.tone}" x="${end + 7}" y="${px(l.y)}" dy=".32em"`))
    .join('');
  const clip = `<clipPath id="${id}"><rect x="${LEFT - 3}" y="${TOP - 4}" width="${end - LEFT + 6}" height="${floor - TOP + 4}"/></clipPath>`;
  const scales = `data-x="${x.from} ${x.to} ${LEFT} ${end}" data-y="${y.from} ${y.to} ${floor} ${TOP}"${y.log ? ' data-log=""' : ''}${chart.percent ? ' data-percent=""' : ''}`;
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${esc(chart.title.en)}" ${scales}>${clip}${axes(x, y, size, chart.tick)}${marksOf(chart.marks ?? [], x, size)}${lines}<g clip-path="url(#${id})">${curves}</g>${broken(chart.curves, x, floor)}${labels}</svg>`;
}

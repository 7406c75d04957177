import { type Both, esc, type Html, words } from '../../train/report/html.js';
import type { Scale } from '../../train/report/scale.js';

/** Room around the area that is drawn in, in pixels. */
const ROOM = { left: 58, right: 150, top: 34, bottom: 42 } as const;
const SIZE = { width: 760, height: 398 } as const;
export const AREA = {
  left: ROOM.left,
  right: SIZE.width - ROOM.right,
  top: ROOM.top,
  bottom: SIZE.height - ROOM.bottom,
} as const;

/** Colours by the order in which contenders are named; the first is ours. */
export const toneOf = (index: number): string => `t${index % 6}`;
export const px = (value: number): string => value.toFixed(1).replace(/\.0$/, '');

export interface Axis {
  readonly scale: Scale;
  readonly title: string;
  tick(value: number): string;
}

/** A number without noise: `512`, `1.5k`, `0.25`. */
export const plain = (value: number): string =>
  value >= 1e6 ? `${value / 1e6}M` : value >= 1e4 ? `${value / 1e3}k` : `${Number(value.toPrecision(4))}`;

function axesOf(x: Axis, y: Axis): Html {
  const across = y.scale.ticks.map((tick) => {
    const at = px(y.scale.pixel(tick));
    return `<path class="grid" d="M${AREA.left} ${at}H${AREA.right}"/><text class="tick" x="${AREA.left - 7}" y="${at}" dy=".32em" text-anchor="end">${esc(y.tick(tick))}</text>`;
  });
  const below = x.scale.ticks.map((tick) => {
    const at = px(x.scale.pixel(tick));
    return `<path class="axis" d="M${at} ${AREA.bottom}v4"/><text class="tick" x="${at}" y="${AREA.bottom + 17}" text-anchor="middle">${esc(x.tick(tick))}</text>`;
  });
  const titles = `<text class="tick" x="${(AREA.left + AREA.right) / 2}" y="${AREA.bottom + 36}" text-anchor="middle">${esc(x.title)}</text><text class="tick" x="${AREA.left - 50}" y="${AREA.top - 18}">${esc(y.title)}</text>`;
  return `${across.join('')}<path class="axis" d="M${AREA.left} ${AREA.bottom}H${AREA.right}"/>${below.join('')}${titles}`;
}

/** A label at the right edge. */
export interface SideLabel {
  readonly text: string;
  readonly tone: string;
  readonly y: number;
}

const LINE = 15;

/** Labels beside the ends of their lines, pushed apart where they would overlap. */
function labelsOf(labels: readonly SideLabel[]): Html {
  let last = Number.NEGATIVE_INFINITY;
  const placed = [...labels]
    .sort((a, b) => a.y - b.y)
    .map((label) => {
      last = Math.max(label.y, last + LINE);
      return `<text class="${label.tone}" x="${AREA.right + 8}" y="${px(last)}" dy=".32em">${esc(label.text)}</text>`;
    });
  return placed.join('');
}

/** A plot with its caption; `marks` are drawn inside the axes. */
export function plot(
  caption: Both,
  note: Both,
  axes: { x: Axis; y: Axis },
  marks: Html,
  labels: readonly SideLabel[],
): Html {
  const svg = `<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="${esc(caption.en)}">${axesOf(axes.x, axes.y)}${marks}${labelsOf(labels)}</svg>`;
  return figureOf(caption, note, svg);
}

export const figureOf = (caption: Both, note: Both, content: Html): Html =>
  `<figure class="big"><figcaption>${words(caption)}</figcaption><p class="note">${words(note)}</p><div class="scroll">${content}</div></figure>`;

/** A line through points, with a dot at each. */
export function curve(points: readonly { readonly x: number; readonly y: number }[], tone: string): Html {
  const d = points.map((p, i) => `${i === 0 ? 'M' : 'L'}${px(p.x)} ${px(p.y)}`).join('');
  const dots = points.map((p) => `<circle class="${tone}" cx="${px(p.x)}" cy="${px(p.y)}" r="3"/>`);
  return `<path class="line ${tone}" d="${d}"/>${dots.join('')}`;
}

/** The area between two curves over the same places. */
export function band(
  points: readonly { readonly x: number; readonly low: number; readonly high: number }[],
  tone: string,
): Html {
  const up = points.map((p, i) => `${i === 0 ? 'M' : 'L'}${px(p.x)} ${px(p.high)}`).join('');
  const down = [...points]
    .reverse()
    .map((p) => `L${px(p.x)} ${px(p.low)}`)
    .join('');
  return `<path class="band ${tone}" d="${up}${down}Z"/>`;
}

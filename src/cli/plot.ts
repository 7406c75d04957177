import { pad, width } from './ui.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A level to compare with, drawn through the whole plot. */
export interface Level {
  readonly name: string;
  readonly y: number;
}

export interface PlotOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly xLabel?: string;
}

/** Bits of a braille character by row and column of its 2 x 4 dots (Unicode 2800-28FF). */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
];

/** A grid of braille characters, two dots across and four down in each. */
class Canvas {
  private readonly cells: Uint8Array;

  constructor(
    readonly columns: number,
    readonly rows: number,
  ) {
    this.cells = new Uint8Array(columns * rows);
  }

  /** @param x, y shares of the plot from its lower left corner */
  dot(x: number, y: number): void {
    const across = Math.min(Math.floor(x * this.columns * 2), this.columns * 2 - 1);
    const down = Math.min(Math.floor((1 - y) * this.rows * 4), this.rows * 4 - 1);
    const bits = DOTS[down % 4] as number[];
    const cell = Math.floor(down / 4) * this.columns + Math.floor(across / 2);
    this.cells[cell] = (this.cells[cell] as number) | (bits[across % 2] as number);
  }

  /** One row; where nothing was drawn, what lies behind it shows. */
  row(r: number, behind: string): string {
    const cells = this.cells.subarray(r * this.columns, (r + 1) * this.columns);
    return Array.from(cells, (bits) => (bits === 0 ? behind : String.fromCharCode(0x2800 + bits))).join('');
  }
}

/** Joins the points by dots, so that a steep curve has no gaps. */
function draw(canvas: Canvas, points: readonly Point[]): void {
  points.forEach((to, i) => {
    const from = points[Math.max(0, i - 1)] as Point;
    const steps =
      1 + Math.ceil(Math.max(Math.abs(to.x - from.x) * canvas.columns * 2, Math.abs(to.y - from.y) * canvas.rows * 4));
    for (let s = 0; s <= steps; s++) {
      canvas.dot(from.x + ((to.x - from.x) * s) / steps, from.y + ((to.y - from.y) * s) / steps);
    }
  });
}

/**
 * A curve in text, from the first point to the last, with named levels as dotted lines behind it. Needs no colour.
 * @param points rising in x; those that are not finite are left out
 */
export function plot(points: readonly Point[], levels: readonly Level[] = [], options: PlotOptions = {}): string {
  const shown = points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y));
  if (shown.length < 2) return '';
  const { columns = 60, rows = 12, xLabel = '' } = options;
  const ys = [...shown, ...levels].map((p) => p.y);
  const low = Math.min(...ys);
  const range = Math.max(...ys) - low || 1;
  const firstX = (shown[0] as Point).x;
  const rangeX = (shown.at(-1) as Point).x - firstX || 1;
  const canvas = new Canvas(columns, rows);
  draw(
    canvas,
    shown.map((p) => ({ x: (p.x - firstX) / rangeX, y: (p.y - low) / range })),
  );
  const rowOf = (y: number): number => Math.min(rows - 1, Math.floor((1 - (y - low) / range) * rows));
  const lines = Array.from({ length: rows }, (_, r) => {
    const here = levels.filter((level) => rowOf(level.y) === r);
    const names = here.map((level) => `${level.name} ${level.y.toFixed(2)}`).join(', ');
    const middle = low + range * (1 - (r + 0.5) / rows);
    const label = r % 3 === 0 || r === rows - 1 ? middle.toFixed(2) : '';
    return `${pad(label, 7, 'left')} │${canvas.row(r, here.length > 0 ? '┄' : ' ')} ${names}`.trimEnd();
  });
  const last = `${(shown.at(-1) as Point).x}${xLabel === '' ? '' : ` ${xLabel}`}`;
  const axis = `${' '.repeat(8)}└${'─'.repeat(columns)}`;
  return [...lines, axis, `${' '.repeat(9)}${pad(`${firstX}`, columns - width(last))}${last}`].join('\n');
}

import Table from 'cli-table3';

/** Escape codes that begin and end a style (ECMA-48, 8.3.117). Node 20.0 has no `util.styleText` yet. */
const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;
export type Style = keyof typeof STYLES;

/** Whether colours and redrawing make sense there: a terminal, and nobody asked for plain text (no-color.org). */
export function isLive(stream: { readonly isTTY?: boolean }, env = process.env): boolean {
  return stream.isTTY === true && env.TERM !== 'dumb' && !env.CI;
}
export function hasColor(stream: { readonly isTTY?: boolean }, env = process.env): boolean {
  return stream.isTTY === true && env.TERM !== 'dumb' && !env.NO_COLOR;
}

/** A painter that leaves text alone where there is no colour. */
export type Paint = (style: Style, text: string) => string;
export const painter =
  (color: boolean): Paint =>
  (style, text) =>
    color ? `\u001b[${STYLES[style][0]}m${text}\u001b[${STYLES[style][1]}m` : text;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of colours
const ESCAPES = /(\u001b\[[\d;]*[A-Za-z])/g;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns of one character in a terminal: 2 for East Asian wide ones (Unicode Annex 11), 0 for combining marks. */
const columnsOf = (c: string): number => (WIDE.test(c) ? 2 : NO_WIDTH.test(c) ? 0 : 1);

/** Columns that a text takes in a terminal; colours take none. */
export function width(text: string): number {
  let columns = 0;
  for (const c of text.replace(ESCAPES, '')) columns += columnsOf(c);
  return columns;
}

/** Fills up with blanks to `columns`, on the left for numbers. */
export function pad(text: string, columns: number, side: 'left' | 'right' = 'right'): string {
  const blanks = ' '.repeat(Math.max(0, columns - width(text)));
  return side === 'left' ? blanks + text : text + blanks;
}

/** Cuts to at most `columns`, with an ellipsis; colours are kept and closed. */
export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let used = 0;
  let out = '';
  for (const part of text.split(ESCAPES)) {
    if (part.startsWith('\u001b')) out += part;
    else {
      for (const c of part) {
        used += columnsOf(c);
        if (used < columns) out += c;
        else if (used - columnsOf(c) < columns) out += '…';
      }
    }
  }
  return out;
}

/** Cuts to at most `columns` on both sides of `mark`, so that it stays in sight. */
export function around(text: string, mark: string, columns: number): string {
  const at = text.indexOf(mark);
  if (at < 0 || width(text) <= columns) return clip(text, columns);
  const left = Array.from(text.slice(0, at));
  const right = Array.from(text.slice(at + mark.length));
  let shown = mark;
  for (let turn = 0; left.length + right.length > 0; turn++) {
    const takesLeft = left.length > 0 && (turn % 2 === 0 || right.length === 0);
    const longer = takesLeft ? `${left.at(-1)}${shown}` : `${shown}${right[0]}`;
    if (width(longer) > columns - 2) break;
    if (takesLeft) left.pop();
    else right.shift();
    shown = longer;
  }
  return `${left.length > 0 ? '…' : ''}${shown}${right.length > 0 ? '…' : ''}`;
}

/** Breaks at blanks into lines of at most `columns`, all but the first indented; a longer word stays whole. */
export function wrap(text: string, columns: number, indent: number): string {
  const lines = [''];
  for (const word of text.split(/(?<=\S)(?= )/)) {
    const line = lines.at(-1) as string;
    if (width(line) + width(word) <= columns || line.trim() === '') lines[lines.length - 1] = line + word;
    else lines.push(' '.repeat(indent) + word.trimStart());
  }
  return lines.join('\n');
}

const SCALES: readonly (readonly [from: number, suffix: string])[] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** 999, 1.2k, 11.3M. */
export function count(n: number): string {
  const [from, suffix] = SCALES.find(([least]) => Math.abs(n) >= least * 0.9995) ?? [1, ''];
  const scaled = n / from;
  return suffix === '' && Number.isInteger(n) ? `${n}` : `${scaled.toFixed(scaled < 99.95 ? 1 : 0)}${suffix}`;
}

/** 26.3 GFLOP, 512 B, 4.3 GB; powers of 1000, as disks and `ls --si` count. */
export const unit = (n: number, name: string): string => count(n).replace(/([kMGT]?)$/, ` $1${name}`);
export const bytes = (n: number): string => unit(n, 'B');

/** 0:42, 04:15, 1:02:03. */
export function time(seconds: number): string {
  if (!Number.isFinite(seconds)) return '--:--';
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number): string => `${n}`.padStart(2, '0');
  const clock = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${clock}` : clock;
}

/** A share as `.512`, 1 as `1.00`: three places that do not move. */
export const share = (x: number): string => (Number.isNaN(x) ? '–' : x >= 0.9995 ? '1.00' : x.toFixed(3).slice(1));
export const percent = (x: number): string => `${(100 * x).toFixed(x < 0.0995 ? 1 : 0)} %`;

const BLOCKS = '▁▂▃▄▅▆▇█';

/** Values as little columns, the last ones when there are more than `columns`. */
export function sparkline(values: readonly number[], columns = 8): string {
  const shown = values.filter(Number.isFinite).slice(-columns);
  const low = Math.min(...shown);
  const range = Math.max(...shown) - low;
  return shown.map((v) => BLOCKS[range === 0 ? 3 : Math.round(((v - low) / range) * 7)]).join('');
}

/** Rows under a heading, with lines; Chinese lines up. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const colAligns = head.map((_, i) => (right.includes(i) ? 'right' : 'left') as 'right' | 'left');
  const made = new Table({ head: [...head], colAligns, style: { head: [], border: [], compact: true } });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
}

/** A table whose columns are as wide as what stands in them; numbers on the right. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left: readonly number[],
): string[] {
  const widths = head.map((title, i) => Math.max(width(title), ...rows.map((row) => width(row[i] ?? ''))));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => pad(cell, widths[i] as number, left.includes(i) ? 'right' : 'left'))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)];
}

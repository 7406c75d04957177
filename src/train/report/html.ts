/** HTML that is safe to put into a page. */
export type Html = string;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: a text node must not hold them
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text from a file or a person. Control characters and marks that turn the direction of writing become visible. */
export function esc(text: string): Html {
  const shown = text.replace(CONTROL, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return shown.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);
}

/** The same in English and in Chinese; the page shows one of them. */
export interface Both {
  readonly en: string;
  readonly zh: string;
}
export const both = (en: string, zh: string): Both => ({ en, zh });

/** Both languages as elements of their own, of which the style sheet hides one. */
export const words = ({ en, zh }: Both): Html =>
  en === zh ? esc(en) : `<span lang="en">${esc(en)}</span><span lang="zh">${esc(zh)}</span>`;

export const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const UNKNOWN = '–';

/** `3.141`, `0.00200`, `1.2e-5`: three or four digits. */
export function figure(value: unknown): string {
  if (!isNumber(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-3 || size >= 1e6) return value.toExponential(1).replace('e+', 'e');
  if (size >= 100) return grouped(value);
  return value.toFixed(size >= 10 ? 1 : size >= 0.1 ? 3 : 4);
}

export const percent = (value: unknown, digits = 1): string =>
  isNumber(value) ? `${(100 * value).toFixed(digits)} %` : UNKNOWN;

/** `612,345` */
export const grouped = (value: unknown): string =>
  isNumber(value) ? Math.round(value).toLocaleString('en-US') : UNKNOWN;

const PREFIXES = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** `12.3 M`; with a unit `12.3 MB`. */
export function scaled(value: unknown, unit = ''): string {
  if (!isNumber(value)) return UNKNOWN;
  const [by, prefix] = PREFIXES.find(([least]) => Math.abs(value) >= least) ?? [1, ''];
  const number = value / by;
  const digits = by === 1 ? 0 : number >= 100 ? 0 : 1;
  return `${number.toFixed(digits)} ${prefix}${unit}`.trimEnd();
}

/** `1:02:03 h` or `2:03 min`. */
export function clock(seconds: unknown): string {
  if (!isNumber(seconds)) return UNKNOWN;
  const total = Math.round(seconds);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n: number): string => `${n}`.padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)} h` : `${m}:${two(s)} min`;
}

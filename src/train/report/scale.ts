/** A range of values laid on a range of pixels. */
export interface Scale {
  readonly from: number;
  readonly to: number;
  readonly log: boolean;
  readonly ticks: readonly number[];
  pixel(value: number): number;
}

/** Steps of 1, 2 or 5 times a power of ten. */
function niceStep(range: number, count: number): number {
  const rough = range / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((nice) => nice * power >= rough) ?? 10) * power;
}

function linearTicks(from: number, to: number, count: number): number[] {
  const step = niceStep(to - from, count);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Powers of ten, with 2 and 5 between them where there is room. */
function logTicks(from: number, to: number, count: number): number[] {
  const decades = Math.log10(to / from);
  const between = decades * 3 <= count ? [1, 2, 5] : decades * 2 <= count ? [1, 3] : [1];
  const first = Math.floor(Math.log10(from));
  const powers = Array.from({ length: Math.ceil(decades) + 2 }, (_, i) => 10 ** (first + i));
  return powers.flatMap((power) => between.map((b) => b * power)).filter((t) => t >= from * 0.999 && t <= to * 1.001);
}

/** @param start, end pixels of `from` and `to` */
export function scale(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
  { count, log = false }: { count: number; log?: boolean },
): Scale {
  const place = log ? Math.log : (value: number): number => value;
  const range = place(to) - place(from);
  return {
    from,
    to,
    log,
    ticks: log ? logTicks(from, to, count) : linearTicks(from, to, count),
    pixel: (value) => start + ((place(value) - place(from)) / range) * (end - start),
  };
}

/**
 * A range that shows all of `must`, nearly all of `may` (single outliers are cut off), and a little air.
 * @param zero begins at 0
 */
export function rangeOf(
  must: readonly number[],
  may: readonly number[],
  { log = false, zero = false }: { log?: boolean; zero?: boolean },
): [number, number] {
  const usable = (values: readonly number[]): number[] => values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  const sorted = Float64Array.from(usable(may)).sort();
  const at = (share: number): number[] =>
    sorted.length === 0 ? [] : [sorted[Math.round(share * (sorted.length - 1))]];
  const shown = [...usable(must), ...at(0.002), ...at(0.998)];
  if (shown.length === 0) return log ? [0.1, 10] : [0, 1];
  let [low, high] = [Math.min(...shown), Math.max(...shown)];
  if (log) return low === high ? [low / 2, high * 2] : [low / 1.15, high * 1.15];
  if (zero) low = Math.min(0, low);
  const air = high === low ? Math.abs(high) * 0.1 || 1 : (high - low) * 0.06;
  return [zero && low === 0 ? 0 : low - air, high + air];
}

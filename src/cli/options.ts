import { InvalidArgumentError } from 'commander';

/** Turns the text of an option into its value; the message of a refusal follows the option's name and the text. */
export type Parser<T> = (text: string) => T;

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A number in plain decimal writing, or NaN: `0x10`, `1_000`, `Infinity`, blanks and overflow are no numbers here. */
function decimal(text: string): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : Number.NaN;
}

function checked(wanted: string, fits: (value: number) => boolean): Parser<number> {
  return (text) => {
    const value = decimal(text);
    if (!fits(value)) throw new InvalidArgumentError(`It must be ${wanted}.`);
    return value;
  };
}

/** A whole number in [min, max]. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Parser<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  return checked(`a whole number ${range}`, (v) => Number.isSafeInteger(v) && v >= min && v <= max);
}

export const positiveInt: Parser<number> = wholeNumber(1);
export const seed: Parser<number> = wholeNumber(0, 2 ** 32 - 1);
/** A share in [0, 1]. */
export const fraction: Parser<number> = checked('a number from 0 to 1', (v) => v >= 0 && v <= 1);
/** A dropout rate in [0, 1). */
export const dropoutRate: Parser<number> = checked('a number from 0 up and below 1', (v) => v >= 0 && v < 1);
/** A learning rate in (0, 1]. */
export const rate: Parser<number> = checked('a number above 0 and at most 1, such as 2e-3', (v) => v > 0 && v <= 1);
/** Any number above 0. */
export const positive: Parser<number> = checked('a number above 0', (v) => v > 0);
/** Any number from 0 up. */
export const nonNegative: Parser<number> = checked('a number from 0 up', (v) => v >= 0);

/** A number with a unit, in the unit of the table's 1; the empty name stands for a number without a unit. */
function withUnit(units: Readonly<Record<string, number>>, wanted: string): Parser<number> {
  return (text) => {
    const [, digits = '', unit = ''] = /^(.*?)([a-z]*)$/i.exec(text) ?? [];
    const value = decimal(digits) * (units[unit.toLowerCase()] ?? Number.NaN);
    if (!(value > 0 && value <= Number.MAX_SAFE_INTEGER)) throw new InvalidArgumentError(`It must be ${wanted}.`);
    return value;
  };
}

const KIB = 1024;
const BYTES = { '': 1, b: 1, k: KIB, kb: KIB, kib: KIB, m: KIB ** 2, mb: KIB ** 2, mib: KIB ** 2 };
const BIG_BYTES = { g: KIB ** 3, gb: KIB ** 3, gib: KIB ** 3, t: KIB ** 4, tb: KIB ** 4, tib: KIB ** 4 };

/** Bytes: `4096`, `64M`, `1.5GB`; the units are powers of 1024. */
export const byteSize: Parser<number> = (text) =>
  Math.floor(withUnit({ ...BYTES, ...BIG_BYTES }, 'a size above 0, such as 4096, 64M or 1.5GB')(text));

/** Seconds: `90`, `30s`, `10m`, `1h`, `2d`. */
export const duration: Parser<number> = withUnit(
  { '': 1, s: 1, m: 60, h: 3600, d: 86_400 },
  'a time above 0, such as 30s, 10m or 1h',
);

/** A JSON value. Objects have no prototype, so a key like `__proto__` is a key like any other. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface JsonLimits {
  /** Objects and arrays inside one another. */
  readonly depth?: number;
  /** Keys of all objects, and elements of all arrays. */
  readonly values?: number;
  /** Every number must be written as a whole number from 0 to 2^53 - 1: no sign, point or exponent. */
  readonly countsOnly?: boolean;
}

/** Text that is not the JSON it should be; `offset` counts characters. */
export class JsonSyntaxError extends Error {
  constructor(
    what: string,
    readonly offset: number,
  ) {
    super(what);
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const COUNT = /^(?:0|[1-9]\d*)$/;
const SPACE = /[ \t\n\r]*/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const WORDS = { true: true, false: false, null: null } as const;

/** RFC 8259, read strictly where `JSON.parse` is not: duplicate keys, inexact integers and deep nesting are refused. */
class Parser {
  private at = 0;
  private values = 0;
  private readonly depth: number;
  private readonly most: number;

  constructor(
    private readonly text: string,
    private readonly limits: JsonLimits,
  ) {
    this.depth = limits.depth ?? 32;
    this.most = limits.values ?? 1e6;
  }

  parse(): Json {
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) this.fail('something follows the end of the JSON');
    return value;
  }

  private fail(what: string): never {
    throw new JsonSyntaxError(what, this.at);
  }

  private space(): void {
    SPACE.lastIndex = this.at;
    SPACE.test(this.text);
    this.at = SPACE.lastIndex;
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? null;
    if (found !== null) this.at += found.length;
    return found;
  }

  private take(character: string): boolean {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private value(depth: number): Json {
    this.space();
    if (++this.values > this.most) this.fail(`more than ${this.most} values`);
    const next = this.text[this.at];
    if (next === '{' || next === '[') {
      if (depth >= this.depth) this.fail(`nested deeper than ${this.depth}`);
      this.at++;
      return next === '{' ? this.object(depth + 1) : this.array(depth + 1);
    }
    return next === '"' ? this.string() : this.plain();
  }

  private object(depth: number): JsonObject {
    const object: JsonObject = Object.create(null);
    if (this.take('}')) return object;
    do {
      this.space();
      const key = this.string();
      if (key in object) this.fail(`the key ${JSON.stringify(key)} stands there twice`);
      if (!this.take(':')) this.fail('":" expected after a key');
      object[key] = this.value(depth);
    } while (this.take(','));
    if (!this.take('}')) this.fail('"," or "}" expected');
    return object;
  }

  private array(depth: number): Json[] {
    const array: Json[] = [];
    if (this.take(']')) return array;
    do array.push(this.value(depth));
    while (this.take(','));
    if (!this.take(']')) this.fail('"," or "]" expected');
    return array;
  }

  private string(): string {
    const from = this.at;
    if (this.text[from] !== '"') this.fail('a string expected');
    for (let i = from + 1; i < this.text.length; i++) {
      const code = this.text.charCodeAt(i);
      if (code === BACKSLASH) i++;
      else if (code < 0x20) this.fail('a control character in a string');
      else if (code === QUOTE) {
        this.at = i + 1;
        return this.unescaped(this.text.slice(from, i + 1));
      }
    }
    return this.fail('a string that does not end');
  }

  private unescaped(literal: string): string {
    if (!literal.includes('\\')) return literal.slice(1, -1);
    try {
      return JSON.parse(literal) as string;
    } catch {
      return this.fail('an unknown escape in a string');
    }
  }

  private plain(): Json {
    for (const [word, value] of Object.entries(WORDS)) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return value;
    }
    const from = this.at;
    const literal = this.match(NUMBER);
    if (literal === null) return this.fail('a value expected');
    const number = Number(literal);
    const whole = /^-?\d+$/.test(literal);
    this.at = from;
    if (this.limits.countsOnly === true && !COUNT.test(literal)) this.fail(`${clip(literal)} is not a count`);
    if (!Number.isFinite(number) || (whole && !Number.isSafeInteger(number)))
      this.fail(`${clip(literal)} cannot be held exactly`);
    this.at += literal.length;
    return number;
  }
}

const clip = (text: string): string => (text.length <= 40 ? text : `${text.slice(0, 40)}...`);

/** @throws {JsonSyntaxError} not JSON, a key twice, an integer above 2^53, or beyond the limits */
export const parseJson = (text: string, limits: JsonLimits = {}): Json => new Parser(text, limits).parse();

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

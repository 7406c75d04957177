import { canonicalOrder } from './canonical-order.js';
import { type CharTable, CJK, charTable, DECOMPOSES, type Dialect, DROP, MARK, PUNCT, SPACE } from './unicode.js';

/** How text is cleaned and cut into words before WordPiece. */
export interface BasicOptions {
  readonly lowercase: boolean;
  /** Remove accents (NFD, then drop Mn). Default: as `lowercase`, which is what an unset `strip_accents` means. */
  readonly stripAccents?: boolean;
  /** Set CJK ideographs apart. Default true. */
  readonly tokenizeChineseChars?: boolean;
  /** Default `hf`. */
  readonly dialect?: Dialect;
}

/** Words of a text, normalised, and where each of their UTF-16 units came from. */
export interface Words {
  /** All words, one after the other. */
  readonly text: string;
  /** [words]: where in `text` word k ends; it begins where the one before ends. */
  readonly ends: readonly number[];
  /** [text.length]: UTF-16 range in the original text of the character that unit i stems from. */
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Code points with the range [from, to) of the original text each stems from, in UTF-16 units. */
interface Points {
  cps: number[];
  from: number[];
  to: number[];
}

/** Classes of UTF-16 units for a scanner: see `unitClasses`. */
export const WORD_UNIT = 0;
export const SPACE_UNIT = 1;
export const SINGLE_UNIT = 2;

const BLANK = 0x20;
const CAPITAL_SIGMA = 0x3a3;
const FINAL_SIGMA = 0x3c2;
/**
 * BERT's basic tokenizer: clean, set ideographs apart, remove accents and lower-case, cut at spaces and punctuation.
 * `google` follows google-research/bert tokenization.py:161-271, `hf` tokenizers/src/normalizers/bert.rs:60-140 and
 * pre_tokenizers/bert.rs. The order of lower-casing and removing accents differs between them, and only `google` writes a
 * final sigma. Lone surrogates, NUL and a byte-order mark are dropped.
 */
export class BasicTokenizer {
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
  readonly tokenizeChineseChars: boolean;
  readonly dialect: Dialect;
  /** True if a capital sigma makes a character depend on its neighbours, so that a text must be taken as a whole. */
  readonly finalSigma: boolean;
  readonly #table: CharTable;

  constructor(options: BasicOptions) {
    this.lowercase = options.lowercase;
    this.stripAccents = options.stripAccents ?? options.lowercase;
    this.tokenizeChineseChars = options.tokenizeChineseChars ?? true;
    this.dialect = options.dialect ?? 'hf';
    this.finalSigma = this.dialect === 'google' && this.lowercase;
    this.#table = charTable(this.dialect);
  }

  /** Cuts a text into normalised words. */
  words(text: string): Words {
    let points = this.#clean(text);
    if (this.dialect === 'google') {
      if (this.lowercase) points = this.#lower(points);
      if (this.stripAccents) points = this.#strip(points);
    } else {
      if (this.stripAccents) points = this.#strip(points);
      if (this.lowercase) points = this.#lower(points);
    }
    return this.#split(points);
  }

  /**
   * [0x10000] For each UTF-16 unit: WORD_UNIT if it belongs to a chunk that `words` must see as a whole, SPACE_UNIT if it
   * only separates, SINGLE_UNIT if it is a word by itself whatever stands around it.
   */
  unitClasses(): Uint8Array {
    const classes = new Uint8Array(0x10000);
    const { flags } = this.#table;
    for (let unit = 0; unit < 0x10000; unit++) {
      const f = flags[unit];
      if ((f & DROP) !== 0) continue;
      if ((f & SPACE) !== 0) classes[unit] = SPACE_UNIT;
      else if (this.tokenizeChineseChars && (f & CJK) !== 0) classes[unit] = SINGLE_UNIT;
      else if ((f & PUNCT) !== 0 && (f & DECOMPOSES) === 0) classes[unit] = SINGLE_UNIT;
    }
    return classes;
  }

  /** Drops what is not text, turns every separator into a blank and sets blanks round ideographs. */
  #clean(text: string): Points {
    const out: Points = { cps: [], from: [], to: [] };
    const { flags } = this.#table;
    for (let i = 0; i < text.length; ) {
      const cp = text.codePointAt(i) ?? 0;
      const end = i + (cp > 0xffff ? 2 : 1);
      const f = flags[cp];
      const apart = this.tokenizeChineseChars && (f & CJK) !== 0;
      if ((f & DROP) === 0) {
        if (apart) push(out, BLANK, i, i);
        push(out, (f & SPACE) !== 0 ? BLANK : cp, i, end);
        if (apart) push(out, BLANK, end, end);
      }
      i = end;
    }
    return out;
  }

  #lower(points: Points): Points {
    const out: Points = { cps: [], from: [], to: [] };
    const { lower } = this.#table;
    for (let i = 0; i < points.cps.length; i++) {
      const cp = points.cps[i];
      const final = cp === CAPITAL_SIGMA && this.finalSigma && isFinalSigma(points.cps, i);
      push(out, final ? FINAL_SIGMA : (lower.get(cp) ?? (cp === 0x130 ? 0x69 : cp)), points.from[i], points.to[i]);
      // U+0130 is the one character whose lower case is two: i and a dot above.
      if (cp === 0x130) push(out, 0x307, points.from[i], points.to[i]);
    }
    return out;
  }

  /**
   * NFD by the dialect's own list of decomposable characters, then without Mn. Where canonical ordering moves a mark, it
   * stems from the place it went to, as `tokenizers` says: the first parts of decompositions share out the places in order
   * (tokenizers/src/tokenizer/normalizer.rs, transform_range).
   */
  #strip(points: Points): Points {
    const decomposed: number[] = [];
    const isFirst: boolean[] = [];
    const { flags } = this.#table;
    for (const cp of points.cps) {
      const before = decomposed.length;
      if ((flags[cp] & DECOMPOSES) === 0) decomposed.push(cp);
      else for (const c of String.fromCodePoint(cp).normalize('NFD')) decomposed.push(c.codePointAt(0) ?? 0);
      for (let i = before; i < decomposed.length; i++) isFirst.push(i === before);
    }
    const order = canonicalOrder(decomposed, (cp) => (flags[cp] & MARK) !== 0, this.dialect);
    const out: Points = { cps: [], from: [], to: [] };
    let place = -1;
    for (let k = 0; k < decomposed.length; k++) {
      const i = order === null ? k : order[k];
      if (isFirst[i]) place++;
      const cp = decomposed[i];
      if ((flags[cp] & MARK) === 0) push(out, cp, points.from[place], points.to[place]);
    }
    return out;
  }

  #split(points: Points): Words {
    const { flags } = this.#table;
    const parts: string[] = [];
    const ends: number[] = [];
    const from: number[] = [];
    const to: number[] = [];
    for (let i = 0; i < points.cps.length; i++) {
      const cp = points.cps[i];
      const f = flags[cp];
      const alone = (f & (SPACE | PUNCT)) !== 0;
      if (alone && from.length > (ends.at(-1) ?? 0)) ends.push(from.length);
      if ((f & SPACE) !== 0) continue;
      parts.push(String.fromCodePoint(cp));
      for (let k = cp > 0xffff ? 2 : 1; k > 0; k--) {
        from.push(points.from[i]);
        to.push(points.to[i]);
      }
      if (alone) ends.push(from.length);
    }
    if (from.length > (ends.at(-1) ?? 0)) ends.push(from.length);
    return { text: parts.join(''), ends, from, to };
  }
}

function push(points: Points, cp: number, from: number, to: number): void {
  points.cps.push(cp);
  points.from.push(from);
  points.to.push(to);
}

/** Python's rule (Objects/unicodeobject.c, handle_capital_sigma): a cased letter before, none after, within the word. */
function isFinalSigma(cps: readonly number[], at: number): boolean {
  // Not a literal, whose set of characters would be made when the library is loaded.
  const has = (name: string, cp: number): boolean => new RegExp(`\\p{${name}}`, 'u').test(String.fromCodePoint(cp));
  let i = at - 1;
  while (i >= 0 && has('Case_Ignorable', cps[i])) i--;
  if (i < 0 || !has('Cased', cps[i])) return false;
  i = at + 1;
  while (i < cps.length && has('Case_Ignorable', cps[i])) i++;
  return i === cps.length || !has('Cased', cps[i]);
}

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import hf from 'tokenizers';
import { BasicTokenizer } from '../../src/data/basic-tokenizer.js';
import { IdBuffer } from '../../src/data/id-buffer.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { SPECIAL_TOKENS, Vocab } from '../../src/data/vocab.js';
import { describeWithData, sharedData } from '../skip.js';
import { anyCharacter, LONE_SURROGATE } from './texts.js';

/** BG_FULL=1: every line and every character, some minutes, instead of a sample. */
const FULL = process.env.BG_FULL === '1';
const PATIENCE = FULL ? 7_200_000 : 600_000;
/** Case, then whether accents go; unset means as case. */
const SETTINGS = [
  { lowercase: true },
  { lowercase: false },
  { lowercase: true, stripAccents: false },
  { lowercase: false, stripAccents: true },
] as const;
type Settings = (typeof SETTINGS)[number];

const accents = (settings: Settings): boolean =>
  'stripAccents' in settings ? settings.stripAccents : settings.lowercase;

function normalizer(settings: Settings): hf.Normalizer {
  const { lowercase } = settings;
  return hf.bertNormalizer({ cleanText: true, handleChineseChars: true, stripAccents: accents(settings), lowercase });
}

/** Hugging Face's tokenizer, in Rust, with BERT's parts. */
async function oracle(path: string, vocab: Vocab, settings: Settings): Promise<hf.Tokenizer> {
  const options = { unkToken: '[UNK]', maxInputCharsPerWord: 100, continuingSubwordPrefix: '##' };
  const tokenizer = new hf.Tokenizer(await hf.WordPiece.fromFile(path, options));
  tokenizer.setNormalizer(normalizer(settings));
  tokenizer.setPreTokenizer(hf.bertPreTokenizer());
  tokenizer.setPostProcessor(hf.bertProcessing(['[SEP]', vocab.sep], ['[CLS]', vocab.cls]));
  tokenizer.addSpecialTokens([...SPECIAL_TOKENS]);
  return tokenizer;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

/** Parts of at most 1,024 lines or about a million characters, so that what a library says of one is not gigabytes. */
function* batches(lines: readonly string[]): Generator<string[]> {
  let part: string[] = [];
  let size = 0;
  for (const line of lines) {
    part.push(line);
    size += line.length;
    if (part.length < 1024 && size < 1e6) continue;
    yield part;
    part = [];
    size = 0;
  }
  if (part.length > 0) yield part;
}

function linesOf(path: string): string[] {
  const bytes = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
}

/** Pieces with where they stem from, counted in characters as Hugging Face does, [CLS] and [SEP] at 0. */
function placed(text: string, own: Tokenizer, specials: boolean): (readonly number[])[] {
  const { ids, from, to } = own.pieces(text);
  const places = new Int32Array(text.length + 1);
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    places[i] = count;
    if (text.charCodeAt(i) < 0xd800 || text.charCodeAt(i) > 0xdbff) count++;
  }
  places[text.length] = count;
  const pieces = ids.map((id, i) => [id, places[from[i]], places[to[i]]]);
  return specials ? [[own.vocab.cls, 0, 0], ...pieces, [own.vocab.sep, 0, 0]] : pieces;
}

function theirs(encoding: hf.Encoding): (readonly number[])[] {
  const offsets = encoding.getOffsets();
  return encoding.getIds().map((id, i) => [id, ...offsets[i]]);
}

const isPlacedSame = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): boolean =>
  a.length === b.length && a.every((piece, i) => isSame(piece, b[i]));

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);

describeWithData(
  'vocab',
  'corpora',
  'domain',
  'tasks',
)('ids and places of real text equal those of tokenizers', () => {
  const files = ['corpora', 'domain', 'tasks'].flatMap((name) => filesBelow(sharedData(name)));
  /** Some JSON files are one line of megabytes: those wait for BG_FULL=1. */
  const sample = (lines: readonly string[]): readonly string[] => {
    const step = FULL ? 1 : Math.max(1, Math.floor(lines.length / 20));
    return lines.filter((line, i) => FULL || (i % step === 0 && line.length < 5000));
  };

  test.each([
    ['bert-base-uncased', SETTINGS[0]],
    ['bert-base-cased', SETTINGS[1]],
    ['bert-base-chinese', SETTINGS[1]],
    ['bert-base-chinese', SETTINGS[0]],
  ] as const)(
    '%s %j',
    async (name, settings) => {
      const path = sharedData(`vocab/${name}/vocab.txt`);
      const vocab = Vocab.fromBytes(readFileSync(path), path);
      const [own, oracles] = [new Tokenizer(vocab, settings), await oracle(path, vocab, settings)];
      const [different, counts] = [[] as string[], { lines: 0, pieces: 0 }];
      for (const file of files) {
        for (const part of batches(sample(linesOf(file)))) {
          const encodings = await oracles.encodeBatch(part);
          for (const [k, encoding] of encodings.entries()) {
            const same = isSame(encoding.getIds(), own.encode(part[k]).ids);
            if (!same || !isPlacedSame(theirs(encoding), placed(part[k], own, true))) different.push(part[k]);
            counts.lines++;
            counts.pieces += encoding.getLength();
          }
        }
      }
      if (FULL) console.log(`${name}: ${counts.lines} lines, ${counts.pieces} pieces`);
      expect(counts.lines).toBeGreaterThan(1000);
      expect(different.slice(0, 5)).toEqual([]);
    },
    PATIENCE,
  );
});

describeWithData('vocab', 'vectors/tokenizer')('stored values', () => {
  interface Case {
    readonly vocab: string;
    readonly do_lower_case: boolean;
    readonly text: string;
    readonly text_pair?: string;
    readonly ids: readonly number[];
    readonly token_type_ids?: readonly number[];
  }
  const tokenizers = new Map<string, Tokenizer>();
  const tokenizerFor = ({ vocab, do_lower_case }: Case): Tokenizer => {
    const key = `${vocab} ${do_lower_case}`;
    const path = sharedData(`vocab/${vocab}/vocab.txt`);
    const found =
      tokenizers.get(key) ?? new Tokenizer(Vocab.fromBytes(readFileSync(path), path), { lowercase: do_lower_case });
    tokenizers.set(key, found);
    return found;
  };

  test.each(['transformers_js_cases', 'hf_tokenizers_real_text'])('%s', (name) => {
    const cases = linesOf(sharedData(`vectors/tokenizer/${name}.jsonl`)).filter((line) => line !== '');
    expect(cases.length).toBeGreaterThan(50);
    for (const line of cases) {
      const stored: Case = JSON.parse(line);
      const { text, text_pair, ids, token_type_ids } = stored;
      const got = tokenizerFor(stored).encode(text, text_pair);
      expect({ text, ids: got.ids }).toEqual({ text, ids });
      if (token_type_ids !== undefined) expect(got.tokenTypeIds).toEqual(token_type_ids);
    }
  });
});

/** Words as the normalizer and the pre-tokenizer of `tokenizers` cut them. */
function theirWords(text: string, theirs: hf.Normalizer, cut: hf.PreTokenizer): string[] {
  return cut.preTokenizeString(theirs.normalizeString(text)).map(([word]) => word);
}

function ourWords(text: string, basic: BasicTokenizer): string[] {
  const words = basic.words(text);
  return words.ends.map((end, i) => words.text.slice(i === 0 ? 0 : words.ends[i - 1], end));
}

test.each(SETTINGS)(
  'every kind of character, alone and between letters: %j',
  (settings) => {
    const [theirs, cut, basic] = [normalizer(settings), hf.bertPreTokenizer(), new BasicTokenizer(settings)];
    const different: string[] = [];
    // All of the first 0x3400 and every 61st of the others.
    for (let cp = 0; cp < 0x110000; cp += FULL || cp < 0x3400 ? 1 : 61) {
      if (cp >= 0xd800 && cp < 0xe000) continue;
      for (const text of [String.fromCodePoint(cp), `a${String.fromCodePoint(cp)}b`]) {
        if (ourWords(text, basic).join(' ') !== theirWords(text, theirs, cut).join(' '))
          different.push(cp.toString(16));
      }
    }
    expect(different).toEqual([]);
  },
  PATIENCE,
);

test(
  'random strings, whole tokenizer',
  async () => {
    const odd = [
      '\u302e',
      '\ua953',
      '\u08d9',
      '\u{1e94a}',
      '\u{1d165}',
      '\u{1d16d}',
      '\u0301',
      '\u0323',
      '\u0f71',
      'ΑΣ',
      'İ',
      'ǅ',
      '각',
      '豈',
      '\u{2b820}',
    ];
    const characters = [
      'a',
      'B',
      'é',
      'ß',
      '中',
      '文',
      '😀',
      '\u200d',
      '\u0000',
      ' ',
      '\u2028',
      ',',
      '[MASK]',
      '[SEP]',
      '[',
      ...odd,
    ];
    const unit = fc.oneof(fc.constantFrom(...characters), anyCharacter);
    // Marks in a row, of all kinds: canonical ordering moves them, and what is said of their places with them.
    const marks = Array.from({ length: 0x110000 }, (_, cp) => cp).filter((cp) =>
      /\p{M}/u.test(String.fromCodePoint(cp)),
    );
    const mark = fc.constantFrom(...marks).map((cp) => String.fromCodePoint(cp));
    const runs = fc.oneof({ arbitrary: mark, weight: 3 }, { arbitrary: fc.constantFrom(...odd), weight: 3 }, unit);
    const texts = [unit, runs].flatMap((piece) =>
      fc.sample(
        fc.array(piece, { maxLength: 20 }).map((parts) => parts.join('').replace(LONE_SURROGATE, '')),
        { numRuns: FULL ? 200_000 : 2000, seed: 7 },
      ),
    );
    // Every character is a piece, so that nothing hides behind [UNK]; `##` forms come with those that are letters.
    const basics = SETTINGS.map((settings) => new BasicTokenizer(settings));
    const seen = new Set(texts.flatMap((text) => basics.flatMap((basic) => [...basic.words(text).text])));
    const vocab = new Vocab([...SPECIAL_TOKENS, ...seen, ...[...seen].map((c) => `##${c}`)]);
    const ids = Object.fromEntries(vocab.tokens.map((token, id) => [token, id]));
    for (const [i, settings] of SETTINGS.entries()) {
      const oracles = new hf.Tokenizer(
        hf.WordPiece.init(ids, { unkToken: '[UNK]', maxInputCharsPerWord: 100, continuingSubwordPrefix: '##' }),
      );
      oracles.setNormalizer(normalizer(settings));
      oracles.setPreTokenizer(hf.bertPreTokenizer());
      oracles.addSpecialTokens([...SPECIAL_TOKENS]);
      const own = new Tokenizer(vocab, SETTINGS[i]);
      const encodings = await oracles.encodeBatch(texts);
      encodings.forEach((encoding, k) => {
        const out = new IdBuffer();
        own.appendWithSpecials(texts[k], out);
        const [ours, ids] = [Array.from(out.view()), encoding.getIds()];
        if (!isSame(ours, ids)) expect({ text: texts[k], ids: ours }).toEqual({ text: texts[k], ids });
        const places = { text: texts[k], pieces: placed(texts[k], own, false) };
        if (!isPlacedSame(theirs(encoding), places.pieces))
          expect(places).toEqual({ text: texts[k], pieces: theirs(encoding) });
      });
    }
  },
  PATIENCE,
);

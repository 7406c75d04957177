import { DataError } from '../core/errors.js';
import type { TokenCorpus } from '../core/token-corpus.js';
import { IdBuffer } from './id-buffer.js';
import { icuWords, SentenceEncoder } from './segment.js';
import { documentSentences, type Language, type SentenceMode, sentenceSplitter } from './sentences.js';
import type { Tokenizer } from './tokenizer.js';

export interface TextCorpusOptions {
  /** Whether a line is a sentence or a paragraph to cut. Default `auto`: whatever each document looks like. */
  readonly sentences?: SentenceMode;
  /** Whose rules end a sentence. Default `auto`. */
  readonly language?: Language;
}

/** Cuts after full stops by the ICU library of the browser or of Node, which cuts after "Dr." as well. */
function icuSentences(): (paragraph: string) => string[] {
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
  return (paragraph) => Array.from(segmenter.segment(paragraph), ({ segment }) => segment);
}

/**
 * Texts in memory as ids: what `PretrainDataset` takes, where there are no files. A text holds a sentence or a paragraph
 * a line, and a blank line between documents; a new text begins a new document.
 * @throws {DataError} DATA-EMPTY: no line with a token in it
 */
export function corpusFromText(
  texts: string | Iterable<string>,
  tokenizer: Tokenizer,
  options: TextCorpusOptions = {},
): TokenCorpus {
  const encoder = new SentenceEncoder(tokenizer, icuWords());
  const split = sentenceSplitter(options.language ?? 'auto', icuSentences());
  const ids = new IdBuffer();
  const firsts: number[] = []; // tokens that begin a word
  const sentenceStarts = [0];
  const documentStarts = [0];
  for (const lines of documentsOf(typeof texts === 'string' ? [texts] : texts)) {
    for (const sentence of documentSentences(lines, options.sentences ?? 'auto', split).sentences) {
      const encoded = encoder.encode(sentence);
      encoded.ids.forEach((id, i) => {
        if (encoded.starts[i] === 1) firsts.push(ids.length);
        ids.push(id);
      });
      if (encoded.ids.length > 0) sentenceStarts.push(ids.length);
    }
    if (sentenceStarts.length - 1 > (documentStarts.at(-1) ?? 0)) documentStarts.push(sentenceStarts.length - 1);
  }
  if (ids.length === 0) throw empty();
  return {
    ids: (tokenizer.vocab.size <= 1 << 16 ? Uint16Array : Uint32Array).from(ids.view()),
    sentenceStarts: Uint32Array.from(sentenceStarts),
    documentStarts: Uint32Array.from(documentStarts),
    wordStarts: bitsOf(firsts, ids.length),
  };
}

/** Trimmed lines of each document, none of them blank. */
function* documentsOf(texts: Iterable<string>): Generator<string[]> {
  for (const text of texts) {
    let lines: string[] = [];
    for (const line of text.replaceAll(/[\0\ufeff]/g, '').split(/\r\n|\n|\r/)) {
      const trimmed = line.trim();
      if (trimmed !== '') lines.push(trimmed);
      else if (lines.length > 0) {
        yield lines;
        lines = [];
      }
    }
    if (lines.length > 0) yield lines;
  }
}

/** [ceil(length / 8)]: bit i % 8 of byte i / 8 is 1 for each i of `places`. */
function bitsOf(places: readonly number[], length: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(length / 8));
  for (const i of places) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

const empty = (): DataError =>
  new DataError('the corpus is empty: there is no line with text in it', {
    code: 'DATA-EMPTY',
    fix: 'give it text: a sentence a line, a blank line between documents',
  });

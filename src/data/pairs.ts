import { ConfigError, DataError } from '../core/errors.js';
import { Rng, STREAM } from '../core/random.js';
import type { TokenCorpus } from '../core/token-corpus.js';
import { startsWord } from './document.js';
import { Layout, type PassKey } from './layout.js';

/**
 * Sentence pairs as google-research/bert makes them (create_pretraining_data.py:223-335, called G here), and as ALBERT
 * makes them for sentence order (google-research/albert create_pretraining_data.py, create_instances_from_document).
 */
export interface PairRules {
  /** Longest sequence, [CLS] and both [SEP] included. */
  readonly maxSeq: number;
  /** Share of documents that are cut to a shorter target: 0.1 in G. */
  readonly shortSeqProb: number;
}

/** A range of tokens. */
interface Range {
  start: number;
  length: number;
}

/** One document on its way into pairs. */
interface Walk {
  readonly corpus: TokenCorpus;
  readonly rng: Rng;
  /** Tokens of a pair, without the three special ones: the hard limit, and what this document aims at. */
  readonly limit: number;
  readonly target: number;
  readonly out: Layout;
}

const spanOf = ({ sentenceStarts }: TokenCorpus, from: number, end: number): Range => ({
  start: sentenceStarts[from],
  length: sentenceStarts[end] - sentenceStarts[from],
});

/** A short target is drawn once per document, and is a rough aim; `limit` is a hard one (G 239-241). */
function begin(corpus: TokenCorpus, document: number, key: PassKey, rules: PairRules, out: Layout): Walk {
  const rng = new Rng(key.seed, STREAM.pairs, key.pass, document);
  const limit = rules.maxSeq - 3;
  const target = rng.uniform() < rules.shortSeqProb ? 2 + rng.int(limit - 1) : limit;
  return { corpus, rng, limit, target, out };
}

/**
 * Fills chunks of whole sentences up to the target, and hands each to `emit` (G 248-333).
 * @param emit takes sentences [first, end) and returns the end of those it used; the others open the next chunk
 */
function chunks(walk: Walk, document: number, emit: (first: number, end: number) => number): void {
  const { sentenceStarts, documentStarts } = walk.corpus;
  const last = documentStarts[document + 1];
  let first = documentStarts[document];
  for (let end = first + 1; end <= last; end++) {
    if (end < last && sentenceStarts[end] - sentenceStarts[first] < walk.target) continue;
    end = emit(first, end);
    first = end;
  }
}

/** Takes tokens from the longer of the two, at its front or its back by a coin, until both fit (G 418-433). */
function truncate(a: Range, b: Range, { limit, rng }: Walk): void {
  while (a.length + b.length > limit) {
    const longer = a.length > b.length ? a : b;
    longer.length--;
    if (rng.next() < 2 ** 31) longer.start++;
  }
}

function addPair(first: Range, second: Range, label: number, walk: Walk): void {
  truncate(first, second, walk);
  walk.out.piece(first.start, first.length);
  walk.out.piece(second.start, second.length);
  walk.out.close(label);
}

/** Cuts a chunk at a random sentence; one that has but a single sentence is all A (G 260-262). */
const cutOf = (first: number, end: number, rng: Rng): number =>
  end - first >= 2 ? first + 1 + rng.int(end - first - 1) : end;

/**
 * Sentences of another document, from a random one on, up to `wanted` tokens. G draws up to ten times for another
 * document and then accepts the same one, still labelled random (G 279-282); we draw among the others.
 */
function randomNext({ corpus, rng }: Walk, documents: Uint32Array, own: number, wanted: number): Range {
  const { sentenceStarts, documentStarts } = corpus;
  const drawn = rng.int(documents.length - 1);
  const document = documents[drawn < own ? drawn : drawn + 1];
  const last = documentStarts[document + 1];
  const from = documentStarts[document] + rng.int(last - documentStarts[document]);
  let end = from + 1;
  while (end < last && sentenceStarts[end] - sentenceStarts[from] < wanted) end++;
  return spanOf(corpus, from, end);
}

/**
 * Next sentence prediction: half of the pairs are A with what follows it (label 0), half with sentences of another
 * document (label 1; run_pretraining.py:288), whose unused own sentences go back into the next chunk (G 290-293). A
 * chunk of one sentence always gets a random partner, so short documents tip the balance.
 * @param documents those to use; at least two
 * @throws {DataError} DATA-ONE-DOCUMENT
 */
export function layoutNsp(corpus: TokenCorpus, documents: Uint32Array, key: PassKey, rules: PairRules): Layout {
  requirePairs(rules);
  requireTwo(documents.length);
  const out = new Layout();
  documents.forEach((document, own) => {
    const walk = begin(corpus, document, key, rules, out);
    chunks(walk, document, (first, end) => {
      const cut = cutOf(first, end, walk.rng);
      const a = spanOf(corpus, first, cut);
      if (cut < end && walk.rng.uniform() >= 0.5) {
        addPair(a, spanOf(corpus, cut, end), 0, walk);
        return end;
      }
      addPair(a, randomNext(walk, documents, own, walk.target - a.length), 1, walk);
      return cut;
    });
  });
  return out;
}

/** Cuts one sentence at the beginning of one of its words; null when it has but one. */
function cutSentence({ corpus, rng }: Walk, { start, length }: Range): [Range, Range] | null {
  let words = 0;
  for (let i = start + 1; i < start + length; i++) if (startsWord(corpus, i)) words++;
  if (words === 0) return null;
  let left = rng.int(words);
  let at = start + 1;
  while (!startsWord(corpus, at) || left-- > 0) at++;
  return [
    { start, length: at - start },
    { start: at, length: start + length - at },
  ];
}

/**
 * Sentence order prediction: A and what follows it, in order (label 0) or swapped (label 1), half of each. ALBERT pairs a
 * chunk of one sentence with a random document, which makes the task partly one of topic; we cut that sentence in two, and
 * leave out one of a single word.
 */
export function layoutSop(corpus: TokenCorpus, documents: Uint32Array, key: PassKey, rules: PairRules): Layout {
  requirePairs(rules);
  const out = new Layout();
  for (const document of documents) {
    const walk = begin(corpus, document, key, rules, out);
    chunks(walk, document, (first, end) => {
      const cut = cutOf(first, end, walk.rng);
      const halves =
        cut < end
          ? ([spanOf(corpus, first, cut), spanOf(corpus, cut, end)] as const)
          : cutSentence(walk, spanOf(corpus, first, end));
      if (halves !== null) {
        const swapped = walk.rng.uniform() < 0.5;
        addPair(halves[swapped ? 1 : 0], halves[swapped ? 0 : 1], swapped ? 1 : 0, walk);
      }
      return end;
    });
  }
  return out;
}

function requirePairs({ maxSeq }: PairRules): void {
  if (maxSeq >= 5) return; // [CLS] a [SEP] b [SEP]
  throw new ConfigError(`a sequence of ${maxSeq} tokens has no room for a pair of sentences`, {
    code: 'CONFIG-MAX-SEQ',
    fix: 'use --max-seq 16 or more',
  });
}

function requireTwo(documents: number): void {
  if (documents >= 2) return;
  throw new DataError(`next sentence prediction needs two documents; the corpus has ${documents}`, {
    code: 'DATA-ONE-DOCUMENT',
    fix: 'set a blank line between documents (chapters, articles), or train without it: --no-nsp',
  });
}

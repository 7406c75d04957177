import { ConfigError, DataError } from '../core/errors.js';
import { Rng, STREAM } from '../core/random.js';
import type { TokenCorpus } from '../core/token-corpus.js';
import type { PretrainBatch } from './batch.js';
import { type DataCard, makeCard } from './card.js';
import { type SentenceTask, type Split, splitDocuments, startsWord } from './document.js';
import type { Layout } from './layout.js';
import { MaskedPlaces, Masker, type MaskUnit, SPECIAL, WORD_INSIDE, WORD_START } from './mask.js';
import { layoutPacked } from './packing.js';
import { layoutNsp, layoutSop } from './pairs.js';

/** The ids of a vocabulary that batches need; a `Vocab` has them. */
export interface SpecialIds {
  readonly size: number;
  readonly pad: number;
  readonly unk: number;
  readonly cls: number;
  readonly sep: number;
  readonly mask: number;
}

export interface PretrainDataOptions {
  readonly vocab: SpecialIds;
  /** Of order, pairs and masks: a whole number below 2^53. */
  readonly seed: number;
  /** Sequences of a step. */
  readonly batch: number;
  /** Length that sequences are padded to, special tokens included. */
  readonly maxSeq: number;
  readonly sentenceTask: SentenceTask;
  readonly maskUnit?: MaskUnit;
  /** Share of places to predict. Default 0.15. */
  readonly maskRate?: number;
  /** Default: maskRate * maxSeq, rounded up; 20 of 128, as google ran it. */
  readonly maxPredictions?: number;
  /** Share of documents cut to shorter sequences. Default 0.1. */
  readonly shortSeqProb?: number;
  /**
   * 0, the default: every pass over the corpus has pairs and masks of its own. k: they are drawn k times before the first
   * step and come back in new order for ever, as google's files with `dupe_factor` k do.
   */
  readonly staticCopies?: number;
  /** Share of the documents that are held back. Default 0.05. */
  readonly heldOut?: number;
  /** Of the choice of these documents, their pairs and masks. Default 0: the same text for every run. */
  readonly heldOutSeed?: number;
  /** Most sequences of an evaluation. Default 256. */
  readonly evalSequences?: number;
}

type Settings = Required<PretrainDataOptions>;

/** Key of what is held back; passes over the corpus count from 0. */
const EVALUATION = 2 ** 32 - 1;
/** An evaluation hides single pieces at this rate whatever the training does, so that runs can be compared. */
const EVAL_RATE = 0.15;

/** One pass over the corpus: sequences in random order. */
interface Pass {
  /** Number of its first sequence, counted from the first step on. */
  readonly first: number;
  readonly layouts: readonly Layout[];
  /** Keys of their masks: the pass itself, or the copy. */
  readonly keys: readonly number[];
  /** [sequences] of all its layouts, one after the other. */
  readonly order: Uint32Array;
}

/** A sequence of a layout. */
interface Place {
  readonly layout: Layout;
  readonly sequence: number;
  readonly seed: number;
  readonly key: number;
}

/**
 * Batches for pre-training, drawn from ids in memory. The batch of a step is a function of the options and the step: a run
 * that stops and goes on sees the same batches, and nothing has to be saved. Entering a pass lays out its sequences; a
 * first call far from the start lays out all passes before it once, for their lengths are random.
 */
export class PretrainDataset {
  readonly card: DataCard;
  /** Documents to learn from, and those held back. */
  readonly split: Split;
  readonly #settings: Settings;
  readonly #masker: Masker;
  /** Number of the first sequence of each pass known so far, and of the next. */
  readonly #firsts = [0];
  readonly #recent = new Map<number, Pass>();
  #copies: Layout[] | null = null;
  #evaluation: readonly PretrainBatch[] | null = null;

  /**
   * @throws {ConfigError} options that contradict each other; {DataError} DATA-ONE-DOCUMENT, DATA-EMPTY, DATA-IDS
   */
  constructor(
    readonly corpus: TokenCorpus,
    options: PretrainDataOptions,
  ) {
    this.#settings = settled(options);
    const { vocab, maxSeq, maskRate: rate, maxPredictions, maskUnit: unit, sentenceTask } = this.#settings;
    this.split = splitDocuments(corpus, this.#settings.heldOut, sentenceTask, this.#settings.heldOutSeed);
    this.#masker = new Masker(maxSeq, { rate, maxPredictions, unit, vocabSize: vocab.size, maskId: vocab.mask });
    this.card = makeCard(corpus, this.split, vocab, { layout: this.#pass(0).layouts[0], maxSeq });
  }

  /** The batch of update `step`, counted from 0. */
  batchAt(step: number): PretrainBatch {
    const { batch } = this.#settings;
    return this.#build(
      Array.from({ length: batch }, (_, b) => this.#placeOf(step * batch + b)),
      this.#masker,
    );
  }

  /** Sequences of the documents that are held back, with pairs and masks that never change; none without them. */
  evalBatches(): Iterable<PretrainBatch> {
    this.#evaluation ??= this.#evaluate();
    return this.#evaluation;
  }

  /** Passes over the corpus that are behind when `step` begins: 1.5 is the middle of the second. */
  passesAt(step: number): number {
    const sequence = step * this.#settings.batch;
    const pass = this.#passOf(sequence);
    return pass + (sequence - this.#firsts[pass]) / (this.#firsts[pass + 1] - this.#firsts[pass]);
  }

  #placeOf(number: number): Place {
    const { first, layouts, keys, order } = this.#pass(this.#passOf(number));
    let sequence = order[number - first];
    let which = 0;
    while (sequence >= layouts[which].count) sequence -= layouts[which++].count;
    return { layout: layouts[which], sequence, seed: this.#settings.seed, key: keys[which] };
  }

  /** The pass that sequence `number` belongs to. */
  #passOf(number: number): number {
    const firsts = this.#firsts;
    while (firsts[firsts.length - 1] <= number) this.#pass(firsts.length - 1);
    let [low, high] = [0, firsts.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (firsts[middle] <= number) low = middle;
      else high = middle;
    }
    return low;
  }

  /** A pass; those before it must be known. A batch touches two at most, so two are remembered. */
  #pass(pass: number): Pass {
    const known = this.#recent.get(pass);
    if (known !== undefined) return known;
    const { seed, staticCopies } = this.#settings;
    const layouts = staticCopies > 0 ? this.#staticLayouts() : [this.#layout(this.split.train, seed, pass)];
    const count = layouts.reduce((sum, layout) => sum + layout.count, 0);
    if (count === 0) throw empty();
    const order = new Rng(seed, STREAM.order, pass).shuffle(Uint32Array.from({ length: count }, (_, i) => i));
    const keys = staticCopies > 0 ? layouts.map((_, copy) => copy) : [pass];
    const made = { first: this.#firsts[pass], layouts, keys, order };
    this.#firsts[pass + 1] = made.first + count;
    this.#recent.set(pass, made);
    if (this.#recent.size > 2) this.#recent.delete(this.#recent.keys().next().value ?? 0);
    return made;
  }

  #staticLayouts(): Layout[] {
    const { seed, staticCopies } = this.#settings;
    this.#copies ??= Array.from({ length: staticCopies }, (_, copy) => this.#layout(this.split.train, seed, copy));
    return this.#copies;
  }

  #layout(documents: Uint32Array, seed: number, pass: number): Layout {
    const { sentenceTask, maxSeq, shortSeqProb } = this.#settings;
    const key = { seed, pass };
    if (sentenceTask === 'none') return layoutPacked(this.corpus, documents, key, maxSeq);
    const layout = sentenceTask === 'nsp' ? layoutNsp : layoutSop;
    return layout(this.corpus, documents, key, { maxSeq, shortSeqProb });
  }

  #evaluate(): PretrainBatch[] {
    const { vocab, maxSeq, batch, evalSequences, heldOutSeed: seed } = this.#settings;
    if (this.split.heldOut.length === 0) return [];
    const layout = this.#layout(this.split.heldOut, seed, EVALUATION);
    const options = {
      rate: EVAL_RATE,
      maxPredictions: Math.ceil(EVAL_RATE * maxSeq),
      unit: 'token',
      vocabSize: vocab.size,
      maskId: vocab.mask,
    } as const;
    const masker = new Masker(maxSeq, options);
    const order = new Rng(seed, STREAM.order, EVALUATION).shuffle(
      Uint32Array.from({ length: layout.count }, (_, i) => i),
    );
    const places = Array.from(order.subarray(0, evalSequences), (sequence) => {
      return { layout, sequence, seed, key: EVALUATION };
    });
    const batches: PretrainBatch[] = [];
    for (let at = 0; at < places.length; at += batch) batches.push(this.#build(places.slice(at, at + batch), masker));
    return batches;
  }

  #build(places: readonly Place[], masker: Masker): PretrainBatch {
    const { maxSeq, vocab } = this.#settings;
    const batch = places.length;
    const inputIds = new Int32Array(batch * maxSeq).fill(vocab.pad);
    const tokenTypeIds = new Int32Array(batch * maxSeq);
    const lengths = new Int32Array(batch);
    const sentenceLabels = new Int32Array(batch);
    const masked = new MaskedPlaces(batch * masker.options.maxPredictions);
    places.forEach((place, b) => {
      const base = b * maxSeq;
      lengths[b] = this.#write(place, inputIds, tokenTypeIds, base, masker.kinds);
      sentenceLabels[b] = place.layout.labels[place.sequence];
      const rng = new Rng(place.seed, STREAM.mask, place.key, place.sequence);
      masker.hide(inputIds, base, lengths[b], rng, masked);
    });
    const maskedPositions = masked.positions.slice(0, masked.count);
    const maskedLabels = masked.labels.slice(0, masked.count);
    return { batch, seq: maxSeq, inputIds, tokenTypeIds, lengths, maskedPositions, maskedLabels, sentenceLabels };
  }

  /** Writes [CLS] piece [SEP] piece [SEP] at `base`, and what each place holds; returns the length. */
  #write({ layout, sequence }: Place, out: Int32Array, types: Int32Array, base: number, kinds: Uint8Array): number {
    const { corpus } = this;
    const { vocab, sentenceTask } = this.#settings;
    const first = layout.firstPiece[sequence];
    let n = 0;
    out[base] = vocab.cls;
    kinds[n++] = SPECIAL;
    for (let p = first; p < layout.firstPiece[sequence + 1]; p++) {
      const start = layout.starts[p];
      const from = n;
      for (let i = start; i < start + layout.lengths[p]; i++) {
        out[base + n] = corpus.ids[i];
        kinds[n++] = i === start || startsWord(corpus, i) ? WORD_START : WORD_INSIDE;
      }
      out[base + n] = vocab.sep;
      kinds[n++] = SPECIAL;
      if (sentenceTask !== 'none' && p > first) types.fill(1, base + from, base + n);
    }
    return n;
  }
}

const empty = (): DataError =>
  new DataError('the corpus gives no sequence to train on', {
    code: 'DATA-EMPTY',
    fix: 'check that it holds sentences of more than one word, a line each',
  });

/** Checks the options and fills in the defaults. */
function settled(options: PretrainDataOptions): Settings {
  const maskRate = options.maskRate ?? 0.15;
  const all: Settings = {
    maskUnit: 'token',
    maskRate,
    maxPredictions: Math.max(1, Math.ceil(maskRate * options.maxSeq)),
    shortSeqProb: 0.1,
    staticCopies: 0,
    heldOut: 0.05,
    heldOutSeed: 0,
    evalSequences: 256,
    ...options,
  };
  const rules: readonly (readonly [holds: boolean, what: string])[] = [
    [all.batch >= 1 && Number.isInteger(all.batch), `batch ${all.batch} is not a whole number from 1 up`],
    [all.maxSeq >= 8 && Number.isInteger(all.maxSeq), `maxSeq ${all.maxSeq} is not a whole number from 8 up`],
    [all.maskRate > 0 && all.maskRate <= 1, `maskRate ${all.maskRate} is not above 0 and at most 1`],
    [all.maxPredictions >= 1, `maxPredictions ${all.maxPredictions} is below 1`],
    [all.heldOut >= 0 && all.heldOut <= 0.5, `heldOut ${all.heldOut} is not from 0 to 0.5`],
    [all.staticCopies >= 0 && Number.isInteger(all.staticCopies), `staticCopies ${all.staticCopies} is no count`],
  ];
  const broken = rules.flatMap(([holds, what]) => (holds ? [] : [what]));
  if (broken.length > 0) throw new ConfigError(`data: ${broken.join('; ')}`, { code: 'CONFIG-DATA' });
  return all;
}

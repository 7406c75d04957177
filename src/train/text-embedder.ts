import { BareBert } from '../bert/bare.js';
import { inferred } from '../bert/infer.js';
import { type BertInput, packSequences } from '../bert/input.js';
import { ConfigError } from '../core/errors.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { SentenceModules } from '../io/sentence-modules.js';
import { usePrecision } from '../nn/precision.js';
import type { LoadedModel, ModelKind } from './model-folder.js';
import { applyDense, poolRows, toUnit } from './pool.js';

/** What overrules the model's own settings. */
export interface EmbedOptions extends Partial<Pick<SentenceModules, 'pooling' | 'normalize' | 'prompt'>> {
  /** Tokens of a text that are read, [CLS] and [SEP] included. */
  readonly maxSeq?: number;
  /** Tokens that go through the model together; more use more memory. */
  readonly tokensPerBatch?: number;
}

/** A text as a vector. */
export interface Embedding {
  readonly vector: Float32Array;
  /** Tokens that were read, [CLS] and [SEP] included. */
  readonly tokens: number;
  /** Tokens beyond the limit, which were not. */
  readonly cut: number;
}

/** The pooler is of no use here, and many models for sentences are saved without one. */
const ENCODER: ModelKind<BareBert> = {
  make: (config, init) => new BareBert(config, { init }),
  optional: (name) => name.startsWith('bert.pooler.'),
};

/** Rows that keep the caches of small machines busy and no more; larger ones were no faster (bench/embed.mjs). */
const TOKENS_PER_BATCH = 4096;
/** Texts that are read ahead to be sorted by length. */
const WINDOW = 1024;

interface Reading {
  readonly ids: number[];
  readonly cut: number;
}

/**
 * Turns texts into vectors as sentence-transformers does: encoder, pooling, layers behind it, length 1, each as the model's
 * modules.json says. A text's vector does not depend on the texts beside it.
 */
export class TextEmbedder {
  private readonly maxSeq: number;
  private readonly tokensPerBatch: number;
  readonly modules: SentenceModules;

  /** @throws {ConfigError} a limit that leaves no room for a token, or beyond the model's positions */
  constructor(
    readonly loaded: LoadedModel<BareBert>,
    modules: SentenceModules,
    options: EmbedOptions = {},
  ) {
    const { maxPositionEmbeddings: positions } = loaded.model.config;
    this.modules = { ...modules, ...options };
    this.maxSeq = options.maxSeq ?? Math.min(modules.maxSeqLength ?? positions, positions);
    this.tokensPerBatch = options.tokensPerBatch ?? TOKENS_PER_BATCH;
    if (this.maxSeq >= 3 && this.maxSeq <= positions) return;
    throw new ConfigError(`texts of ${this.maxSeq} tokens do not go with a model of ${positions} positions`, {
      code: 'CONFIG-POSITIONS',
      fix: `choose a limit from 3 to ${positions}`,
    });
  }

  /**
   * Opens a model of sentence-transformers, or any BERT, of which the mean over the tokens is taken.
   * @throws as `loadModel`
   */
  static async load(folder: string, options: EmbedOptions = {}): Promise<TextEmbedder> {
    const { loadModelAs, readSentenceModules } = await import('./files.js');
    const modules = await readSentenceModules(folder);
    const loaded = await loadModelAs(folder, ENCODER);
    usePrecision(loaded.model, 'f32', { frozen: true });
    return new TextEmbedder(loaded, modules, options);
  }

  /** Length of a vector. */
  get width(): number {
    const { pooling, dense } = this.modules;
    return dense.at(-1)?.weight.shape[0] ?? pooling.length * this.loaded.model.config.hiddenSize;
  }

  private get tokenizer(): Tokenizer {
    return this.loaded.tokenizer;
  }

  /** Vectors of texts, in their order. */
  async embed(texts: readonly string[]): Promise<Embedding[]> {
    const readings = texts.map((text) => this.read(text));
    const order = readings.map((_, i) => i).sort((a, b) => readings[a].ids.length - readings[b].ids.length || a - b);
    const found = new Array<Embedding>(texts.length);
    for (const places of this.batches(order, readings)) {
      const vectors = await this.encode(places.map((place) => readings[place].ids));
      for (const [i, place] of places.entries()) {
        const { ids, cut } = readings[place];
        found[place] = { vector: vectors[i], tokens: ids.length, cut };
      }
    }
    return found;
  }

  /** Vectors of any number of texts, in their order, a window of them in memory at a time. */
  async *stream<T>(
    items: AsyncIterable<T> | Iterable<T>,
    textOf: (item: T) => string,
    window = WINDOW,
  ): AsyncGenerator<[item: T, embedding: Embedding]> {
    let held: T[] = [];
    for await (const item of items) {
      held.push(item);
      if (held.length < window) continue;
      yield* await this.pairs(held, textOf);
      held = [];
    }
    yield* await this.pairs(held, textOf);
  }

  /** Gives the memory back. */
  dispose(): void {
    this.loaded.model.dispose();
  }

  private async pairs<T>(items: readonly T[], textOf: (item: T) => string): Promise<[T, Embedding][]> {
    const embedded = await this.embed(items.map(textOf));
    return items.map((item, i) => [item, embedded[i]]);
  }

  private read(text: string): Reading {
    const { lowercase, prompt } = this.modules;
    const whole = this.tokenizer.encode(prompt + (lowercase ? text.toLowerCase() : text)).ids;
    const cut = Math.max(0, whole.length - this.maxSeq);
    if (cut === 0) return { ids: whole, cut };
    return { ids: [...whole.slice(0, this.maxSeq - 1), this.tokenizer.vocab.sep], cut };
  }

  /** Texts of about one length together, so that the last batch is not the one with all the long ones. */
  private *batches(order: readonly number[], readings: readonly Reading[]): Generator<number[]> {
    let places: number[] = [];
    let tokens = 0;
    for (const place of order) {
      const more = readings[place].ids.length;
      if (tokens + more > this.tokensPerBatch && places.length > 0) {
        yield places;
        [places, tokens] = [[], 0];
      }
      places.push(place);
      tokens += more;
    }
    if (places.length > 0) yield places;
  }

  private async encode(sequences: readonly number[][]): Promise<Float32Array[]> {
    const input = packSequences(sequences);
    const { model } = this.loaded;
    const [values] = await inferred(model, model.bert, 'hidden', input, (pass) => [
      model.bert.encode(input, pass).hidden,
    ]); // [rows, hidden]
    return sequences.map((_, i) => this.vectorOf(values, input, i));
  }

  private vectorOf(values: ArrayLike<number>, { offsets }: BertInput, sequence: number): Float32Array {
    const { pooling, dense, normalize } = this.modules;
    const width = this.loaded.model.config.hiddenSize;
    let vector = poolRows({ values, width, start: offsets[sequence], end: offsets[sequence + 1] }, pooling);
    for (const layer of dense) vector = applyDense(vector, layer);
    return Float32Array.from(normalize ? toUnit(vector) : vector);
  }
}

import { join } from 'node:path';
import type { BertConfig } from '../bert/config.js';
import { BertForPreTraining } from '../bert/pretraining.js';
import { type NewWord, WordCounter, withWords } from '../data/new-words.js';
import type { ColumnRequest } from '../data/tasks/columns.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { readDocuments } from '../io/corpus.js';
import { disk, writeFileAtomic } from '../io/files.js';
import { loadModelFolder } from '../io/model-folder.js';
import type { TensorData } from '../io/safetensors.js';
import { readTable } from '../io/table.js';
import type { RunEnd } from './events.js';
import { modelFrom } from './model-folder.js';
import type { Intervals, PretrainOptions } from './options.js';
import { type Prepared, prepareCorpus } from './prepare.js';
import { beginRun, type Surroundings } from './pretrain.js';
import { requirePositions } from './tasks/folder.js';
import { withKind } from './tasks/kinds.js';
import type { TaskKind } from './tasks/task.js';
import { setWeights, type WeightReport, weightsOf } from './weights.js';

/** What a model is adapted to: the text of a domain, or the text of a task's own examples, whose labels are not read. */
export type AdaptSource =
  | { readonly corpus: readonly string[]; readonly column: string }
  | { readonly task: string; readonly kind: TaskKind; readonly columns: ColumnRequest };

export interface AdaptRequest {
  /** A run, a checkpoint or a model folder. */
  readonly base: string;
  readonly source: AdaptSource;
  /** The run; what it learns from lies beside it, in `<folder>.data`. */
  readonly folder: string;
  /** Most words to add to the vocabulary; 0: none. */
  readonly addWords: number;
  /** @param tokens of the text */
  optionsFor(config: BertConfig, tokens: number): PretrainOptions;
  intervalsFor(options: PretrainOptions): Intervals;
  readonly maxSeconds: number;
}

/** Told of what an adaptation begins with. */
export interface AdaptAround extends Surroundings {
  prepared(about: { prepared: Prepared; words: readonly NewWord[] } & WeightReport): void;
}

/** A model as weights that can be put into another, with the tokenizer that belongs to them. */
interface Start extends WeightReport {
  readonly config: BertConfig;
  readonly tokenizer: Tokenizer;
  readonly weights: ReadonlyMap<string, TensorData>;
}

const isEncoder = (name: string): boolean => /^bert\.(embeddings|encoder)\./.test(name);
const WORD_TABLE = 'bert.embeddings.word_embeddings.weight';
const DECODER_BIAS = 'cls.predictions.bias';

async function openStart(path: string): Promise<Start> {
  const { model, tokenizer, missing, unused } = modelFrom(await loadModelFolder(path), {
    make: (config, init) => new BertForPreTraining(config, { init }),
    optional: (name) => !isEncoder(name),
  });
  const weights = await weightsOf(model);
  const { config } = model;
  model.dispose();
  return { config, tokenizer, weights, missing, unused };
}

/** The rows of a table, and below them, for each new word, the mean of the rows of its pieces. */
function extended({ shape, data }: TensorData, before: number, words: readonly NewWord[]): TensorData {
  const width = shape.length === 1 ? 1 : shape[1];
  const rows = Math.max(shape[0], before + words.length);
  const out = new Float32Array(rows * width);
  out.set(data);
  for (const [w, { pieces }] of words.entries()) {
    const row = (before + w) * width;
    for (let i = 0; i < width; i++) {
      out[row + i] = pieces.reduce((sum, piece) => sum + data[piece * width + i], 0) / pieces.length;
    }
  }
  return { shape: shape.length === 1 ? [rows] : [rows, width], data: out };
}

/** The same model with words added, each beginning as the mean of its pieces (decoder bias included). */
function withNewWords(start: Start, words: readonly NewWord[]): Start {
  if (words.length === 0) return start;
  const before = start.tokenizer.vocab.size;
  const weights = new Map(start.weights);
  for (const name of [WORD_TABLE, DECODER_BIAS]) {
    const table = weights.get(name);
    if (table !== undefined) weights.set(name, extended(table, before, words));
  }
  const vocabSize = Math.max(start.config.vocabSize, before + words.length);
  return { ...start, config: { ...start.config, vocabSize }, tokenizer: withWords(start.tokenizer, words), weights };
}

/** Writes the text of a task's examples as a corpus: a document an example, a sentence a line. */
async function taskCorpus(
  { task, kind, columns }: Extract<AdaptSource, { task: string }>,
  tokenizer: Tokenizer,
  path: string,
): Promise<void> {
  const texts = await withKind(kind, async (of) => {
    const whole = kind === 'tag' || kind === 'qa';
    const read = whole
      ? await of.read(task, { columns, multiLabel: false })
      : of.parse(await readTable(task), columns, tokenizer);
    return read.examples.map((example) => of.texts(example));
  });
  const line = (text: string): string => text.replace(/\s+/g, ' ').trim();
  const documents = texts.map((parts) =>
    parts
      .map(line)
      .filter((text) => text !== '')
      .join('\n'),
  );
  await writeFileAtomic(path, `${documents.filter((text) => text !== '').join('\n\n')}\n`);
}

async function wordsToAdd(
  paths: readonly string[],
  column: string,
  tokenizer: Tokenizer,
  most: number,
): Promise<NewWord[]> {
  if (most === 0) return [];
  const counter = new WordCounter(tokenizer);
  for await (const { lines } of readDocuments(paths, { column })) for (const text of lines) counter.add(text);
  return counter.best(most);
}

/** The text as shards beside the run, and the model as it begins: with new words, where they are asked for. */
async function startOf(request: AdaptRequest, around: AdaptAround): Promise<{ start: Start; prepared: Prepared }> {
  const { source, folder } = request;
  const base = await openStart(request.base);
  const data = `${folder}.data`;
  await disk.makeFolder(data);
  const isTask = 'task' in source;
  const corpus = isTask ? [join(data, 'task.txt')] : source.corpus;
  const column = isTask ? 'text' : source.column;
  if (isTask) await taskCorpus(source, base.tokenizer, corpus[0]);
  const words = await wordsToAdd(corpus, column, base.tokenizer, request.addWords);
  const start = withNewWords(base, words);
  const prepared = await prepareCorpus({
    ...{ corpus, column, tokenizer: start.tokenizer, folder: join(data, 'shards'), overwrite: true },
    ...{ sentences: isTask ? 'lines' : 'auto', language: 'auto' },
  });
  around.prepared({ prepared, words, missing: start.missing, unused: start.unused });
  return { start, prepared };
}

/**
 * Goes on with the pre-training of a model on other text: of a domain (DAPT) or of a task (TAPT; Gururangan et al. 2020,
 * arXiv:2004.10964). Masked words only. The run is one of `pretrain`, and goes on by its `--resume`.
 * @throws every error of model, corpus, options and folder
 */
export async function adapt(request: AdaptRequest, around: AdaptAround): Promise<RunEnd> {
  const { start, prepared } = await startOf(request, around);
  const options = request.optionsFor(start.config, prepared.shards.corpus.ids.length);
  requirePositions(options.maxSeq, start.config);
  const optional = (name: string): boolean => !isEncoder(name);
  return await beginRun(
    {
      folder: request.folder,
      shards: join(`${request.folder}.data`, 'shards'),
      configFor: () => start.config,
      optionsFor: () => options,
      samples: [],
      intervals: request.intervalsFor(options),
      maxSeconds: request.maxSeconds,
      initialize: (model) => void setWeights(model, start.weights, request.base, { optional }),
    },
    around,
  );
}

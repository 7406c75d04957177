import type { DataCard } from '../data/card.js';
import { PretrainDataset } from '../data/dataset.js';
import { documentCount, type SentenceTask } from '../data/document.js';
import { icuWords, SentenceEncoder } from '../data/segment.js';
import { documentSentences, type Language, type SentenceMode, sentenceSplitter } from '../data/sentences.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { tokenizerConfigJson } from '../data/tokenizer-config.js';
import { readDocuments } from '../io/corpus.js';
import { englishSplitter } from '../io/corpus-sentences.js';
import { openShards, type Shards } from '../io/shards.js';
import { ShardsWriter } from '../io/shards-writer.js';

export interface PrepareRequest {
  /** Files, folders, patterns; "-" is the standard input. */
  readonly corpus: readonly string[];
  readonly tokenizer: Tokenizer;
  /** Where the shards go. */
  readonly folder: string;
  readonly sentences: SentenceMode;
  readonly language: Language;
  /** Column of JSONL and Parquet. Default "text". */
  readonly column?: string;
  /** Replaces shards that are there. */
  readonly overwrite?: boolean;
  /** Told of bytes read, now and then. */
  onBytes?(bytes: number): void;
}

export interface Prepared {
  readonly shards: Shards;
  /** Of the shards as `pretrain` would take them by default. */
  readonly card: DataCard;
  /** Task of the card: next sentence, or none where a single document allows none. */
  readonly sentenceTask: SentenceTask;
  /** Bytes of text, packed ones as they are packed. */
  readonly bytes: number;
  /** Documents, or parts of long ones, whose lines were cut into sentences. */
  readonly cutDocuments: number;
  readonly splitter: string;
  /** Share of tokens that stand beyond the reach of a sequence, in sentences longer than it. */
  readonly beyondShare: number;
}

/** Sequences that the card describes. */
export const CARD_SEQ = 128;

/**
 * Turns a corpus into shards: reads it as a stream, cuts it into sentences and ids, marks words, writes, and opens the
 * result again, which checks it.
 * @throws {DataError}, {InputError}, {OutputError}, {IoError}; nothing is left behind then
 */
export async function prepareCorpus(request: PrepareRequest): Promise<Prepared> {
  const { tokenizer, folder, overwrite = false } = request;
  const { vocab } = tokenizer;
  const english = await englishSplitter();
  const source = {
    vocab: { text: vocab.toText(), sha256: vocab.hash, size: vocab.size },
    tokenizerConfig: tokenizerConfigJson(tokenizer),
  };
  const writer = await ShardsWriter.create(folder, source, { overwrite });
  try {
    const read = await encode(request, english.split, writer);
    await writer.finish({
      sentences: request.sentences,
      language: request.language,
      splitter: read.cutDocuments > 0 ? english.name : null,
      words: `Intl.Segmenter zh, ICU ${process.versions.icu ?? 'unknown'}`,
    });
    const shards = await openShards(folder);
    const sentenceTask = documentCount(shards.corpus) > 1 ? 'nsp' : 'none';
    const options = { vocab, seed: 0, batch: 1, maxSeq: CARD_SEQ, sentenceTask } as const;
    const { card } = new PretrainDataset(shards.corpus, options);
    return { shards, card, sentenceTask, ...read, splitter: english.name, beyondShare: beyond(shards) };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function encode(
  { corpus, column, tokenizer, sentences: mode, language, onBytes }: PrepareRequest,
  english: (paragraph: string) => string[],
  writer: ShardsWriter,
): Promise<{ bytes: number; cutDocuments: number }> {
  const split = sentenceSplitter(language, english);
  const encoder = new SentenceEncoder(tokenizer, icuWords());
  const read = { bytes: 0, cutDocuments: 0 };
  const count = (bytes: number): void => {
    read.bytes += bytes;
    onBytes?.(read.bytes);
  };
  const options = { onBytes: count, ...(column === undefined ? {} : { column }) };
  for await (const document of readDocuments(corpus, options)) {
    if (!document.continued) await writer.endDocument();
    const { sentences, cut } = documentSentences(document.lines, document.sentences ? 'lines' : mode, split);
    if (cut) read.cutDocuments++;
    for (const sentence of sentences) {
      const { ids, starts } = encoder.encode(sentence);
      writer.sentence(ids, starts);
    }
  }
  return read;
}

function beyond({ corpus: { sentenceStarts, ids } }: Shards): number {
  let tokens = 0;
  for (let s = 1; s < sentenceStarts.length; s++) {
    tokens += Math.max(0, sentenceStarts[s] - sentenceStarts[s - 1] - (CARD_SEQ - 3));
  }
  return tokens / ids.length;
}

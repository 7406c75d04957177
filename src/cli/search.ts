import { Command } from 'commander';
import { readTextRecords, type TextRecord } from '../io/text-records.js';
import { type Match, searchTexts } from '../train/search.js';
import type { TextEmbedder } from '../train/text-embedder.js';
import { addEmbedOptions, type EmbedFlags, openEmbedder, recordOptions } from './embed.js';
import { printable } from './errors.js';
import { MODEL_ARGUMENT } from './model.js';
import { wholeNumber } from './options.js';
import { clip, share } from './ui.js';

const EXAMPLES = `
Examples:
  bertgrad search models/minilm "a cat on a rug" texts.txt
  bertgrad search models/minilm "a cat on a rug" vectors.jsonl --top 3      vectors that embed wrote are used as they are
  cat texts.txt | bertgrad search models/minilm "a cat on a rug" - --json`;

interface Flags extends EmbedFlags {
  readonly top: number;
  readonly json?: boolean;
}

/** `bertgrad search <model> <query> <file>` */
export function searchCommand(): Command {
  const command = new Command('search')
    .description('Find the texts of a file that are most like a query, by the cosine of their vectors.')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('<query>', 'what to look for')
    .argument('<file>', 'a text or a JSON object a line; "-": the standard input')
    .option('--top <n>', 'how many to show', wholeNumber(1, 10_000), 5)
    .option('--json', 'a JSON object a match')
    .addHelpText('after', EXAMPLES);
  return addEmbedOptions(command).action(search);
}

async function search(name: string, query: string, file: string, flags: Flags): Promise<void> {
  const embedder = await openEmbedder(name, flags);
  const found = await searchTexts(embedder, query, readTextRecords(file, recordOptions(flags)), {
    top: flags.top,
    textOf: ({ text }) => text,
    stored: (item) => storedVector(item, embedder),
  });
  for (const match of found) process.stdout.write(`${flags.json ? asJson(match) : asLine(match)}\n`);
  embedder.dispose();
}

/** The vector that a record brings along, if it is one of this width. */
function storedVector({ record }: TextRecord, embedder: TextEmbedder): number[] | null {
  const vector = record?.embedding;
  if (!Array.isArray(vector) || vector.length !== embedder.width) return null;
  return vector.every((value) => typeof value === 'number') ? vector : null;
}

function asJson({ item: { line, text, record }, score }: Match<TextRecord>): string {
  const { embedding, ...rest } = record ?? { text };
  return JSON.stringify({ score: Number(score.toFixed(6)), line, ...rest });
}

function asLine({ item: { line, text }, score }: Match<TextRecord>): string {
  const columns = process.stdout.isTTY ? (process.stdout.columns ?? 100) : Number.POSITIVE_INFINITY;
  return clip(
    `${score < 0 ? '-' : ' '}${share(Math.abs(score))}  ${`${line}`.padStart(6)}  ${printable(text)}`,
    columns,
  );
}

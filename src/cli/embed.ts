import { once } from 'node:events';
import { Command, Option } from 'commander';
import { type DataError, UsageError } from '../core/errors.js';
import { POOLINGS, type Pooling } from '../io/sentence-modules.js';
import { readTextRecords, type TextRecord } from '../io/text-records.js';
import { type Embedding, type EmbedOptions, TextEmbedder } from '../train/text-embedder.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { describeError, formatMessage } from './errors.js';
import { MODEL_ARGUMENT, openFolder, tellOf } from './model.js';
import { positiveInt, wholeNumber } from './options.js';
import { addPrecisionOption, type PrecisionFlags, prepareFor } from './precision.js';

const EXAMPLES = `
Examples:
  bertgrad embed models/minilm "a text" "another"          a JSON object a line
  bertgrad embed models/minilm < texts.txt > vectors.jsonl   a filter: a line in, a line out, in order
  bertgrad embed models/minilm --file reviews.jsonl --column review

A folder of sentence-transformers is used as its modules.json says; of any other BERT the mean over the tokens is taken.`;

/** How vectors are made, for embed and search. */
export interface EmbedFlags extends BackendFlags, PrecisionFlags {
  readonly pooling?: Pooling;
  readonly normalize?: boolean;
  readonly maxSeq?: number;
  readonly prompt?: string;
  readonly format: 'auto' | 'text' | 'jsonl';
  readonly column: string;
  readonly skipBad?: boolean;
}

interface Flags extends EmbedFlags {
  readonly file?: string;
  readonly window: number;
}

/** Adds what embed and search have in common. */
export function addEmbedOptions(command: Command): Command {
  command
    .addOption(
      new Option('--pooling <way>', "how one vector is made of a text's (default: as the model says)").choices(
        POOLINGS,
      ),
    )
    .option('--normalize', 'scale vectors to length 1, whatever the model says')
    .option('--no-normalize', 'leave their length')
    .option('--max-seq <n>', 'tokens of a text that are read (default: as the model says)', wholeNumber(3, 100_000))
    .option('--prompt <text>', 'set before each text (default: as the model says)')
    .addOption(new Option('--format <form>', 'what the lines are').choices(['auto', 'text', 'jsonl']).default('auto'))
    .option('--column <key>', 'key of the text in JSONL', 'text')
    .option('--skip-bad', 'report lines that are no records and go on, instead of ending');
  return addBackendOptions(addPrecisionOption(command));
}

/** `bertgrad embed <model> [text...]` */
export function embedCommand(): Command {
  const command = new Command('embed')
    .description('Turn texts into vectors: near ones mean near texts.')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('[text...]', 'texts; none: lines of the file or of the standard input')
    .option('--file <file>', 'a text or a JSON object a line')
    .option('--window <n>', 'texts that are read ahead and sorted by length', positiveInt, 1024)
    .addHelpText('after', EXAMPLES);
  return addEmbedOptions(command).action(embed);
}

async function embed(name: string, texts: readonly string[], flags: Flags): Promise<void> {
  if (texts.length === 0 && flags.file === undefined && process.stdin.isTTY) {
    throw new UsageError('no text to embed', {
      code: 'USAGE',
      fix: 'give one in quotes, a file, or lines on the standard input',
    });
  }
  const embedder = await openEmbedder(name, flags);
  const items =
    texts.length > 0
      ? texts.map((text, i): TextRecord => ({ line: i + 1, text, record: null }))
      : readTextRecords(flags.file ?? '-', recordOptions(flags));
  const cut = new CutTexts();
  for await (const [item, embedding] of embedder.stream(items, ({ text }) => text, flags.window)) {
    cut.count(item, embedding);
    const line = { ...(item.record ?? { text: item.text }), embedding: Array.from(embedding.vector, shortest) };
    if (!process.stdout.write(`${JSON.stringify(line)}\n`)) await once(process.stdout, 'drain');
  }
  cut.tell();
  embedder.dispose();
}

/** Opens the model of a command, with its options. */
export async function openEmbedder(name: string, flags: EmbedFlags): Promise<TextEmbedder> {
  await chooseBackend(flags, name);
  const { pooling, normalize, maxSeq, prompt } = flags;
  const options: EmbedOptions = {
    ...(pooling === undefined ? {} : { pooling: [pooling] }),
    ...(normalize === undefined ? {} : { normalize }),
    ...(maxSeq === undefined ? {} : { maxSeq }),
    ...(prompt === undefined ? {} : { prompt }),
  };
  const embedder = await TextEmbedder.load(await openFolder(name), options);
  tellOf({ ...embedder.loaded, missing: [] }); // the pooler, which is not used
  prepareFor(embedder.loaded.model, flags);
  return embedder;
}

export const recordOptions = ({ format, column, skipBad }: EmbedFlags) => ({
  format,
  column,
  onBad: (error: DataError): void => {
    if (skipBad !== true) throw error;
    process.stderr.write(describeError(error).text.replace(/^error/, 'warning'));
  },
});

/** Texts that were longer than what is read, for one warning at the end. */
export class CutTexts {
  private texts = 0;
  private tokens = 0;
  private first = 0;

  count({ line }: { readonly line: number }, { cut }: Embedding): void {
    if (cut === 0) return;
    if (this.texts++ === 0) this.first = line;
    this.tokens += cut;
  }

  tell(): void {
    if (this.texts === 0) return;
    const which = this.texts === 1 ? `the text of line ${this.first} was` : `${this.texts} texts were`;
    const where = this.texts === 1 ? '' : `; the first stands on line ${this.first}`;
    const what = `${which} cut, ${this.tokens} tokens in all${where}`;
    process.stderr.write(formatMessage('warning', 'DATA-CUT', what, { fix: 'a larger --max-seq, or shorter texts' }));
  }
}

/** The fewest digits that give the same float32. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

import { Command, Option } from 'commander';
import type { Language, SentenceMode } from '../data/sentences.js';
import { listCorpus } from '../io/corpus-files.js';
import { type Prepared, type PrepareRequest, prepareCorpus } from '../train/prepare.js';
import { formatMessage } from './errors.js';
import { loadTokenizer } from './load-tokenizer.js';
import { cardJson, cardText, warnings } from './prepare-card.js';
import { bytes as bytesText, isLive, percent, time } from './ui.js';

const EXAMPLES = `
Examples:
  bertgrad prepare corpus.txt --vocab vocab.txt -o shards
  bertgrad prepare books/ 'news/*.txt.gz' --vocab vocab.txt -o shards
  bertgrad prepare wiki.parquet --column content --vocab vocab.txt -o shards
  zcat dump.txt.gz | bertgrad prepare - --vocab vocab.txt -o shards

A corpus is .txt (a sentence or a paragraph a line, blank lines between documents), .jsonl or .parquet (a document a row,
a text or a list of sentences in one column), each also as .gz; folders and patterns stand for the files in them.`;

interface Flags {
  readonly vocab: string;
  readonly output: string;
  readonly cased?: boolean;
  readonly sentences: SentenceMode;
  readonly lang: Language;
  readonly column: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** `bertgrad prepare <corpus...>` */
export function prepareCommand(): Command {
  return new Command('prepare')
    .description('Turn a corpus into shards of ids, ready to train on, and say what it is like.')
    .argument('<corpus...>', 'files, folders, patterns; - reads the standard input')
    .requiredOption('--vocab <file>', 'a vocab.txt, such as `bertgrad vocab` makes')
    .requiredOption('-o, --output <folder>', 'where the shards go')
    .option('--cased', 'keep case and accents (default: as tokenizer_config.json beside the vocabulary says, else not)')
    .addOption(
      new Option('--sentences <how>', 'lines: one a line; split: cut paragraphs; auto: look at each document')
        .choices(['auto', 'lines', 'split'])
        .default('auto'),
    )
    .addOption(new Option('--lang <code>', 'whose rules end a sentence').choices(['auto', 'en', 'zh']).default('auto'))
    .option('--column <name>', 'column of JSONL and Parquet that holds the text', 'text')
    .option('--overwrite', 'replace shards that are there')
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', EXAMPLES)
    .action(prepare);
}

async function prepare(corpus: readonly string[], flags: Flags): Promise<void> {
  const tokenizer = await loadTokenizer(flags.vocab, flags.cased === true);
  const { column, sentences, lang: language, output: folder, overwrite = false } = flags;
  const began = performance.now();
  const prepared = await watched({ corpus, tokenizer, folder, sentences, language, column, overwrite });
  const seconds = (performance.now() - began) / 1000;
  for (const { code, what, fix } of warnings(prepared, tokenizer)) {
    process.stderr.write(formatMessage('warning', code, what, { fix }));
  }
  const about = { folder, tokenizer, seconds };
  process.stdout.write(flags.json ? `${cardJson(prepared, about)}\n` : cardText(prepared, about));
}

/** Shows how far it is, where somebody looks on. */
async function watched(request: PrepareRequest): Promise<Prepared> {
  if (!isLive(process.stderr)) return await prepareCorpus(request);
  const total = (await listCorpus(request.corpus)).reduce((sum, { bytes }) => sum + bytes, 0);
  const began = performance.now();
  let shown = 0;
  const onBytes = (bytes: number): void => {
    const seconds = (performance.now() - began) / 1000;
    if (seconds - shown < 0.2) return;
    shown = seconds;
    const left = total > 0 ? `  ${percent(bytes / total)}  ${time((seconds * (total - bytes)) / bytes)} left` : '';
    process.stderr.write(`\r\x1b[Kprepare  ${bytesText(bytes)}${left}  ${bytesText(bytes / seconds)}/s`);
  };
  try {
    return await prepareCorpus({ ...request, onBytes });
  } finally {
    process.stderr.write('\r\x1b[K');
  }
}

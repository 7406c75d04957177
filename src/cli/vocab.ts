import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { OutputError } from '../core/errors.js';
import { tokenizerConfigJson } from '../data/tokenizer-config.js';
import type { Dialect } from '../data/unicode.js';
import { type TrainResult, trainOnCounts } from '../data/wordpiece-train.js';
import type { Rule } from '../data/wordpiece-train-score.js';
import { WordCounter } from '../data/wordpiece-train-words.js';
import { readDocuments } from '../io/corpus.js';
import { disk, readTextFile, writeFileAtomic } from '../io/files.js';
import { systemError } from '../io/system-errors.js';
import { formatMessage } from './errors.js';
import { CONFIG_NAME } from './load-tokenizer.js';
import { positiveInt, wholeNumber } from './options.js';
import { bytes as bytesText, isLive, pad, percent } from './ui.js';

const EXAMPLES = `
Examples:
  bertgrad vocab corpus.txt -o vocab.txt --size 8000
  bertgrad vocab books/ 'news/*.txt.gz' -o vocab.txt --cased
  bertgrad vocab wiki.parquet --column content -o vocab.txt --limit-alphabet 6000
  zcat dump.txt.gz | bertgrad vocab - -o vocab.txt

Chinese needs an entry for each character: some thousands. Beside the vocabulary goes a ${CONFIG_NAME} that tells the
other commands about case. The same corpus always gives the same vocabulary.`;

interface Flags {
  readonly output: string;
  readonly size: number;
  readonly cased?: boolean;
  readonly minFrequency: number;
  readonly limitAlphabet?: number;
  readonly rule: Rule;
  readonly unused: number;
  readonly dialect: Dialect;
  readonly column: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** What was read. */
interface Corpus {
  readonly counter: WordCounter;
  readonly documents: number;
  readonly lines: number;
  readonly bytes: number;
}

/** `bertgrad vocab <corpus...>` */
export function vocabCommand(): Command {
  return new Command('vocab')
    .description('Train a WordPiece vocabulary on a corpus.')
    .argument('<corpus...>', 'files, folders, patterns; - reads the standard input')
    .requiredOption('-o, --output <file>', 'where the vocabulary goes, a token a line')
    .option('--size <n>', 'entries of the vocabulary, the five special tokens among them', wholeNumber(6, 1e6), 8000)
    .option('--cased', 'keep case and accents (default: lower case, no accents)')
    .option('--min-frequency <n>', 'do not join two pieces that meet less often', positiveInt, 2)
    .option('--limit-alphabet <n>', 'keep the n most frequent characters; others become [UNK]', positiveInt)
    .addOption(
      new Option('--rule <name>', 'join what meets most often, or what makes the text likeliest')
        .choices(['frequency', 'likelihood'])
        .default('frequency'),
    )
    .option('--unused <n>', 'spare entries [unused0] ... for later', wholeNumber(0, 1e5), 0)
    .addOption(new Option('--dialect <name>', 'whose rules cut words').choices(['hf', 'google']).default('hf'))
    .option('--column <name>', 'column of JSONL and Parquet that holds the text', 'text')
    .option('--overwrite', 'replace a vocabulary that is there')
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', EXAMPLES)
    .action(trainVocab);
}

async function trainVocab(paths: readonly string[], flags: Flags): Promise<void> {
  const { output, size, dialect, rule, minFrequency, limitAlphabet, unused } = flags;
  const began = performance.now();
  const tokenizer = { lowercase: flags.cased !== true, dialect };
  const config = `${JSON.stringify(tokenizerConfigJson(tokenizer), null, 2)}\n`;
  const configPath = join(dirname(output), CONFIG_NAME);
  await requireWritable(output);
  if (flags.overwrite !== true) await requireFree(output, configPath, config);
  const show = progress();
  const corpus = await countWords(paths, new WordCounter(tokenizer), flags.column, (bytes) => {
    show(`reading  ${bytesText(bytes)}`);
  });
  const limit = limitAlphabet === undefined ? {} : { limitAlphabet };
  const result = trainOnCounts(corpus.counter.result(), {
    ...{ ...tokenizer, ...limit, size, rule, minFrequency, unused },
    onProgress: (made) => show(`joining  ${made} of ${size}`),
  });
  show('');
  await writeFileAtomic(configPath, config); // first, so that a vocabulary never stands there without its case
  await writeFileAtomic(output, result.vocab.toText());
  if (!result.complete) process.stderr.write(tooFew(result, flags));
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(flags.json ? json(result, corpus, flags, seconds) : report(result, corpus, flags, seconds));
}

/** Finds out before any work whether a file can stand there; makes the folders above it. */
async function requireWritable(output: string): Promise<void> {
  try {
    await disk.makeFolder(dirname(output));
    await access(dirname(output), constants.W_OK);
  } catch (error) {
    throw systemError(error, output, 'write');
  }
  if (!(await stat(output).catch(() => null))?.isDirectory()) return;
  throw new OutputError(`${output}: is a folder`, {
    code: 'OUTPUT-FOLDER',
    fix: `name a file in it: -o ${join(output, 'vocab.txt')}`,
  });
}

/** Refuses what would replace a vocabulary, or change the case that another one is read with. */
async function requireFree(output: string, configPath: string, config: string): Promise<void> {
  if ((await stat(output).catch(() => null)) !== null) {
    throw new OutputError(`${output}: it is there already`, {
      code: 'OUTPUT-EXISTS',
      fix: 'name another file, or replace it: --overwrite (shards made with it will not fit the new one)',
    });
  }
  if (!(await disk.list(dirname(output))).includes(CONFIG_NAME)) return;
  if ((await readTextFile(configPath)) === config) return;
  throw new OutputError(`${configPath}: belongs to another vocabulary, and says otherwise about case`, {
    code: 'OUTPUT-EXISTS',
    fix: 'give each vocabulary a folder, or replace the file: --overwrite',
  });
}

async function countWords(
  paths: readonly string[],
  counter: WordCounter,
  column: string,
  onBytes: (sum: number) => void,
): Promise<Corpus> {
  const sums = { documents: 0, lines: 0, bytes: 0 };
  const options = {
    column,
    onBytes: (bytes: number): void => {
      sums.bytes += bytes;
      onBytes(sums.bytes);
    },
  };
  for await (const { lines, continued } of readDocuments(paths, options)) {
    for (const line of lines) counter.add(line);
    sums.lines += lines.length;
    if (!continued) sums.documents++;
  }
  return { counter, ...sums };
}

/** Writes a line over the last one, five times a second, where somebody looks on; '' clears it. */
function progress(): (text: string) => void {
  if (!isLive(process.stderr)) return () => undefined;
  let shown = performance.now();
  return (text) => {
    if (text !== '' && performance.now() - shown < 200) return;
    shown = performance.now();
    process.stderr.write(`\r\x1b[K${text}`);
  };
}

const tooFew = ({ vocab }: TrainResult, { size, minFrequency, limitAlphabet }: Flags): string =>
  formatMessage('warning', 'VOCAB-SHORT', `the corpus gives ${vocab.size} entries, not ${size}`, {
    fix: `more text gives more${minFrequency > 1 ? '; so does --min-frequency 1' : ''}${
      limitAlphabet === undefined ? '' : '; so does a higher --limit-alphabet'
    }`,
  });

/** A share of which little must not look like nothing. */
const small = (x: number): string => (x === 0 ? 'none' : x < 0.0005 ? 'less than 0.1 %' : percent(x));

function report(result: TrainResult, corpus: Corpus, flags: Flags, seconds: number): string {
  const { vocab, words, wordTypes, characters, droppedCharacters: dropped, pieces, unknown } = result;
  const rows: readonly (readonly [string, string])[] = [
    ['corpus', `${corpus.documents} documents, ${corpus.lines} lines, ${words} words, ${wordTypes} of them distinct`],
    ['characters', `${characters}${dropped > 0 ? `, ${dropped} of them dropped as rare` : ''}`],
    ['vocabulary', `${vocab.size} entries, ${flags.cased ? 'cased' : 'uncased'}, SHA-256 ${vocab.hash.slice(0, 12)}`],
    ['on this text', `${(pieces / words).toFixed(2)} pieces a word, ${small(unknown / pieces)} of them [UNK]`],
    ['written', `${flags.output}, and ${CONFIG_NAME} beside it`],
    ['took', `${seconds.toFixed(1)} s for ${bytesText(corpus.bytes)} of files`],
  ];
  return rows.map(([name, what]) => `${pad(name, 14)}${what}\n`).join('');
}

function json(result: TrainResult, corpus: Corpus, flags: Flags, seconds: number): string {
  const { vocab, ...figures } = result;
  const { documents, lines, bytes } = corpus;
  return `${JSON.stringify({
    ...{ output: flags.output, size: vocab.size, sha256: vocab.hash, lowercase: flags.cased !== true },
    ...{ rule: flags.rule, documents, lines, bytes },
    ...figures,
    unknownShare: result.unknown / result.pieces,
    seconds,
  })}\n`;
}

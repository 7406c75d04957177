import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { Command } from 'commander';
import { UsageError } from '../core/errors.js';
import type { Encoding, Tokenizer } from '../data/tokenizer.js';
import { readLines } from '../io/corpus-lines.js';
import { systemError } from '../io/system-errors.js';
import { printable } from './errors.js';
import { loadTokenizer } from './load-tokenizer.js';
import { pad, width } from './ui.js';

const EXAMPLES = `
Examples:
  bertgrad tokenize --vocab vocab.txt "unaffable"            pieces over their ids
  bertgrad tokenize --vocab vocab.txt --file corpus.txt      a line of pieces for each line
  bertgrad tokenize --vocab vocab.txt --ids < corpus.txt     a line of ids for each line
  bertgrad tokenize --vocab vocab.txt --json "[MASK]" "我爱"  a JSON object for each text

Case is kept or not as the tokenizer_config.json beside the vocabulary says, or --cased; without both it is not.`;

interface Flags {
  readonly vocab: string;
  readonly file?: string;
  readonly cased?: boolean;
  readonly ids?: boolean;
  readonly json?: boolean;
  /** False with --no-specials. */
  readonly specials: boolean;
}

/** `bertgrad tokenize [text...]` */
export function tokenizeCommand(): Command {
  return new Command('tokenize')
    .description('Show how texts are cut into pieces, and the ids of these.')
    .argument('[text...]', 'texts; none: lines of the file or the standard input')
    .requiredOption('--vocab <file>', 'a vocab.txt')
    .option('--file <file>', 'take the lines of a file')
    .option('--cased', 'keep case and accents')
    .option('--ids', 'ids alone, with blanks between')
    .option('--json', 'a JSON object a text')
    .option('--no-specials', 'without [CLS] and [SEP] at the ends')
    .addHelpText('after', EXAMPLES)
    .action(tokenize);
}

async function tokenize(texts: readonly string[], flags: Flags): Promise<void> {
  requireOneSource(texts, flags);
  const tokenizer = await loadTokenizer(flags.vocab, flags.cased);
  if (texts.length > 0) {
    for (const [i, text] of texts.entries()) await write(shown(tokenizer, text, flags, i > 0));
    return;
  }
  const lines = flags.file === undefined ? readLines(process.stdin, 'standard input') : linesOf(flags.file);
  for await (const block of lines) {
    await write(block.lines.map((line) => `${filtered(tokenizer, line, flags)}\n`).join(''));
  }
}

function requireOneSource(texts: readonly string[], { file, ids, json }: Flags): void {
  if (texts.length > 0 && file !== undefined) {
    throw new UsageError('texts and --file exclude each other', { code: 'USAGE', fix: 'give one of the two' });
  }
  if (ids && json) {
    throw new UsageError('--ids and --json exclude each other', { code: 'USAGE', fix: 'JSON has the ids too' });
  }
  if (texts.length > 0 || file !== undefined || !process.stdin.isTTY) return;
  throw new UsageError('no text to cut', {
    code: 'USAGE',
    fix: 'give one in quotes, a file with --file, or lines on the standard input',
  });
}

async function* linesOf(path: string): ReturnType<typeof readLines> {
  try {
    yield* readLines(createReadStream(path), path);
  } catch (error) {
    throw systemError(error, path, 'read');
  }
}

/** Waits while the reader is slow. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

function encode(tokenizer: Tokenizer, text: string, { specials }: Flags): Encoding {
  const whole = tokenizer.encode(text);
  if (specials) return whole;
  const [ids, tokenTypeIds, tokens] = [whole.ids, whole.tokenTypeIds, whole.tokens];
  return { ids: ids.slice(1, -1), tokenTypeIds: tokenTypeIds.slice(1, -1), tokens: tokens.slice(1, -1) };
}

/** One text as one line, for other programs. */
function filtered(tokenizer: Tokenizer, text: string, flags: Flags): string {
  const { ids, tokens } = encode(tokenizer, text, flags);
  if (flags.json) return JSON.stringify({ text, tokens, ids });
  return flags.ids ? ids.join(' ') : tokens.map(printable).join(' ');
}

/** One text for people: pieces over their ids, in lines that fit the terminal, and how many there are. */
function shown(tokenizer: Tokenizer, text: string, flags: Flags, follows: boolean): string {
  if (flags.ids || flags.json) return `${filtered(tokenizer, text, flags)}\n`;
  const { ids, tokens } = encode(tokenizer, text, flags);
  const words = tokenizer.pieces(text).continues.filter((continues) => !continues).length;
  const unknown = ids.filter((id) => id === tokenizer.vocab.unk).length;
  const sums = [`${words} word${words === 1 ? '' : 's'}`, `${ids.length} ids`];
  if (unknown > 0) sums.push(`${unknown} [UNK]`);
  return `${follows ? '\n' : ''}${aligned(ids, tokens.map(printable))}${sums.join(', ')}\n`;
}

function aligned(ids: readonly number[], tokens: readonly string[]): string {
  const columns = process.stdout.columns || 100;
  const rows: string[] = [];
  let [upper, lower] = ['', ''];
  const endRow = (): unknown => rows.push(`${upper.trimEnd()}\n${lower.trimEnd()}\n`);
  for (const [i, token] of tokens.entries()) {
    const cell = Math.max(width(token), `${ids[i]}`.length) + 2;
    if (upper !== '' && width(upper) + cell > columns) {
      endRow();
      [upper, lower] = ['', ''];
    }
    upper += pad(token, cell);
    lower += pad(`${ids[i]}`, cell);
  }
  if (upper !== '') endRow();
  return rows.join('');
}

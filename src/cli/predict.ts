import { once } from 'node:events';
import { Command, Option } from 'commander';
import { DataError, UsageError } from '../core/errors.js';
import type { RawRow } from '../core/raw-table.js';
import { fileLines } from '../io/corpus.js';
import { type LoadedTask, withTask } from '../train/tasks/folder.js';
import { answer } from '../train/tasks/infer.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { formatMessage } from './errors.js';
import { openFolder, TASK_MODEL_ARGUMENT, tellOf } from './model.js';
import { positiveInt } from './options.js';
import { addPrecisionOption, type PrecisionFlags, prepareFor } from './precision.js';
import {
  addQaOptions,
  addTextOptions,
  type ColumnFlags,
  columnsOf,
  type QaFlags,
  settingsGiven,
  type TextFlags,
} from './task-options.js';

const EXAMPLES = `
Examples:
  bertgrad predict runs/sentiment "A fine film." "Never again."
  bertgrad predict runs/sentiment < texts.txt                     a text a line, or a pair with a tab between
  bertgrad predict runs/qa < questions.jsonl > answers.jsonl      {"question": "...", "context": "..."} a line
  tail -f log.jsonl | bertgrad predict runs/intent --text message --bad-lines skip

Writes a JSON object a line, in the order of the input, with the line's number. What is read at once is computed at once,
sorted by length and without padding; whoever sends a line and waits gets an answer.`;

interface Flags extends BackendFlags, PrecisionFlags, ColumnFlags, TextFlags, QaFlags {
  readonly file?: string;
  readonly badLines: 'stop' | 'skip';
  readonly window: number;
}

/** `bertgrad predict <model> [text...]` */
export function predictCommand(): Command {
  const command = new Command('predict')
    .description('Let a fine-tuned model answer, as a filter: texts or JSON lines in, JSON lines out.')
    .argument('<model>', TASK_MODEL_ARGUMENT)
    .argument('[text...]', 'texts; none: lines of the file or of the standard input')
    .option('--file <file>', 'take the lines of a file; .gz is unpacked')
    .option('--text <field>', 'field of the text (default: guessed)')
    .option('--pair <field>', 'field of the second text of a pair')
    .addOption(
      new Option('--bad-lines <how>', 'stop at a line that cannot be used, or skip it and say which')
        .choices(['stop', 'skip'])
        .default('stop'),
    )
    .option('--window <n>', 'most lines that are computed together', positiveInt, 1024);
  addTextOptions(command);
  addQaOptions(command);
  return addBackendOptions(addPrecisionOption(command)).addHelpText('after', EXAMPLES).action(predict);
}

async function predict(model: string, texts: readonly string[], flags: Flags): Promise<void> {
  if (texts.length > 0 && flags.file !== undefined) {
    throw new UsageError('texts and --file exclude each other', { code: 'USAGE', fix: 'give one of the two' });
  }
  if (texts.length === 0 && flags.file === undefined && process.stdin.isTTY) {
    throw new UsageError('no text to predict from', {
      code: 'USAGE',
      fix: 'give one in quotes, --file, or lines on the standard input',
    });
  }
  await chooseBackend(flags, model);
  await withTask(await openFolder(model), settingsGiven(flags), (loaded) => {
    tellOf(loaded.notes);
    prepareFor(loaded.model, flags);
    return filter(loaded, texts, flags);
  });
}

async function filter<E, A>(loaded: LoadedTask<E, A>, texts: readonly string[], flags: Flags): Promise<void> {
  if (texts.length > 0) return await answerLines(loaded, texts, 1, 'argument', flags);
  const source = flags.file ?? '-';
  for await (const { lines, first } of fileLines(source)) {
    for (let at = 0; at < lines.length; at += flags.window) {
      const part = lines.slice(at, at + flags.window);
      await answerLines(loaded, part, first + at, flags.file ?? 'standard input', flags);
    }
  }
}

/** A line that cannot be used, and why. */
interface Refused {
  readonly line: number;
  readonly why: string;
}

/** A line that was understood. */
interface Ready<E> {
  readonly line: number;
  readonly example: E;
}

function rowOf(text: string, line: number): RawRow | Refused {
  if (!/^\s*[{[]/.test(text)) {
    const [first, second] = text.split('\t');
    const record = new Map<string, unknown>([['text', first]]);
    if (second !== undefined) record.set('text_pair', second);
    return { line, cells: null, record };
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { line, cells: null, record: new Map(Object.entries(value)) };
    }
    return { line, why: 'it is JSON, but no object' };
  } catch (error) {
    return { line, why: `it is not JSON: ${(error as Error).message}` };
  }
}

/** A row by itself: what is wrong with one says nothing of the others. */
function parsed<E, A>({ kind, task }: LoadedTask<E, A>, row: RawRow, source: string, flags: Flags): Ready<E> | Refused {
  try {
    const { examples, problems } = kind.parse({ source, rows: [row] }, columnsOf(flags), task.tokenizer);
    const [bad] = problems.counts().filter(({ skipped }) => skipped);
    if (bad === undefined && examples.length === 1) return { line: row.line, example: examples[0] };
    return { line: row.line, why: bad?.what ?? 'it holds more than one example' };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { line: row.line, why: error.message.replace(`${source}: `, '') };
  }
}

async function answerLines<E, A>(
  loaded: LoadedTask<E, A>,
  lines: readonly string[],
  first: number,
  source: string,
  flags: Flags,
): Promise<void> {
  const { task, model } = loaded;
  const refused: Refused[] = [];
  const ready: Ready<E>[] = [];
  for (const [i, text] of lines.entries()) {
    if (text.trim() === '') continue;
    const row = rowOf(text, first + i);
    const read = 'why' in row ? row : parsed(loaded, row, source, flags);
    if ('why' in read) refused.push(read);
    else ready.push(read);
  }
  const stop = flags.badLines === 'stop' ? refused[0] : undefined;
  const good = stop === undefined ? ready : ready.filter(({ line }) => line < stop.line);
  const examples = good.map(({ example }) => example);
  const answers = await answer(model, task, examples);
  const out = answers.map(
    (one, i) => `${JSON.stringify({ line: good[i].line, ...task.describe(examples[i], one) })}\n`,
  );
  await write(out.join(''));
  if (stop !== undefined) throw badLine(source, stop.line, stop.why);
  for (const { line, why } of refused) {
    const where = `${source}:${line}`;
    process.stderr.write(formatMessage('warning', 'DATA-LINE', `line ${line} is skipped: ${why}`, { where }));
  }
}

const badLine = (source: string, line: number, why: string): DataError =>
  new DataError(`line ${line} cannot be used: ${why}`, {
    code: 'DATA-LINE',
    where: `${source}:${line}; the lines before it were answered`,
    fix: 'correct it, or pass over such lines by --bad-lines skip',
  });

/** Waits while the reader is slow. */
async function write(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}

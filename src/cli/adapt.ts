import { Command, Option } from 'commander';
import type { BertConfig } from '../bert/config.js';
import { UsageError } from '../core/errors.js';
import { type AdaptSource, adapt } from '../train/adapt.js';
import {
  defaultIntervals,
  defaultRate,
  type PretrainOptions,
  type TrainingPrecision,
  warmupSteps,
} from '../train/options.js';
import type { TaskKind } from '../train/tasks/task.js';
import { TASK_KINDS } from '../train/tasks/task.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { formatMessage } from './errors.js';
import { MODEL_ARGUMENT, named, openFolder } from './model.js';
import { duration, fraction, nonNegative, positive, positiveInt, rate, seed, wholeNumber } from './options.js';
import { trainingPrecision } from './precision.js';
import { createReporter } from './progress.js';
import { listenToSignals } from './signals.js';
import { type ColumnFlags, columnsOf } from './task-options.js';

const EXAMPLES = `
Examples:
  bertgrad adapt runs/general --corpus law/ -o runs/law                            the text of a domain (DAPT)
  bertgrad adapt runs/law --task train.tsv -o runs/law-task                        the text of a task (TAPT)
  bertgrad adapt google-bert/bert-base-uncased --corpus papers.jsonl --add-words 500 -o runs/papers    with words of its own

Masked words are learnt, sentence pairs are not; labels are not read. What is learnt from lies in <output>.data. A run goes
on by: bertgrad pretrain --resume runs/law`;

interface Flags extends BackendFlags, ColumnFlags {
  readonly corpus?: readonly string[];
  readonly task?: string;
  readonly kind: TaskKind;
  readonly column: string;
  readonly output: string;
  readonly addWords: number;
  readonly epochs?: number;
  readonly steps?: number;
  readonly batch: number;
  readonly maxSeq?: number;
  readonly lr?: number;
  readonly warmup: number;
  readonly mask: 'token' | 'word' | 'ngram';
  readonly maskRate: number;
  readonly heldOut: number;
  readonly seed: number;
  readonly precision: TrainingPrecision;
  readonly maxTime: number;
}

/** `bertgrad adapt <model>` */
export function adaptCommand(): Command {
  const command = new Command('adapt')
    .description('Go on with pre-training on the text of a domain, or of a task.')
    .argument('<model>', MODEL_ARGUMENT)
    .option('--corpus <paths...>', 'text of a domain: files, folders, patterns')
    .option('--task <file>', 'examples of a task, whose text is learnt from')
    .requiredOption('-o, --output <folder>', 'the run; must be empty or not there')
    .addOption(new Option('--kind <kind>', 'what --task holds').choices([...TASK_KINDS]).default('classify'))
    .option('--column <name>', 'column of a corpus in JSONL or Parquet', 'text')
    .option('--text <column>', 'column of the text of --task (default: guessed)')
    .option('--pair <column>', 'column of the second text of a pair')
    .option(
      '--add-words <n>',
      'most words to add to the vocabulary, each begun as the mean of its pieces',
      wholeNumber(0),
      0,
    );
  addLearning(command);
  return addBackendOptions(command).addHelpText('after', EXAMPLES).action(run);
}

function addLearning(command: Command): void {
  command
    .optionsGroup('Training:')
    .option('--epochs <n>', 'passes over the text (default: 1 of a corpus, 100 of a task, as the paper)', positive)
    .option('--steps <n>', 'updates, instead of passes', positiveInt)
    .option('--batch <n>', 'sequences of an update', positiveInt, 32)
    .option('--max-seq <n>', "tokens of a sequence (default: the model's positions, 128 at most)", wholeNumber(8))
    .option('--lr <rate>', "highest learning rate (default: half of pre-training's)", rate)
    .option('--warmup <n>', 'steps, or a share of them when below 1', nonNegative, 0.06)
    .addOption(
      new Option('--mask <unit>', 'what is masked together').choices(['token', 'word', 'ngram']).default('token'),
    )
    .option('--mask-rate <share>', 'share of places to predict', fraction, 0.15)
    .option('--held-out <share>', 'share of documents for evaluation', fraction, 0.05)
    .option('--seed <n>', 'of order, masks and dropout', seed, 0)
    .addOption(trainingPrecision())
    .addOption(
      new Option('--max-time <time>', 'save and stop after 30s, 10m, 2h ...')
        .argParser(duration)
        .default(Number.POSITIVE_INFINITY, 'never'),
    );
}

function sourceOf(flags: Flags): AdaptSource {
  const { corpus, task, kind, column } = flags;
  if ((corpus === undefined) === (task === undefined)) {
    const what = corpus === undefined ? 'what to adapt to is missing' : '--corpus and --task exclude each other';
    throw new UsageError(what, {
      code: 'USAGE',
      fix: 'give --corpus <paths> or --task <file>; one after the other gives both',
    });
  }
  return task === undefined ? { corpus: corpus ?? [], column } : { task, kind, columns: columnsOf(flags) };
}

/** Settings of `pretrain` for text that a model goes on with. */
export function adaptOptions(
  config: BertConfig,
  tokens: number,
  flags: Pick<
    Flags,
    'epochs' | 'steps' | 'batch' | 'maxSeq' | 'lr' | 'warmup' | 'mask' | 'maskRate' | 'heldOut' | 'seed' | 'precision'
  > & {
    readonly usualEpochs: number;
  },
): PretrainOptions {
  const maxSeq = flags.maxSeq ?? Math.min(128, config.maxPositionEmbeddings);
  const passes = flags.epochs ?? flags.usualEpochs;
  const steps = flags.steps ?? Math.max(1, Math.ceil((passes * tokens) / (flags.batch * maxSeq)));
  return {
    data: { sentenceTask: 'none', maskUnit: flags.mask, maskRate: flags.maskRate, heldOut: flags.heldOut },
    steps,
    batch: flags.batch,
    accumulate: 1,
    maxSeq,
    firstPart: null,
    lr: flags.lr ?? defaultRate(config) / 2,
    warmupSteps: warmupSteps(flags.warmup, steps),
    schedule: 'linear',
    optimizer: 'standard',
    weightDecay: 0.01,
    clip: 1,
    seed: flags.seed,
    packing: 'packed',
    precision: flags.precision,
    biasInit: 'zero',
  };
}

async function run(base: string, flags: Flags): Promise<void> {
  const source = sourceOf(flags);
  await chooseBackend(flags, base);
  const reporter = createReporter({});
  const signals = listenToSignals((text) => reporter.note(text));
  const usualEpochs = 'task' in source ? 100 : 1;
  try {
    const end = await adapt(
      {
        base: await openFolder(base),
        source,
        folder: flags.output,
        addWords: flags.addWords,
        optionsFor: (config, tokens) => adaptOptions(config, tokens, { ...flags, usualEpochs }),
        intervalsFor: ({ steps }) => defaultIntervals(steps),
        maxSeconds: flags.maxTime,
      },
      {
        reporter,
        warn: (text) => reporter.note(formatMessage('warning', 'RUN', text)),
        stop: signals.stop,
        saveRequested: signals.saveRequested,
        prepared: ({ words, missing, unused }) => {
          const shown = words.slice(0, 8).map(({ word }) => word);
          if (words.length > 0)
            reporter.note(`${words.length} words added: ${shown.join(', ')}${words.length > 8 ? ', ...' : ''}`);
          if (missing.length > 0) reporter.note(`starts fresh: ${named(missing)}`);
          if (unused.length > 0) reporter.note(`left behind: ${named(unused)}`);
        },
      },
    );
    if (end.reason === 'max-time') process.exitCode = 75;
  } finally {
    signals.close();
  }
}

import { Argument, Command, Option } from 'commander';
import { UsageError } from '../core/errors.js';
import {
  beginFinetune,
  type FinetuneAround,
  type FinetuneEnd,
  type FinetunePlan,
  resumeFinetune,
} from '../train/finetune.js';
import type { TrainingPrecision } from '../train/options.js';
import { type Base, openBase, settingsOf } from '../train/tasks/folder.js';
import type { Freeze } from '../train/tasks/rates.js';
import { TASK_KINDS, type TaskKind, type TextSettings } from '../train/tasks/task.js';
import type { TrialOptions } from '../train/tasks/trial.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { formatMessage } from './errors.js';
import { MODEL_ARGUMENT, named, openFolder } from './model.js';
import { dropoutRate, fraction, nonNegative, positiveInt, rate, seed, wholeNumber } from './options.js';
import { trainingPrecision } from './precision.js';
import { listenToSignals } from './signals.js';
import {
  addColumnOptions,
  addQaOptions,
  addTextOptions,
  type ColumnFlags,
  classWeightsOption,
  columnsOf,
  freezeOption,
  layerDecayOption,
  type QaFlags,
  settingsGiven,
  type TextFlags,
} from './task-options.js';
import { dataLine, measuresLine, problemText, resultsText } from './task-view.js';
import { isLive } from './ui.js';

const EXAMPLES = `
Examples:
  bertgrad finetune classify runs/first --train train.tsv --dev dev.tsv -o runs/sentiment
  bertgrad finetune pair runs/first --train pairs.csv --text question --pair sentence --label label -o runs/pairs
  bertgrad finetune tag runs/first --train train.conll --dev dev.conll --seeds 3 -o runs/names
  bertgrad finetune qa google-bert/bert-base-chinese --train cmrc/train.json --dev cmrc/dev.json --answer-rules cmrc -o runs/qa
  bertgrad finetune classify models/bert-base --grid --seeds 5 --train train.tsv --dev dev.tsv -o runs/grid
  bertgrad finetune --resume runs/grid

Files are TSV, CSV, JSONL, JSON or Parquet, of tag also CoNLL, of qa also SQuAD's JSON; .gz of each. Columns are guessed by
their names, and it is said which. The output folder is a model folder that transformers opens, with results.json in it.`;

/** Everything commander hands over. */
interface Flags extends BackendFlags, ColumnFlags, TextFlags, QaFlags {
  readonly train?: string;
  readonly dev?: string;
  readonly output?: string;
  readonly resume?: string;
  readonly multiLabel?: boolean;
  readonly skipBad?: boolean;
  readonly limit?: number;
  readonly epochs: number;
  readonly batch: number;
  readonly lr?: readonly number[];
  readonly grid?: boolean;
  readonly seeds: number;
  readonly seed: number;
  readonly warmup: number;
  readonly schedule: TrialOptions['schedule'];
  readonly optimizer: TrialOptions['optimizer'];
  readonly weightDecay: number;
  readonly clip: number;
  readonly dropout?: number;
  readonly layerDecay: number;
  readonly freeze: Freeze;
  readonly classWeights?: FinetunePlan['task']['classWeights'];
  readonly evalEvery: number;
  readonly patience: number;
  readonly fromScratch?: boolean;
  readonly precision: TrainingPrecision;
  readonly json?: boolean;
}

/** Rates that the paper tries (Devlin et al. 2019, App. A.3). */
const GRID = [5e-5, 3e-5, 2e-5];

/** Small models want larger rates (Turc et al. 2019 go up to 3e-4 for theirs): 5e-4 at width 128, 5e-5 from 768 on. */
export const defaultFinetuneRate = (hiddenSize: number): number =>
  hiddenSize >= 768 ? 5e-5 : Number((0.064 / hiddenSize).toPrecision(1));

/** `bertgrad finetune <kind> <model>` */
export function finetuneCommand(): Command {
  const command = new Command('finetune')
    .description('Give a BERT a head for a task, and train both on examples of it.')
    .addArgument(new Argument('[kind]', 'what is to be learnt').choices([...TASK_KINDS]))
    .argument('[model]', MODEL_ARGUMENT)
    .option('--train <file>', 'examples to learn from')
    .option('--dev <file>', 'examples to measure on (default: a tenth of the training examples)')
    .option('-o, --output <folder>', 'the run; must be empty or not there')
    .option('--resume <run>', 'go on with a run: finished trials stay, the one under way goes on bit for bit');
  addColumnOptions(command)
    .option('--multi-label', 'several labels an example: a list, or a text with commas between')
    .option('--limit <n>', 'training examples to use, drawn evenly (default: all)', positiveInt);
  addTextOptions(command);
  addQaOptions(command);
  addTrainingOptions(command);
  return addBackendOptions(command).option('--json', 'print results.json').addHelpText('after', EXAMPLES).action(run);
}

const several = (text: string, before: readonly number[] | undefined): number[] => [...(before ?? []), rate(text)];

function addTrainingOptions(command: Command): void {
  command
    .optionsGroup('Training:')
    .option('--epochs <n>', 'passes over the examples', positiveInt, 3)
    .option('--batch <n>', 'sequences of an update', positiveInt, 32)
    .option('--lr <rates...>', 'highest learning rates, each tried (default: fits the width, 5e-4 at 128)', several)
    .option('--grid', "the paper's rates: 5e-5, 3e-5, 2e-5")
    .option('--seeds <n>', 'trials of each rate, with mean and deviation', wholeNumber(1, 100), 1)
    .option('--seed <n>', 'the first of these', seed, 0)
    .option('--warmup <share>', 'share of the steps', fraction, 0.1)
    .addOption(new Option('--schedule <name>', 'after it').choices(['linear', 'google', 'constant']).default('linear'))
    .addOption(new Option('--optimizer <form>', 'AdamW').choices(['standard', 'bert']).default('standard'))
    .option('--weight-decay <x>', 'not for biases and LayerNorm', nonNegative, 0.01)
    .option('--clip <norm>', 'global norm of gradients; 0: none', nonNegative, 1)
    .option('--dropout <rate>', "of hidden states and of attention (default: the model's)", dropoutRate)
    .option('--layer-decay <x>', 'rate of a layer as a share of that of the layer above', layerDecayOption, 1)
    .addOption(
      new Option('--freeze <what>', 'none, embeddings, a number of layers, or encoder')
        .argParser(freezeOption)
        .default('none'),
    )
    .option('--class-weights <how>', 'balanced, or label=weight with commas between', classWeightsOption)
    .option('--eval-every <n>', 'steps; 0: once an epoch', wholeNumber(0), 0)
    .option('--patience <n>', 'evaluations without a better one to stop after; 0: never', wholeNumber(0), 0)
    .addOption(trainingPrecision())
    .option('--from-scratch', 'random weights, to see what the pre-training is worth');
}

/** Options that a run may be given when it goes on; all others are fixed by its run.json. */
const RESUMABLE = new Set(['resume', 'backend', 'threads', 'json']);

async function run(
  kind: TaskKind | undefined,
  model: string | undefined,
  flags: Flags,
  command: Command,
): Promise<void> {
  if (flags.resume === undefined) requireNew(kind, model, flags);
  else refuseOthers(command);
  const { reason } = await chooseBackend(flags, flags.resume ?? model);
  process.stderr.write(`backend: ${reason}\n`);
  const signals = listenToSignals((text) => void process.stderr.write(`${text}\n`));
  const around = { ...viewOf(), stop: signals.stop };
  try {
    const end =
      flags.resume === undefined
        ? await begin(kind as TaskKind, model as string, flags, around)
        : await resumeFinetune(flags.resume, around);
    show(end, flags);
  } finally {
    signals.close();
  }
}

function show({ results, reason }: FinetuneEnd, { json, output, resume }: Flags): void {
  const folder = resume ?? output ?? '';
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else if (results.trials.length > 0) process.stdout.write(resultsText(results, folder));
  if (reason === 'signal') process.stderr.write(`stopped; go on by: bertgrad finetune --resume ${folder}\n`);
}

function requireNew(kind: TaskKind | undefined, model: string | undefined, flags: Flags): void {
  const missing =
    kind === undefined || model === undefined
      ? `the ${kind === undefined ? `kind (${TASK_KINDS.join(', ')})` : 'model'}`
      : flags.train === undefined
        ? '--train, the examples to learn from,'
        : flags.output === undefined
          ? '-o, the run folder,'
          : null;
  if (missing !== null) {
    const fix =
      'bertgrad finetune classify runs/first --train train.tsv --dev dev.tsv -o runs/mine, or --resume runs/mine';
    throw new UsageError(`${missing} is missing`, { code: 'USAGE', fix });
  }
  if (flags.grid && flags.lr !== undefined)
    throw new UsageError('--grid and --lr exclude each other', { code: 'USAGE', fix: 'give one of the two' });
}

/** A run that goes on is what it was begun as. */
function refuseOthers(command: Command): void {
  const given = command.options.filter((option) => {
    const name = option.attributeName();
    return command.getOptionValueSource(name) === 'cli' && !RESUMABLE.has(name);
  });
  if (given.length === 0 && command.args.length === 0) return;
  const named = [...command.args, ...given.map(({ long }) => long)].join(', ');
  throw new UsageError(`--resume and ${named} exclude each other`, {
    code: 'USAGE',
    fix: 'a run goes on as run.json says; begin a new one to change it',
  });
}

async function begin(kind: TaskKind, model: string, flags: Flags, around: FinetuneAround): Promise<FinetuneEnd> {
  const folder = await openFolder(model);
  return await beginFinetune(flags.output as string, planOf(kind, await openBase(folder), folder, flags), around);
}

function planOf(kind: TaskKind, base: Base, model: string, flags: Flags): FinetunePlan {
  const { epochs, batch, warmup, schedule, optimizer, weightDecay, clip } = flags;
  const { layerDecay, freeze, evalEvery, patience, precision } = flags;
  const descent = { warmup, schedule, optimizer, weightDecay, clip };
  const { maxSeq, truncate, stride, ...memory } = { ...usual(base, kind), ...settingsGiven(flags) };
  const settings = { maxSeq, truncate, stride } as TextSettings;
  return {
    base: model,
    task: {
      kind,
      train: flags.train as string,
      dev: flags.dev ?? null,
      columns: columnsOf(flags),
      multiLabel: flags.multiLabel ?? false,
      skipBad: flags.skipBad ?? false,
      settings,
      memory: memory as Record<string, string | number | boolean>,
      classWeights: flags.classWeights ?? 'none',
      limit: flags.limit ?? null,
      fromScratch: flags.fromScratch ?? false,
    },
    options: { epochs, batch, ...descent, layerDecay, freeze, evalEvery, patience, precision },
    rates: flags.grid ? GRID : (flags.lr ?? [defaultFinetuneRate(base.config.hiddenSize)]),
    seeds: Array.from({ length: flags.seeds }, (_, i) => flags.seed + i),
    dropout: flags.dropout ?? null,
  };
}

/** How texts are cut by a model that was not told yet. */
function usual({ config }: Base, kind: TaskKind): Record<string, string | number | boolean> {
  const { maxSeq, truncate, stride } = settingsOf({}, config, kind);
  return { maxSeq, truncate, stride };
}

/** Lines on standard error; where somebody looks on, the step at hand is redrawn. */
function viewOf(): Omit<FinetuneAround, 'stop'> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const live = isLive(process.stderr);
  const clear = (): void => void (live && process.stderr.write('\r\x1b[K'));
  const nameOf = ({ lr, seed: number }: { lr: number; seed: number }): string => `lr ${lr} seed ${number}`;
  return {
    prepared({ train, dev, said, fresh, unused }) {
      for (const text of said) say(text);
      say(`train  ${dataLine(train)}`);
      say(`dev    ${dataLine(dev)}`);
      process.stderr.write(problemText([...train.problems, ...(dev.source === train.source ? [] : dev.problems)]));
      if (fresh.length > 0) say(`starts fresh: ${named(fresh)}`);
      if (unused.length > 0) say(`left behind: ${named(unused)}`);
    },
    step(trial, { step, loss }) {
      if (live)
        process.stderr.write(`\r\x1b[K${nameOf(trial)}  step ${step}/${trial.totalSteps}  loss ${loss.toFixed(3)}`);
    },
    point(trial, { epoch, trainLoss, devLoss, measures, better }) {
      clear();
      const losses = `loss ${trainLoss.toFixed(3)}  dev ${devLoss.toFixed(3)}`;
      say(`${nameOf(trial)}  epoch ${epoch.toFixed(2)}  ${losses}  ${measuresLine(measures)}${better ? '  best' : ''}`);
    },
    warn: (text) => void process.stderr.write(formatMessage('warning', 'RUN', text)),
  };
}

import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { type BertConfig, parseConfig, preset, presetNames } from '../bert/config.js';
import { productsOf } from '../bert/products.js';
import { ConfigError, UsageError } from '../core/errors.js';
import type { RunEnd } from '../train/events.js';
import { defaultIntervals, defaultRate, type Intervals, type PretrainOptions, warmupSteps } from '../train/options.js';
import { beginRun, resumeRun } from '../train/pretrain.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { formatMessage } from './errors.js';
import { dropoutRate, duration, fraction, nonNegative, positiveInt, rate, seed, wholeNumber } from './options.js';
import { trainingPrecision } from './precision.js';
import { createReporter } from './progress.js';
import { listenToSignals } from './signals.js';

/** Words of a model before its vocabulary is read: a layer does not depend on them. */
const ANY_VOCABULARY = 30_522;

const EXAMPLES = `
Examples:
  bertgrad pretrain shards --model tiny -o runs/first
  bertgrad pretrain shards --model mini --steps 20000 --batch 64 --mask word --sop -o runs/sop
  bertgrad pretrain shards --config config.json --lr 1e-3 -o runs/own
  bertgrad pretrain --resume runs/first

Ctrl-C or SIGTERM saves and ends, SIGUSR1 saves and goes on. --resume continues bit for bit, on any number of threads.
The run folder holds run.json, metrics.jsonl, samples.jsonl, tb/ for TensorBoard, checkpoints/ that transformers opens,
and at the end report.html.`;

/** Everything commander hands over; what was not given is undefined or the default. */
interface Flags extends BackendFlags, Partial<Record<keyof Intervals | 'logEvery', number>> {
  readonly output?: string;
  readonly resume?: string;
  readonly model: string;
  readonly config?: string;
  readonly steps: number;
  readonly batch: number;
  readonly accumulate: number;
  readonly maxSeq: number;
  readonly firstSeq?: number;
  readonly firstShare: number;
  readonly lr?: number;
  readonly warmup: number;
  readonly schedule: PretrainOptions['schedule'];
  readonly optimizer: PretrainOptions['optimizer'];
  readonly weightDecay: number;
  readonly clip: number;
  readonly dropout?: number;
  readonly seed: number;
  readonly nsp: boolean;
  readonly sop?: boolean;
  readonly mask: 'token' | 'word' | 'ngram';
  readonly maskRate: number;
  readonly maxPredictions?: number;
  readonly shortSeqProb: number;
  readonly staticMask?: number | true;
  readonly heldOut: number;
  readonly biasInit: PretrainOptions['biasInit'];
  readonly padding?: boolean;
  readonly precision: PretrainOptions['precision'];
  readonly sample?: readonly string[];
  readonly maxTime: number;
}

/** Options that a resumed run may be given; all others are fixed by its run.json. */
const RESUMABLE = new Set([
  ...['resume', 'backend'],
  'threads',
  ...['evalEvery', 'sampleEvery', 'saveEvery', 'logEvery'],
  'maxTime',
]);

/** `bertgrad pretrain <shards>` */
export function pretrainCommand(): Command {
  const command = new Command('pretrain')
    .description('Train a BERT from scratch: masked words, and which sentence follows which.')
    .argument('[shards]', 'a corpus made by `bertgrad prepare`')
    .option('-o, --output <folder>', 'the run; must be empty or not there')
    .option('--resume <run>', 'go on with a run from its newest checkpoint');
  addModelOptions(command);
  addDataOptions(command);
  addOptimizerOptions(command);
  addRunOptions(command);
  return addBackendOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (shards: string | undefined, flags: Flags) => {
      const end = await pretrain(command, shards, flags);
      if (end.reason === 'max-time') process.exitCode = 75;
    });
}

function addModelOptions(command: Command): void {
  command
    .optionsGroup('Model:')
    .option('--model <name>', `one of google's shapes: ${presetNames.join(', ')}`, 'tiny')
    .option('--config <file>', 'a config.json instead; vocab_size may be left out')
    .option('--dropout <rate>', "of hidden states and of attention (default: the model's, 0.1)", dropoutRate);
}

function addDataOptions(command: Command): void {
  command
    .optionsGroup('Data:')
    .option('--max-seq <n>', 'tokens of a sequence, special ones included', wholeNumber(8), 128)
    .option('--first-seq <n>', 'shorter sequences in the first part of the run; no pairs there', wholeNumber(8))
    .option('--first-share <share>', 'how much of the run that is', fraction, 0.9)
    .option('--no-nsp', 'no sentence task: sequences are filled with text')
    .option('--sop', 'sentence order (ALBERT) instead of next sentence')
    .addOption(
      new Option('--mask <unit>', 'what is masked together').choices(['token', 'word', 'ngram']).default('token'),
    )
    .option('--mask-rate <share>', 'share of places to predict', fraction, 0.15)
    .option('--max-predictions <n>', 'most places of a sequence (default: rate x length)', positiveInt)
    .option('--short-seq-prob <share>', 'share of documents cut to shorter sequences', fraction, 0.1)
    .option('--static-mask [copies]', "masks drawn once, in so many copies, google's way (10)", positiveInt)
    .option('--held-out <share>', 'share of documents for evaluation', fraction, 0.05);
}

function addOptimizerOptions(command: Command): void {
  command
    .optionsGroup('Training:')
    .option('--steps <n>', 'updates', positiveInt, 10_000)
    .option('--batch <n>', 'sequences of an update', positiveInt, 32)
    .option('--accumulate <k>', 'parts an update is computed in, to save memory; same result', positiveInt, 1)
    .option('--lr <rate>', 'highest learning rate (default: fits the width, 2e-3 at 128)', rate)
    .option('--warmup <n>', 'steps, or a share of them when below 1', nonNegative, 0.1)
    .addOption(
      new Option('--schedule <name>', 'after the warm-up').choices(['linear', 'google', 'constant']).default('linear'),
    )
    .addOption(
      new Option('--optimizer <form>', "AdamW: standard, or bert without bias correction, google's way")
        .choices(['standard', 'bert'])
        .default('standard'),
    )
    .option('--weight-decay <x>', 'not for biases and LayerNorm', nonNegative, 0.01)
    .option('--clip <norm>', 'global norm of gradients; 0: none', nonNegative, 1)
    .option('--seed <n>', 'of weights, order, pairs, masks and dropout', seed, 0)
    .addOption(
      new Option('--bias-init <how>', "the decoder's bias at first: zero, or log frequencies (a plateau less)")
        .choices(['zero', 'unigram'])
        .default('zero'),
    )
    .addOption(trainingPrecision())
    .option('--padding', 'compute on padding too, as others do; slower, same result');
}

function addRunOptions(command: Command): void {
  command
    .optionsGroup('Run:')
    .option('--eval-every <n>', 'steps (default: 40 times a run)', positiveInt)
    .option('--sample-every <n>', 'steps (default: 20 times a run)', positiveInt)
    .option('--save-every <n>', 'steps (default: 10 times a run)', positiveInt)
    .option('--log-every <n>', 'steps between plain lines (default: 40 a run)', positiveInt)
    .option('--sample <text...>', 'texts with [MASK] to ask (default: held-out sentences)')
    .addOption(
      new Option('--max-time <time>', 'save and stop after 30s, 10m, 2h ...')
        .argParser(duration)
        .default(Number.POSITIVE_INFINITY, 'never'),
    );
}

async function pretrain(command: Command, shards: string | undefined, flags: Flags): Promise<RunEnd> {
  if (flags.resume === undefined) requireNew(shards, flags);
  else refuseOthers(command);
  await chooseBackend(flags, flags.resume ?? productsOf(configFor(ANY_VOCABULARY, flags), flags.batch * flags.maxSeq));
  const reporter = createReporter(flags.logEvery === undefined ? {} : { logEvery: flags.logEvery });
  const signals = listenToSignals((text) => reporter.note(text));
  const around = {
    reporter,
    warn: (text: string) => reporter.note(formatMessage('warning', 'RUN', text)),
    stop: signals.stop,
    saveRequested: signals.saveRequested,
  };
  const intervalsFor = (steps: number): Intervals => intervalsOf(steps, flags);
  try {
    if (flags.resume !== undefined) {
      const request = { folder: flags.resume, shards: shards ?? null, maxSeconds: flags.maxTime, intervalsFor };
      return await resumeRun(request, around);
    }
    return await beginRun(
      {
        folder: flags.output as string,
        shards: shards as string,
        configFor: (vocabSize) => configFor(vocabSize, flags),
        optionsFor: (config) => optionsFor(config, flags),
        samples: flags.sample ?? [],
        intervals: intervalsFor(flags.steps),
        maxSeconds: flags.maxTime,
      },
      around,
    );
  } finally {
    signals.close();
  }
}

function requireNew(shards: string | undefined, flags: Flags): void {
  const missing =
    shards === undefined ? 'the folder of shards' : flags.output === undefined ? '-o, the run folder' : null;
  if (missing !== null) {
    throw new UsageError(`${missing} is missing`, {
      code: 'USAGE',
      fix: 'bertgrad pretrain shards --model tiny -o runs/first, or --resume runs/first',
    });
  }
  if (flags.sop && !flags.nsp) throw new UsageError('--sop and --no-nsp exclude each other', { code: 'USAGE' });
}

/** A resumed run is what it was begun as. */
function refuseOthers(command: Command): void {
  const given = command.options.filter((option) => {
    return command.getOptionValueSource(option.attributeName()) === 'cli' && !RESUMABLE.has(option.attributeName());
  });
  if (given.length === 0) return;
  throw new UsageError(`--resume and ${given.map((o) => o.long).join(', ')} exclude each other`, {
    code: 'USAGE',
    fix: 'a run goes on as run.json says; begin a new one to change it',
  });
}

function configFor(vocabSize: number, { model, config: path, dropout }: Flags): BertConfig {
  const rates = dropout === undefined ? {} : { hiddenDropoutProb: dropout, attentionProbsDropoutProb: dropout };
  if (path === undefined) return preset(model, { vocabSize, ...rates });
  const given = readConfig(path);
  const config = parseConfig('vocab_size' in given ? given : { ...given, vocab_size: vocabSize }, path);
  return { ...config, ...rates };
}

function readConfig(path: string): object {
  try {
    const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof json === 'object' && json !== null) return json;
    throw new SyntaxError('it is no object');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigError(`${path}: no JSON: ${error.message}`, { code: 'CONFIG-JSON', where: path });
  }
}

function optionsFor(config: BertConfig, flags: Flags): PretrainOptions {
  const { steps, batch, accumulate, maxSeq, schedule, optimizer, weightDecay, clip, seed: number } = flags;
  const { maxPredictions, staticMask, firstSeq } = flags;
  return {
    data: {
      sentenceTask: flags.nsp ? (flags.sop ? 'sop' : 'nsp') : 'none',
      maskUnit: flags.mask,
      maskRate: flags.maskRate,
      ...(maxPredictions === undefined ? {} : { maxPredictions }),
      shortSeqProb: flags.shortSeqProb,
      ...(staticMask === undefined ? {} : { staticCopies: staticMask === true ? 10 : staticMask }),
      heldOut: flags.heldOut,
    },
    ...{ steps, batch, accumulate, maxSeq, schedule, optimizer, weightDecay, clip, seed: number },
    firstPart: firstSeq === undefined ? null : { maxSeq: firstSeq, steps: Math.round(flags.firstShare * steps) },
    lr: flags.lr ?? defaultRate(config),
    warmupSteps: warmupSteps(flags.warmup, steps),
    packing: flags.padding ? 'padded' : 'packed',
    precision: flags.precision,
    biasInit: flags.biasInit,
  };
}

function intervalsOf(steps: number, { evalEvery, sampleEvery, saveEvery }: Flags): Intervals {
  const usual = defaultIntervals(steps);
  return {
    evalEvery: evalEvery ?? usual.evalEvery,
    sampleEvery: sampleEvery ?? usual.sampleEvery,
    saveEvery: saveEvery ?? usual.saveEvery,
  };
}

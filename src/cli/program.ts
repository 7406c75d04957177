import { Command, CommanderError } from 'commander';
import { UsageError } from '../core/errors.js';
import { nearest } from '../core/suggest.js';
import { describeError } from './errors.js';
import { version } from './version.js';

/** A command before its module is loaded: enough for the list of commands. */
interface Entry {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  load(): Promise<Command>;
}

const TEXT = 'Text:';
const MODEL = 'Model:';
const HERE = 'This machine:';

/** All commands. Their modules are loaded when they are called: starting up takes no longer with twenty of them. */
export const COMMANDS: readonly Entry[] = [
  {
    name: 'vocab',
    group: TEXT,
    summary: 'train a WordPiece vocabulary',
    load: async () => (await import('./vocab.js')).vocabCommand(),
  },
  {
    name: 'tokenize',
    group: TEXT,
    summary: 'show how text is cut into pieces',
    load: async () => (await import('./tokenize.js')).tokenizeCommand(),
  },
  {
    name: 'prepare',
    group: TEXT,
    summary: 'turn a corpus into shards of ids',
    load: async () => (await import('./prepare.js')).prepareCommand(),
  },
  {
    name: 'pretrain',
    group: MODEL,
    summary: 'train a BERT: masked words and sentence pairs',
    load: async () => (await import('./pretrain.js')).pretrainCommand(),
  },
  {
    name: 'adapt',
    group: MODEL,
    summary: 'go on with pre-training on a domain or a task',
    load: async () => (await import('./adapt.js')).adaptCommand(),
  },
  {
    name: 'finetune',
    group: MODEL,
    summary: 'train a model on examples of a task',
    load: async () => (await import('./finetune.js')).finetuneCommand(),
  },
  {
    name: 'evaluate',
    group: MODEL,
    summary: 'measure a fine-tuned model',
    load: async () => (await import('./evaluate.js')).evaluateCommand(),
  },
  {
    name: 'predict',
    group: MODEL,
    summary: 'let a fine-tuned model answer, line by line',
    load: async () => (await import('./predict.js')).predictCommand(),
  },
  {
    name: 'four-steps',
    group: MODEL,
    summary: 'measure what each step of training brings',
    load: async () => (await import('./four-steps.js')).fourStepsCommand(),
  },
  {
    name: 'fill-mask',
    group: MODEL,
    summary: 'let a model guess what stands at [MASK]',
    load: async () => (await import('./fill-mask.js')).fillMaskCommand(),
  },
  {
    name: 'embed',
    group: MODEL,
    summary: 'turn texts into vectors',
    load: async () => (await import('./embed.js')).embedCommand(),
  },
  {
    name: 'search',
    group: MODEL,
    summary: 'find texts that are like another',
    load: async () => (await import('./search.js')).searchCommand(),
  },
  {
    name: `import`, // in quotation marks .ci/layers.mjs would take it for a statement
    group: MODEL,
    summary: 'read a BERT of any form',
    load: async () => (await import('./export.js')).importCommand(),
  },
  {
    name: 'export',
    group: MODEL,
    summary: 'write a model for transformers or ONNX',
    load: async () => (await import('./export.js')).exportCommand(),
  },
  {
    name: 'demo',
    group: MODEL,
    summary: 'all of it on a small corpus, in four minutes',
    load: async () => (await import('./demo.js')).demoCommand(),
  },
  {
    name: 'bench',
    group: HERE,
    summary: 'how fast each kernel is, and how far from the limit',
    load: async () => (await import('./bench.js')).benchCommand(),
  },
  {
    name: 'doctor',
    group: HERE,
    summary: 'what runs here, how fast, and why',
    load: async () => (await import('./doctor.js')).doctorCommand(),
  },
];

/** The way from a text to a model, as the bare help shows it; a test parses each line with its own command. */
export const PATH: readonly (readonly [line: string, what: string])[] = [
  ['vocab corpus.txt -o vocab.txt --size 8000', 'learn a vocabulary from a text'],
  ['prepare corpus.txt --vocab vocab.txt -o shards', 'cut the text into ids'],
  ['pretrain shards --model tiny -o runs/first', 'train; Ctrl-C saves, --resume goes on'],
  ['fill-mask runs/first "The capital of France is [MASK]."', 'ask it'],
];

/** Where a program writes; the process's own streams, or a test's. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

const PROCESS: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** Lines that can be pasted into a shell, comments included; they fit 80 columns. */
function bareHelp(): string {
  const path = PATH.flatMap(([line, what]) => [`  # ${what}`, `  bertgrad ${line}`]);
  const more = ['All of it in four minutes: bertgrad demo', 'Options of a command:      bertgrad <command> --help'];
  return ['', 'From a text to a model:', ...path, '', ...more].join('\n');
}

/** Throws instead of exiting, and leaves the printing of mistakes to us; for the command and all below it. */
function tame(command: Command, streams: Streams): Command {
  command.exitOverride().showSuggestionAfterError(false);
  command.configureOutput({ writeOut: streams.out, writeErr: () => undefined });
  for (const child of command.commands) tame(child, streams);
  return command;
}

/** The program with one command loaded and the others as a line of the list. */
async function buildProgram(called: string | undefined): Promise<Command> {
  const program = new Command('bertgrad')
    .description('Trains a BERT from raw text, on tensors, gradients and kernels of its own.')
    .usage('<command> [options]')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .option('--debug', 'show where an error was thrown')
    .addHelpText('after', bareHelp);
  for (const { name, group, summary, load } of COMMANDS) {
    const command = name === called ? await load() : new Command(name).description(summary);
    if (name === called && !command.summary()) command.summary(summary);
    program.addCommand(command.helpGroup(group));
  }
  return program;
}

function refuseUnknown(called: string): void {
  const names = COMMANDS.map((c) => c.name);
  if (names.includes(called)) return;
  const meant = nearest(called, names);
  throw new UsageError(`unknown command "${called}"${meant === null ? '' : `; did you mean "${meant}"?`}`, {
    code: 'USAGE-COMMAND',
    fix: `use one of ${names.join(', ')}, or bertgrad --help`,
  });
}

/** Commander's own complaints, with the nearest option and the way to the help. */
function explain(error: CommanderError, program: Command, called: string | undefined): UsageError {
  const command = program.commands.find((c) => c.name() === called) ?? program;
  const [, option] = /unknown option '(-[^'=]*)/.exec(error.message) ?? [];
  const known = [...command.options, ...program.options].flatMap((o) => o.long ?? []);
  const meant = option === undefined ? null : nearest(option, [...known, '--help']);
  const what = describeError(error)
    .text.replace(/^error\[USAGE\]: /, '')
    .trimEnd();
  return new UsageError(meant === null ? what : `${what}; did you mean ${meant}?`, {
    code: 'USAGE',
    fix: `bertgrad ${command === program ? '' : `${called} `}--help lists the options`,
    cause: error,
  });
}

async function parse(args: readonly string[], streams: Streams): Promise<void> {
  const called = args.find((arg) => !arg.startsWith('-'));
  if (called !== undefined) refuseUnknown(called);
  const program = tame(await buildProgram(called), streams);
  try {
    await program.parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw explain(error, program, called); // 0: help or version was asked for
  }
}

/**
 * Runs one command line.
 * @param argv what stands after the program's name
 * @returns the exit code, 0 where nothing was thrown; a command may have set another in `process.exitCode`
 */
export async function run(argv: readonly string[], streams: Streams = PROCESS): Promise<number> {
  const args = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
  try {
    await parse(args, streams);
    return 0;
  } catch (error) {
    const { text, exitCode } = describeError(error, args.includes('--debug'));
    streams.err(text);
    return exitCode;
  }
}

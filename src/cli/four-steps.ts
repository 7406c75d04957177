import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../core/errors.js';
import { writeFileAtomic } from '../io/files.js';
import { ARM_NAMES, claimText, renderFourSteps } from '../train/four-steps/report.js';
import { ARMS, type FourStepsPlan, type FourStepsResults } from '../train/four-steps/results.js';
import { type FourStepsAround, fourSteps } from '../train/four-steps.js';
import { spreadOf } from '../train/tasks/results.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { formatMessage } from './errors.js';
import { loadTokenizer } from './load-tokenizer.js';
import { positiveInt, rate, wholeNumber } from './options.js';
import { createReporter } from './progress.js';
import { listenToSignals } from './signals.js';
import { type ColumnFlags, columnsOf } from './task-options.js';
import { measuresLine } from './task-view.js';
import { share, table, time } from './ui.js';
import { vocabCommand } from './vocab.js';

const EXAMPLES = `
Examples:
  bertgrad four-steps --general wiki.txt --domain law/ --train articles.train.tsv --dev articles.dev.tsv -o runs/four
  bertgrad four-steps --quick --general a.txt --domain b.txt --train t.tsv --dev d.tsv --limits 200 -o runs/quick

Six arms: random weights, general, general for longer, + DAPT, + TAPT, + DAPT + TAPT. A run that was stopped goes on when the
same command is given again. -o gets results.json and report.html.`;

/** Sizes for a coffee break, and for an hour. */
const PRESETS = {
  quick: { layers: 2, maxSeq: 64, steps: { general: 1200, domain: 300, task: 300 }, epochs: 6 },
  full: { layers: 4, maxSeq: 64, steps: { general: 9000, domain: 2000, task: 1000 }, epochs: 8 },
} as const;

interface Flags extends BackendFlags, ColumnFlags {
  readonly general: readonly string[];
  readonly domain: readonly string[];
  readonly train: string;
  readonly dev: string;
  readonly output: string;
  readonly quick?: boolean;
  readonly vocabSize: number;
  readonly limits: readonly number[];
  readonly seeds: number;
  readonly lr: number;
  readonly json?: boolean;
}

const sizes = (text: string): number[] => text.split(',').map(positiveInt);

/** `bertgrad four-steps` */
export function fourStepsCommand(): Command {
  const command = new Command('four-steps')
    .description('Measure what general pre-training, DAPT and TAPT bring to a task.')
    .requiredOption('--general <paths...>', 'general text: files, folders, patterns')
    .requiredOption('--domain <paths...>', "text of the task's domain")
    .requiredOption('--train <file>', 'examples of the task, to classify; their text is that of TAPT')
    .requiredOption('--dev <file>', 'examples to measure on')
    .requiredOption('-o, --output <folder>', 'where it all goes')
    .option('--quick', 'some minutes instead of about an hour')
    .option('--text <column>', 'column of the text (default: guessed)')
    .option('--label <column>', 'column of the label')
    .option(
      '--vocab-size <n>',
      'entries of the vocabulary, learnt from general and domain text',
      wholeNumber(200),
      8000,
    )
    .option('--limits <n,n>', 'numbers of training examples', sizes, [200, 1000])
    .option('--seeds <n>', 'fine-tunings of each arm', wholeNumber(2, 50), 3)
    .option('--lr <rate>', 'learning rate of the fine-tuning', rate, 1e-3)
    .option('--json', 'print results.json');
  return addBackendOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Flags) => {
      requireFiles(flags);
      await chooseBackend(flags);
      await run(flags);
    });
}

/** Says at once what is not there, before an hour of work that would end there. */
function requireFiles({ general, domain, train, dev }: Flags): void {
  const missing = [...general, ...domain, train, dev].filter((path) => !/[*?[{]/.test(path) && !existsSync(path));
  if (missing.length === 0) return;
  throw new UsageError(`${missing.join(', ')}: not there`, {
    code: 'USAGE',
    fix: 'name a general corpus, a corpus of the domain, and the training and dev examples of a task',
  });
}

async function run(flags: Flags): Promise<void> {
  const { general, domain, output, vocabSize } = flags;
  const vocab = join(output, 'vocab.txt');
  if (!existsSync(vocab)) {
    const args = [...general, ...domain, '-o', vocab, '--size', `${vocabSize}`];
    await vocabCommand().parseAsync(args, { from: 'user' });
  }
  const tokenizer = await loadTokenizer(vocab);
  const signals = listenToSignals(say);
  try {
    const results = await fourSteps(output, planOf(flags), tokenizer, viewOf(signals));
    const report = join(output, 'report.html');
    await writeFileAtomic(report, renderFourSteps(results, 'Four steps'));
    process.stdout.write(flags.json ? `${JSON.stringify(results)}\n` : `${resultsText(results)}report ${report}\n`);
  } finally {
    signals.close();
  }
}

function planOf(flags: Flags): FourStepsPlan {
  const { general, domain, train, dev, limits, seeds, lr, quick } = flags;
  const columns = columnsOf(flags);
  return { general, domain, train, dev, columns, limits, seeds, lr, batch: 32, ...PRESETS[quick ? 'quick' : 'full'] };
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function viewOf({ stop, saveRequested }: ReturnType<typeof listenToSignals>): FourStepsAround {
  const warn = (text: string): void => void process.stderr.write(formatMessage('warning', 'RUN', text));
  return {
    surroundings: () => ({ reporter: createReporter({ out: process.stderr }), warn, stop, saveRequested }),
    finetuning: {
      stop,
      warn,
      prepared: () => undefined,
      step: () => undefined,
      point: ({ seed }, { epoch, measures }) =>
        say(`  seed ${seed}  epoch ${epoch.toFixed(0)}  ${measuresLine(measures)}`),
    },
    say: (text) => say(`\n== ${text}`),
  };
}

function resultsText(results: FourStepsResults): string {
  const { limits } = results.plan;
  const loss = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(2));
  const scores = (macroF1: readonly number[], accuracy: readonly number[]): string => {
    const { mean, deviation } = spreadOf(macroF1);
    return `${share(mean)} ± ${share(deviation)} (${share(spreadOf(accuracy).mean)})`;
  };
  const rows = ARMS.map((arm) => {
    const masked = results.losses[arm];
    const cells = limits.map((limit) => {
      const found = results.arms.find((result) => result.arm === arm && result.limit === limit);
      return found === undefined ? '–' : scores(found.macroF1, found.accuracy);
    });
    return [ARM_NAMES[arm].en, loss(masked?.general), loss(masked?.domain), loss(masked?.task), ...cells];
  });
  const floors = (['majority', 'bag of words'] as const).map((name) => {
    const cells = limits.map((limit) => {
      const found = results.baselines.find((baseline) => baseline.name === name && baseline.limit === limit);
      return found === undefined ? '–' : `${share(found.macroF1)} (${share(found.accuracy)})`;
    });
    return [name, '', '', '', ...cells];
  });
  const head = [
    '',
    'MLM general',
    'domain',
    'task',
    ...limits.map((limit) => `${limit} examples: macro-F1 (accuracy)`),
  ];
  const claims = results.claims.map((claim) => `  ${claimText(claim).en}\n`).join('');
  const seconds = Object.values(results.seconds).reduce((sum, s) => sum + s, 0);
  const leak = `${results.leaked} of ${results.dev} dev texts stand in a corpus\n`;
  return `${table(head, [...rows, ...floors], head.map((_, i) => i).slice(1))}\n${claims}${leak}time ${time(seconds)}\n`;
}

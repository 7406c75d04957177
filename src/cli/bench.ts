import { Command, Option } from 'commander';
import { type CaseOptions, casesOf, type Direction, modelNames } from '../bench/case.js';
import { compareRuns } from '../bench/compare.js';
import { fromGoogle, toGoogle } from '../bench/google.js';
import type { ModelOutcome } from '../bench/models.js';
import { watchOthers } from '../bench/noise.js';
import { PEERS } from '../bench/peers.js';
import { benchPage, comparePage } from '../bench/report/page.js';
import { type Entrant, type Outcome, refuseImpossible, runBench } from '../bench/run.js';
import { profileStep, type StepProfile } from '../bench/step.js';
import { readJsonFile, writeFileAtomic } from '../io/files.js';
import { everySetting, list, oursOf, peerNames, peersOf } from './bench-entrants.js';
import { type ModelFlags, modelLines, runModels, worksOf } from './bench-models.js';
import {
  comparisonLines,
  doubtLines,
  notRunLines,
  peerLines,
  resultLines,
  roofLines,
  stepLines,
} from './bench-view.js';
import { lookAtMachine } from './machine.js';
import { positive, positiveInt } from './options.js';
import { chromeTrace } from './profile.js';
import { version } from './version.js';

interface Flags extends ModelFlags {
  readonly model: string;
  readonly shape?: string;
  readonly sizes: string;
  readonly way?: Direction;
  readonly slowest: number;
  readonly trace?: string;
  readonly json?: string;
  readonly html?: string;
}

type Write = (text: string) => void;

function caseOptions(ops: readonly string[], flags: Flags): CaseOptions {
  return {
    ops,
    models: list(flags.model),
    batch: flags.batch,
    seq: flags.seq,
    groups: flags.sizes === 'all' ? ['bert', 'odd', 'sweep', 'grid'] : list(flags.sizes),
    ...(flags.shape === undefined ? {} : { shapes: list(flags.shape) }),
    ...(flags.way === undefined ? {} : { directions: [flags.way] }),
  };
}

/** Where and with what it was measured; a file that is compared later is worth nothing without. */
function contextOf(entrants: readonly Entrant[]): Record<string, string | number | Record<string, string>> {
  const machine = lookAtMachine();
  return {
    date: new Date().toISOString(),
    executable: 'bertgrad bench',
    library_version: version(),
    library_build_type: 'release',
    platform: machine.platform,
    node: machine.node,
    cpu: machine.cpu,
    cpu_flags: machine.instructions.join(' '),
    num_cpus: machine.cores,
    runs_on: Object.fromEntries(entrants.map(({ contender }) => [contender.name, contender.runsOn])),
  };
}

async function bench(ops: readonly string[], flags: Flags, out: Write, err: Write): Promise<void> {
  const onlyRoofs = ops.length === 1 && ops[0] === 'roof';
  const cases =
    onlyRoofs || (ops.length === 1 && (ops[0] === 'step' || ops[0] === 'models'))
      ? []
      : casesOf(caseOptions(ops, flags));
  peerNames(flags); // wrong names are told before anything is measured
  worksOf(flags);
  const mine = await oursOf(onlyRoofs ? everySetting(flags) : flags);
  out(
    `${roofLines(mine.map(({ contender, roofs }) => ({ ...contender, roofs: roofs ?? { gflops: null, bandwidth: [] } }))).join('\n')}\n`,
  );
  if (onlyRoofs) return;
  const { peers, absent } = await peersOf(flags, mine);
  const entrants = [...mine, ...peers];
  let count = 0;
  const done = (): void => err(`\r${++count} of ${cases.length} cases`);
  const show = process.stderr.isTTY === true ? { done } : {};
  try {
    const measured = await runBench(cases, entrants, { ...flags, ...show, watch: watchOthers });
    if (process.stderr.isTTY === true) err('\r\u001b[K');
    await report({ ...measured, notRun: [...absent, ...measured.notRun] }, entrants, flags, out);
  } finally {
    for (const { contender } of entrants) await contender.close();
  }
}

/** Training steps of the models, on our first backend; the trace of the last one goes into a file where one is named. */
async function stepsOf(entrants: readonly Entrant[], flags: Flags, out: Write): Promise<StepProfile[]> {
  const backend = entrants[0]?.contender.backend ?? null;
  const profiles: StepProfile[] = [];
  for (const model of list(flags.step ?? '')) {
    const profile = backend === null ? null : await profileStep(backend, model, flags.batch, flags.seq);
    if (profile === null) continue;
    profiles.push(profile);
    out(`\n${stepLines(profile).join('\n')}\n`);
    if (flags.trace !== undefined) {
      await writeFileAtomic(flags.trace, chromeTrace(profile.calls, profile.begin, profile.wall));
      out(`written ${flags.trace} (open in ui.perfetto.dev)\n`);
    }
  }
  return profiles;
}

function showModels({ results, notRun, doubtful }: ModelOutcome, out: Write): void {
  const lines = [...modelLines(results), ...notRunLines(notRun), ...doubtful.map((text) => `warning: ${text}`)];
  if (lines.length > 0) out(`\n${lines.join('\n')}\n`);
}

async function report(outcome: Outcome, entrants: readonly Entrant[], flags: Flags, out: Write): Promise<void> {
  const table = outcome.results.length === 0 ? [] : [...resultLines(outcome.results), ''];
  const lines = [
    ...table,
    ...peerLines(entrants),
    ...notRunLines(outcome.notRun),
    ...(table.length === 0 ? [] : doubtLines(outcome)),
  ];
  if (lines.length > 0) out(`\n${lines.join('\n')}\n`);
  const first = entrants[0] as Entrant;
  const models = await runModels(first, outcome.roofs.get(first.contender.name)?.gflops ?? null, flags);
  showModels(models, out);
  const all = {
    ...outcome,
    notRun: [...outcome.notRun, ...models.notRun],
    doubtful: [...outcome.doubtful, ...models.doubtful],
  };
  const steps = await stepsOf(entrants, flags, out);
  if (flags.json !== undefined) {
    await writeFileAtomic(
      flags.json,
      `${JSON.stringify(toGoogle(all, contextOf(entrants), models.results), null, 1)}\n`,
    );
    out(`written ${flags.json}\n`);
  }
  if (flags.html !== undefined) {
    const contenders = entrants.map(({ contender }) => contender.name);
    const roofs = outcome.roofs.get(contenders[0] ?? '') ?? null;
    await writeFileAtomic(
      flags.html,
      benchPage({ outcome: all, contenders, roofs, context: contextOf(entrants), models: models.results, steps }),
    );
    out(`written ${flags.html}\n`);
  }
  refuseImpossible(outcome);
}

function compareCommand(): Command {
  return new Command('compare')
    .description('Compares two files of results: ratio of medians with its interval, and the U test.')
    .argument('<before>', 'a file that --json wrote')
    .argument('<after>', 'another one')
    .option('--threshold <share>', 'changes of the median below this are none', positive, 0.03)
    .option('--page <file>', 'a page with a plot')
    .option('--alpha <p>', 'how likely two samples of one kernel may pass for different', positive, 0.05)
    .addHelpText(
      'after',
      '\nEnds with 1 when something became slower.\n\nExample:\n  bertgrad bench compare before.json after.json',
    )
    .action(
      async (
        before: string,
        after: string,
        options: { threshold: number; alpha: number; page?: string },
        command: Command,
      ) => {
        const [a, b] = [fromGoogle(await readJsonFile(before), before), fromGoogle(await readJsonFile(after), after)];
        const outcome = compareRuns(a, b, options);
        command.configureOutput().writeOut?.(`${comparisonLines(outcome).join('\n')}\n`);
        if (options.page !== undefined) await writeFileAtomic(options.page, comparePage(outcome, [before, after]));
        if (outcome.rows.some(({ verdict }) => verdict === 'slower')) process.exitCode = 1;
      },
    );
}

/** How the figures are taken, and where they go. */
const addMeasureOptions = (command: Command): Command =>
  command
    .option('--peers [names]', `beside whom: all that are installed here, or some of ${PEERS.join(', ')}`)
    .option('--rounds <n>', 'turns that everyone gets', positiveInt, 5)
    .option('--seconds <s>', 'of one turn', positive, 0.04)
    .option('--slowest <s>', 'leave out what takes longer a call', positive, 3)
    .option('--step <models>', 'a training step of these models as well, and where its time goes')
    .option('--infer <models>', 'an inference of these models as well')
    .option('--trace <file>', 'its kernels, for ui.perfetto.dev')
    .option('--json <file>', "results in Google Benchmark's form")
    .option('--html <file>', 'a page with plots');

/** `bertgrad bench`: how fast each kernel is here, how far from the machine's limit, and beside whom. */
export function benchCommand(): Command {
  const command = new Command('bench')
    .description(
      'Times kernels at the shapes of BERT, each held against float64 first, under roofs measured on the spot.',
    )
    .argument(
      '[op...]',
      'ops by name (none: all of them), or `roof` for the limits of the machine, `models` for --step and --infer alone',
    )
    .option(
      '--backend <names>',
      'js, native, gpu; several with commas, the first one is the measure of the others',
      'native',
    )
    .option('--isa <name>', 'instruction sets of native: base, avx2, avx512 or neon; several with commas')
    .option('--threads <n>', 'threads of native; several with commas')
    .option('--model <names>', `shapes of ${modelNames.join(', ')}`, 'base')
    .option('--shape <sizes>', "own sizes in the op's order: 512x768x768; several with commas")
    .option('--sizes <groups>', 'bert, odd (edges of tiles), sweep and grid (of products), or all', 'bert')
    .addOption(new Option('--way <direction>', 'one way alone').choices(['forward', 'backward']))
    .option('--batch <n>', 'sequences', positiveInt, 4)
    .option('--seq <n>', 'tokens of a sequence', positiveInt, 128);
  return addMeasureOptions(command)
    .addHelpText(
      'after',
      `
A ratio above 1 means: takes longer than the first. Figures are medians over turns in changing order.

Examples:
  bertgrad bench linear attention --peers
  bertgrad bench matmul --sizes sweep --backend native,js --html report.html
  bertgrad bench --json before.json            and later: bertgrad bench compare before.json after.json`,
    )
    .action(async (ops: string[], flags: Flags, command: Command) => {
      const { writeOut = () => undefined } = command.configureOutput();
      await bench(ops, flags, writeOut, (text) => void process.stderr.write(text));
    })
    .addCommand(compareCommand());
}

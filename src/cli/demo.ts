import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { defaultChoice } from '../backend/select.js';
import { fillMask } from '../train/fill-mask.js';
import { loadModel } from '../train/model-folder.js';
import { guesses } from './audit-view.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { positiveInt } from './options.js';
import { prepareCommand } from './prepare.js';
import { pretrainCommand } from './pretrain.js';
import { pad, width } from './ui.js';
import { vocabCommand } from './vocab.js';

/** What is learnt in one language, and asked afterwards. */
interface Language {
  readonly name: string;
  readonly vocabSize: number;
  /** Asked before, during and after the training. */
  readonly samples: readonly string[];
  /** The same question in two contexts; a model that looks at none would give one answer. */
  readonly contexts: readonly (readonly [string, string])[];
}

const LANGUAGES: Readonly<Record<'en' | 'zh', Language>> = {
  en: {
    name: 'English',
    vocabSize: 2000,
    samples: ['The president of the United [MASK].', '"I do not know," [MASK] Mary.', '"What is it?" said [MASK].'],
    contexts: [
      ['the united [MASK] of america.', 'she opened the [MASK] of the garden.'],
      ['" i do not know, " said [MASK].', 'the government of the united [MASK].'],
      ['he [MASK] that it was a garden.', 'the congress [MASK] that it was a law.'],
      ['in the year of [MASK], the war began.', 'in the garden of [MASK], the robin sang.'],
    ],
  },
  zh: {
    name: 'Chinese',
    vocabSize: 4000,
    samples: ['他出生于[MASK]国。', '第一[MASK] 为了保护公民的权利', '位于中[MASK]的城市。'],
    contexts: [
      ['中华人民共和[MASK]。', '公司的董事[MASK]。'],
      ['他出生于[MASK]国。', '第一[MASK] 为了保护公民的权利'],
      ['位于美[MASK]的大学。', '本法自公布之[MASK]起施行。'],
      ['在中国大[MASK]的城市。', '他毕业于北京大[MASK]。'],
    ],
  },
};
/** How much there is time for: where kernels are compiled, and where everything is JavaScript. */
const RUNS = {
  // With seed 0 the English run learns to use context later than with 1, and ends before it has caught up.
  native: { steps: 2400, options: ['--seed', '1', '--batch', '32'] },
  js: { steps: 60, options: ['--batch', '4', '--eval-every', '30'] },
};
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Flags extends BackendFlags {
  readonly zh?: boolean;
  readonly steps?: number;
  readonly output?: string;
}

/** `bertgrad demo` */
export function demoCommand(): Command {
  const command = new Command('demo')
    .description('From a small real corpus to a BERT: vocabulary, shards, training, and what it has learnt.')
    .option('--zh', 'in Chinese')
    .option('--steps <n>', 'updates (default: as many as take about two minutes)', positiveInt)
    .option('-o, --output <folder>', 'where it all goes (default: runs/demo-en, or the next free name)')
    .addHelpText('after', '\nExamples:\n  bertgrad demo\n  bertgrad demo --zh --steps 500 -o runs/chinese');
  return addBackendOptions(command).action(demo);
}

async function demo(flags: Flags): Promise<void> {
  const language = flags.zh ? 'zh' : 'en';
  const { vocabSize, samples, name } = LANGUAGES[language];
  await chooseBackend(flags);
  const compiled = defaultChoice().backend.name !== 'js';
  const { steps, options } = compiled ? RUNS.native : RUNS.js;
  const home = flags.output ?? freeName(join('runs', `demo-${language}`));
  const corpus = relative('.', join(ROOT, 'examples', language, 'corpus.txt'));
  const [vocab, shards, run] = [join(home, 'vocab.txt'), join(home, 'shards'), join(home, 'run')];
  if (!compiled) say('On plain JavaScript this shows the way, but is too slow to learn much; see the reason below.');
  say(`${name}: a BERT learns from ${corpus}. These are the commands you would type yourself.`);
  await call(vocabCommand(), ['vocab', corpus, '-o', vocab, '--size', `${vocabSize}`]);
  await call(prepareCommand(), ['prepare', corpus, '--vocab', vocab, '-o', shards]);
  const length = ['--max-seq', '64', '--first-seq', '16', '--first-share', '0.4', '--steps', `${flags.steps ?? steps}`];
  const asked = ['--sample', ...samples];
  await call(pretrainCommand(), ['pretrain', shards, '--model', 'tiny', ...options, ...length, '-o', run, ...asked]);
  if (process.exitCode === undefined) await compare(run, LANGUAGES[language]);
}

const say = (text: string): void => void process.stderr.write(`\n${text}\n`);
const quoted = (word: string): string => (/^[\w./-]+$/.test(word) ? word : `'${word}'`);

async function call(command: Command, [name, ...args]: string[]): Promise<void> {
  say(`$ bertgrad ${[name, ...args].map(quoted).join(' ')}`);
  await command.parseAsync(args, { from: 'user' });
}

function freeName(base: string): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(name)) return name;
  }
}

/** Shows the same mask in two contexts, with what the model makes of each. */
async function compare(run: string, { contexts }: Language): Promise<void> {
  const { model, tokenizer } = await loadModel(run);
  const answers = new Map<string, string>();
  const best = new Map<string, string | undefined>();
  for (const text of contexts.flat()) {
    const [predictions] = await fillMask(model, tokenizer, text);
    answers.set(text, guesses({ step: 0, text, predictions }));
    best.set(text, predictions[0]?.token);
  }
  model.dispose();
  const differing = contexts.filter(([a, b]) => best.get(a) !== best.get(b));
  const widest = Math.max(...contexts.flat().map(width));
  const lines = contexts.map((pair) => pair.map((t) => `  ${pad(t, widest)}  →  ${answers.get(t)}`).join('\n'));
  const verdict = `${differing.length} of ${contexts.length} pairs get different first guesses: the answer depends on context`;
  const none = 'all pairs get one first guess: this model does not look at context; train it longer';
  process.stdout.write(
    `\nthe same question in two contexts\n${lines.join('\n\n')}\n  ${differing.length > 0 ? verdict : none}\n`,
  );
}

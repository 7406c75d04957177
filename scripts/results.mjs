// Makes the tables of docs/results.md: every task from a pre-trained model, from random weights, and without an encoder.
//   node scripts/results.mjs --en runs/en --zh runs/zh -o runs/results [--seeds 3] [--rates 1e-3,3e-4] [--only sentiment,slots]
// The data sets are no part of the package: BERTGRAD_DATA, default ../shared/data. What is missing is passed over, aloud.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../dist/cli/program.js';
import { NaiveBayes } from '../dist/data/bag-of-words.js';
import { answerReport } from '../dist/data/metrics/answers.js';
import { classificationReport } from '../dist/data/metrics/classification.js';
import { entityReport } from '../dist/data/metrics/entities.js';
import { withKind } from '../dist/train/tasks/kinds.js';

const DATA = process.env.BERTGRAD_DATA ?? new URL('../../shared/data/', import.meta.url).pathname;
const { values: flags } = parseArgs({
  options: {
    en: { type: 'string' },
    zh: { type: 'string' },
    output: { type: 'string', short: 'o', default: 'runs/results' },
    seeds: { type: 'string', default: '3' },
    rates: { type: 'string', default: '1e-3,3e-4' },
    only: { type: 'string' },
  },
});

/** Name, language, kind, files below DATA, and options of `finetune`. */
const TASKS = [
  ['sentiment', 'en', 'classify', 'tasks/single/uci_sentiment_en/', ['train.tsv', 'dev.tsv'], ['--epochs', '6']],
  ['topic', 'en', 'classify', 'tasks/single/sib200_en/', ['train.tsv', 'dev.tsv'], ['--epochs', '10']],
  ['qnli', 'en', 'pair', 'tasks/pair/xquad_qnli_en/', ['train.tsv', 'dev.tsv'], ['--epochs', '5']],
  ['simpler', 'en', 'pair', 'tasks/pair/onestop_en/', ['train.tsv', 'dev.tsv'], ['--epochs', '5']],
  ['names', 'en', 'tag', 'tasks/seq/wnut17_en/', ['train.conll', 'dev.conll'], ['--epochs', '6']],
  ['qa', 'en', 'qa', 'tasks/qa/xquad_en/', ['train.json', 'dev.json'], ['--epochs', '5', '--skip-bad']],
  ['domain', 'zh', 'classify', 'tasks/single/crosswoz_domain_zh/', ['train.tsv', 'dev.tsv'], ['--epochs', '4']],
  ['topic', 'zh', 'classify', 'tasks/single/sib200_zh/', ['train.tsv', 'dev.tsv'], ['--epochs', '10']],
  ['qnli', 'zh', 'pair', 'tasks/pair/cmrc_qnli_zh/', ['train.tsv', 'dev.tsv'], ['--epochs', '3']],
  ['slots', 'zh', 'tag', 'tasks/seq/crosswoz_slots_zh/', ['train.conll', 'dev.conll'], ['--epochs', '5']],
  [
    ...['qa', 'zh', 'qa', 'tasks/qa/cmrc2018_zh/', ['train.json', 'dev.json']],
    ['--epochs', '3', '--stride', '170', '--skip-bad', '--answer-rules', 'cmrc'],
  ],
].map(([name, lang, kind, folder, files, more]) => ({
  ...{ name, lang, kind, more },
  files: files.map((file) => join(DATA, folder, file)),
}));

const read = (kind, path) => withKind(kind, (of) => of.read(path, { columns: {}, multiLabel: false }));

/** The share of a pair's units that both texts hold; above the best threshold of train it is the label more often met there. */
function overlap({ text, pair }) {
  const [a, b] = [text, pair].map((part) => new Set(part.toLowerCase().match(/\p{Script=Han}|[\p{L}\p{N}]+/gu) ?? []));
  return [...a].filter((unit) => b.has(unit)).length / Math.max(1, a.size);
}

function overlapBaseline(train, dev, labels) {
  const right = (examples, threshold, high) =>
    examples.filter((e) => (overlap(e) >= threshold ? high : labels.find((l) => l !== high)) === e.labels[0]).length;
  let [best, threshold, high] = [-1, 0, labels[0]];
  for (const label of labels) {
    for (let at = 0; at <= 1; at += 0.025) {
      const hits = right(train, at, label);
      if (hits > best) [best, threshold, high] = [hits, at, label];
    }
  }
  return right(dev, threshold, high) / dev.length;
}

/** Each word's most frequent tag. */
function tagBaseline(train, dev) {
  const counts = new Map();
  for (const { words, tags } of train) {
    for (const [i, word] of words.entries()) {
      const of = counts.get(word) ?? new Map();
      counts.set(word, of.set(tags[i], (of.get(tags[i]) ?? 0) + 1));
    }
  }
  const most = (word) => [...(counts.get(word) ?? [['O', 1]])].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  return entityReport(
    dev.map(({ tags }) => tags),
    dev.map(({ words }) => words.map(most)),
  ).f1;
}

/** The sentence of the text that has most words of the question. */
function sentenceBaseline(dev, rules) {
  const guesses = dev.map(({ question, context }) => {
    const sentences = context.split(/(?<=[.!?。！？])\s*/).filter((s) => s.trim() !== '');
    const scores = sentences.map((sentence) => overlap({ text: question, pair: sentence }));
    return sentences[scores.indexOf(Math.max(...scores))] ?? '';
  });
  return answerReport(
    guesses,
    dev.map(({ answers }) => answers.map(({ text }) => text)),
    rules,
  ).f1;
}

async function baselines({ kind, lang, files }) {
  const [train, dev] = await Promise.all(files.map(async (path) => (await read(kind, path)).examples));
  if (kind === 'tag') return { majority: 0, bag: tagBaseline(train, dev) };
  if (kind === 'qa') return { majority: 0, bag: sentenceBaseline(dev, lang === 'zh' ? 'cmrc' : 'squad') };
  const labels = [...new Set(train.map((e) => e.labels[0]))];
  const ids = (list) => list.map((label) => labels.indexOf(label));
  const truths = dev.map((e) => e.labels[0]);
  const most = labels.reduce((a, b) =>
    train.filter((e) => e.labels[0] === b).length > train.filter((e) => e.labels[0] === a).length ? b : a,
  );
  const majority = truths.filter((label) => label === most).length / dev.length;
  if (kind === 'pair') return { majority, bag: overlapBaseline(train, dev, labels) };
  const bayes = new NaiveBayes();
  for (const e of train) bayes.learn(e.text, e.labels[0]);
  const known = dev.filter((e) => labels.includes(e.labels[0]));
  const guesses = known.map((e) => bayes.guess(e.text));
  return { majority, bag: classificationReport(ids(known.map((e) => e.labels[0])), ids(guesses), labels).accuracy };
}

/** A second measure, that says what the first hides. */
const SECOND = { classify: 'macro_f1', pair: 'macro_f1', tag: 'strict_entity_f1', qa: 'exact_match' };
const rates = flags.rates.split(',');

/** Fine-tunes where it was not done before, at every rate; returns the best one's mean and deviation. */
async function finetuned(task, base, scratch) {
  const folder = join(flags.output, `${task.name}-${task.lang}${scratch ? '-random' : ''}`);
  const file = join(folder, 'results.json');
  const args = [
    'finetune',
    task.kind,
    base,
    '--train',
    task.files[0],
    '--dev',
    task.files[1],
    '-o',
    folder,
    ...task.more,
  ];
  if (scratch) args.push('--from-scratch');
  args.push('--seeds', flags.seeds, '--lr', ...rates);
  const wanted = rates.length * Number(flags.seeds);
  const finished = existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).trials.length === wanted;
  const code = finished ? 0 : await run(existsSync(join(folder, 'run.json')) ? ['finetune', '--resume', folder] : args);
  if (process.exitCode >= 128) process.exit(); // a signal: the trial goes on when this is run again
  if (code !== 0) return null;
  const { metric, summary, trials } = JSON.parse(readFileSync(file, 'utf8'));
  const best = summary.reduce((a, b) => (b.values[metric].mean > a.values[metric].mean ? b : a));
  const seconds = trials.reduce((sum, t) => sum + t.seconds, 0) / trials.length;
  return { metric, first: best.values[metric], second: best.values[SECOND[task.kind]], lr: best.lr, seconds };
}

const percent = ({ mean, deviation }) => `${(100 * mean).toFixed(1)} ± ${(100 * deviation).toFixed(1)}`;
const shown = (x) => (x === null ? '–' : `${percent(x.first)} | ${percent(x.second)} | ${x.lr}`);
const only = flags.only?.split(',');
const rows = [];
for (const task of TASKS) {
  const base = flags[task.lang];
  if (base === undefined || (only !== undefined && !only.includes(task.name))) continue;
  const missing = task.files.filter((path) => !existsSync(path));
  if (missing.length > 0) {
    console.error(`passed over: ${missing.join(', ')} is not there`);
    continue;
  }
  const [ours, random, floor] = [
    await finetuned(task, base, false),
    await finetuned(task, base, true),
    await baselines(task),
  ];
  rows.push(
    `| ${task.name} (${task.lang}) | ${ours?.metric ?? ''}, ${SECOND[task.kind]} | ${shown(ours)} | ${shown(random)} | ${(100 * floor.majority).toFixed(1)} | ${(100 * floor.bag).toFixed(1)} | ${Math.round(ours?.seconds ?? 0)} s |`,
  );
  console.error(rows.at(-1));
}
const head = `| task | metrics | pre-trained | | rate | random weights | | rate | majority | without an encoder | one run |\n|${'---|'.repeat(11)}`;
const text = `${head}\n${rows.join('\n')}\n`;
mkdirSync(flags.output, { recursive: true });
writeFileSync(join(flags.output, 'table.md'), text);
console.log(text);

import type { ProblemCount } from '../data/tasks/problems.js';
import type { DataSummary, FinetuneResults, RateSummary } from '../train/tasks/results.js';
import type { Measures } from '../train/tasks/task.js';
import { formatMessage, printable } from './errors.js';
import { count, pad, share, table, time, width } from './ui.js';

/** Names that end in these are shares; others are numbers of their own. */
const isShare = (name: string): boolean => !/^(mse|pearson|spearman|mcc|loss)$/.test(name);
export const metricText = (name: string, value: number): string => (isShare(name) ? share(value) : value.toFixed(3));

/** `accuracy .712  macro_f1 .690` */
export const measuresLine = ({ values }: Measures): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${metricText(name, value)}`)
    .join('  ');

/** Labels that are named; with more only the number is told. */
const MOST_LABELS = 12;

/** `train.tsv  1,586 examples, 26.0k tokens  neg 790, pos 796` */
export function dataLine({ source, examples, features, tokens, labels }: DataSummary): string {
  const names = Object.entries(labels);
  const windows = features === examples ? '' : ` in ${features.toLocaleString('en')} windows`;
  const shown = names.slice(0, MOST_LABELS).map(([name, n]) => `${printable(name)} ${n}`);
  const more = names.length > MOST_LABELS ? `, ... ${names.length} labels` : '';
  const about = `${examples.toLocaleString('en')} examples${windows}, ${count(tokens)} tokens`;
  return `${printable(source)}  ${about}${shown.length > 0 ? `  ${shown.join(', ')}${more}` : ''}`;
}

/** What is the matter with rows, a warning for each kind. */
export const problemText = (problems: readonly ProblemCount[]): string =>
  problems
    .map(({ kind, count: n, what, first, skipped }) => {
      const rows = `${n} ${n === 1 ? 'row' : 'rows'}${skipped ? ' left out' : ''}`;
      const more = n > first.length ? `, ... ${n} in all` : '';
      return formatMessage('warning', `TASK-${kind.toUpperCase()}`, `${rows}: ${what}`, {
        where: first.join(', ') + more,
      });
    })
    .join('');

const spread = (name: string, { values, seeds }: RateSummary): string => {
  const { mean, deviation } = values[name];
  return seeds > 1 ? `${metricText(name, mean)} ± ${metricText(name, deviation)}` : metricText(name, mean);
};

/** The end of a fine-tuning: a row a learning rate, seeds averaged. */
export function resultsText(results: FinetuneResults, folder: string): string {
  const { summary, majority, kept, trials, metric } = results;
  const names = Object.keys(summary[0]?.values ?? {});
  const rows = summary.map((row) => [`${row.lr}`, `${row.seeds}`, ...names.map((name) => spread(name, row))]);
  const numbers = names.map((_, i) => i + 2);
  const seconds = trials.reduce((sum, trial) => sum + trial.seconds, 0);
  const floor = majority === null ? '' : `the most frequent label alone: accuracy ${share(majority)}\n`;
  const best =
    kept === null ? '' : `kept: lr ${kept.lr}, seed ${kept.seed} (best ${metric} on dev) in ${printable(folder)}\n`;
  const some = summary.some(({ seeds }) => seeds === 1) ? 'one seed says little: --seeds 5 shows the spread\n' : '';
  return `${table(['lr', 'seeds', ...names], rows, [0, 1, ...numbers])}\n${floor}${best}${some}time ${time(seconds)}\n`;
}

/** Classes by line, and which was taken for which. */
export function measuresText({ values, perClass, confusion }: Measures): string {
  const widest = Math.max(...Object.keys(values).map(width));
  const lines = Object.entries(values).map(([name, value]) => `${pad(name, widest)}  ${metricText(name, value)}`);
  const rows = (perClass ?? []).map((row) => {
    return [printable(row.name), share(row.precision), share(row.recall), share(row.f1), `${row.support}`];
  });
  const classes =
    rows.length === 0 ? '' : `\n${table(['', 'precision', 'recall', 'F1', 'support'], rows, [1, 2, 3, 4])}`;
  return `${lines.join('\n')}${classes}${confusion === undefined ? '' : confusionText(confusion)}\n`;
}

/** Labels whose table of confusions still fits a screen. */
const MOST_CONFUSED = 12;

function confusionText({ labels, counts }: NonNullable<Measures['confusion']>): string {
  if (labels.length > MOST_CONFUSED) return '';
  const head = ['true \\ guessed', ...labels.map(printable)];
  const rows = counts.map((row, i) => [printable(labels[i]), ...row.map(String)]);
  return `\n${table(
    head,
    rows,
    labels.map((_, i) => i + 1),
  )}`;
}

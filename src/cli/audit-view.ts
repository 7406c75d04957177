import type { EvalMetrics, FillSample, Floors, RunEnd, RunStart } from '../train/events.js';
import { pairGuess } from '../train/guessing.js';
import { printable } from './errors.js';
import { type Point, plot } from './plot.js';
import { around, bytes, count, pad, percent, share, table, time, unit, width } from './ui.js';

/** Columns before the text of a line. */
export const INDENT = 14;
const line = (label: string, text: string): string => `  ${pad(label, INDENT - 2)}${text}`;
const nats = (x: number): string => x.toFixed(2);

function dataLine({ data }: RunStart): string {
  const held = `${count(data.documents)} documents and ${count(data.heldOutDocuments)} held out`;
  const unknown = `[UNK] ${percent(data.unkShare)}, repeated lines ${percent(data.duplicateLineShare)}`;
  return `${held}, ${count(data.sentences)} sentences, ${count(data.tokens)} tokens; ${unknown}`;
}

function stepLine(start: RunStart): string {
  const passes = (start.totalSteps * start.tokensPerStep) / start.data.tokens;
  const work = `${count(start.tokensPerStep)} tokens, ${unit(start.flopsPerStep, 'FLOP')}`;
  const all = `${count(start.totalSteps)} steps see the data ${passes < 10 ? passes.toFixed(1) : passes.toFixed(0)} times`;
  const { firstPart } = start;
  const first =
    firstPart === null
      ? ''
      : `; the first ${count(firstPart.steps)} with ${firstPart.batch} of ${firstPart.maxSeq}, masked words alone`;
  return `${start.batch} sequences of at most ${start.maxSeq}: ${work}; ${all}${first}`;
}

function lossLine(start: RunStart): string {
  const at = `${start.lossPositions} of ${start.positions} positions`;
  const padding = `padding ${percent(start.data.paddingShare)}, not computed`;
  const pairs = start.sentenceTask === 'none' ? '' : `; ${percent(start.data.label1Share)} of the pairs have label 1`;
  return `at ${at}, all picked; ${padding}${pairs}`;
}

const floorsLine = ({ uniform, unigram, bigram }: Floors): string =>
  `${nats(uniform)} at first (ln V: knows nothing), ${nats(unigram)} by word frequencies (unigram), ${nats(bigram)} by the word before (bigram)`;

/** What a run is about to do, checked by eye before the first step. */
export function auditLines(start: RunStart): string[] {
  const peak = start.peakGflops === null ? 'peak not measured' : `peak ${start.peakGflops.toFixed(0)} GFLOP/s measured`;
  const parts = start.parts.map(({ part, parameters, share: s }) =>
    line('', `${pad(count(parameters), 7, 'left')} ${pad(percent(s), 6, 'left')}  ${part}`),
  );
  const total = start.memory.reduce((sum, m) => sum + m.bytes, 0);
  const owners = start.memory.map(({ owner, bytes: b }) => `${owner} ${bytes(b)}`).join(', ');
  return [
    `${printable(start.folder)}${start.resumedFrom === null ? '' : `, going on from step ${start.resumedFrom}`}`,
    line('runs on', `${start.backend}; ${peak}`),
    line('data', dataLine(start)),
    line('parameters', `${count(start.parameters)}, vocabulary of ${start.vocabSize}`),
    ...parts,
    line('step', stepLine(start)),
    line('memory', `about ${bytes(total)}: ${owners}`),
    line('loss', lossLine(start)),
    line('in nats', floorsLine(start.floors)),
    ...start.rows.map((row, i) => line(i === 0 ? 'rows' : '', printable(row))),
  ];
}

/** The loss against its floors, as a picture in text. */
export function lossPlot(
  points: readonly Point[],
  { uniform, unigram, bigram }: Floors,
  columns: number,
  rows: number,
): string {
  const highest = points.reduce((most, p) => Math.max(most, p.y), 0);
  const levels = [
    { name: 'ln V', y: uniform },
    { name: 'unigram', y: unigram },
    { name: 'bigram', y: bigram },
  ];
  // A run that goes on from a checkpoint begins far below ln V; the line would only press the curve flat.
  return plot(
    points,
    levels.filter((l) => l.name !== 'ln V' || highest > unigram),
    { columns, rows, xLabel: 'steps' },
  );
}

/** `饭 .61  面 .12  鱼 .09` */
export const guesses = (sample: FillSample, most = 3): string =>
  sample.predictions
    .slice(0, most)
    .map(({ token, probability }) => `${token} ${share(probability).slice(0, 3)}`)
    .join('  ');

/** Columns of a table's first cell below which there is nothing left to read. */
const NARROW = 24;

/**
 * The same sentences at the beginning and at the end.
 * @param columns of the table; where room is short there are fewer guesses, and the sentences are cut around the mask
 */
export function beforeAndAfter(before: readonly FillSample[], after: readonly FillSample[], columns: number): string {
  const first = new Map(before.map((sample) => [sample.text, sample]));
  const head = [`step ${before[0]?.step ?? 0}`, `step ${after[0]?.step ?? 0}`];
  const answers = (most: number): string[][] =>
    after.map((sample) => [first.get(sample.text), sample].map((s) => (s === undefined ? '' : guesses(s, most))));
  const room = (most: number): number => {
    const widest = [0, 1].map((i) => Math.max(...[head, ...answers(most)].map((row) => width(row[i] ?? ''))));
    return columns - widest.reduce((sum, w) => sum + w) - 10; // 10: lines and blanks around three columns
  };
  const most = [3, 2].find((n) => room(n) >= NARROW) ?? 1;
  const text = (sample: FillSample): string => around(printable(sample.text), '[MASK]', Math.max(NARROW, room(most)));
  const rows = answers(most).map((row, i) => [text(after[i] as FillSample), ...row]);
  return table(['', ...head], rows);
}

function evalLines(e: EvalMetrics, { floors, sentenceTask, data }: RunStart): string[] {
  const under = floors.unigram - e.eval_masked_lm_loss;
  const against = `${nats(Math.abs(under))} ${under > 0 ? 'below' : 'above'} the unigram line ${nats(floors.unigram)}`;
  const words = `masked words: loss ${nats(e.eval_masked_lm_loss)}, ${against} (bigram ${nats(floors.bigram)})`;
  const hits = `accuracy ${share(e.eval_masked_lm_accuracy)}, the most frequent token alone ${share(floors.mostFrequentShare)}`;
  const pairs = `loss ${nats(e.eval_next_sentence_loss)}, accuracy ${share(e.eval_next_sentence_accuracy)}`;
  const guess = pairGuess(data.label1Share);
  const name = sentenceTask.toUpperCase();
  const second =
    sentenceTask === 'none'
      ? []
      : [line('', `${name}: ${pairs} (guessing: ${nats(guess.loss)}, ${share(guess.accuracy)})`)];
  return [line('held out', `${words}; ${hits}`), ...second];
}

/** For a shell: unchanged where no character means anything to it. */
const quoted = (text: string): string => (/^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

function nextLines(end: RunEnd, start: RunStart, text: string): string[] {
  const folder = quoted(start.folder);
  const resume = line('go on', `bertgrad pretrain --resume ${folder}`);
  const ask = line('ask it', `bertgrad fill-mask ${folder} ${quoted(text)}`);
  return end.reason === 'done' ? [ask] : [resume, ask];
}

const REASONS = { done: 'done', signal: 'stopped by a signal', 'max-time': 'stopped by --max-time' };

/** How a run ended, and what to do with what it left. */
export function endLines(end: RunEnd, start: RunStart, tokens: number, probe: string): string[] {
  const head = `${REASONS[end.reason]}: step ${end.step} of ${start.totalSteps}, ${count(tokens)} tokens, ${time(end.seconds)}`;
  return [
    head,
    ...(end.lastEval === null ? [] : evalLines(end.lastEval, start)),
    ...(end.checkpoint === null ? [] : [line('checkpoint', end.checkpoint)]),
    ...(end.report === null ? [] : [line('report', end.report)]),
    ...nextLines(end, start, probe),
  ];
}

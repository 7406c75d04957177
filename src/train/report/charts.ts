import type { EvalMetrics, Remark, RunStart, StepMetrics } from '../events.js';
import { pairGuess } from '../guessing.js';
import { type Chart, type Curve, type Level, type Mark, type Size, svg } from './chart.js';
import { type Both, both, clock, figure, type Html, percent, scaled, words } from './html.js';

/** What the curves are drawn from. */
export interface Curves {
  readonly start: RunStart;
  readonly metrics: readonly StepMetrics[];
  readonly evals: readonly EvalMetrics[];
  readonly remarks: readonly Remark[];
  /** Global norm to which gradients are clipped, where it is known. */
  readonly clip: number | null;
}

const TRAINING = both('training', '训练');
const HELD_OUT = both('held out', '留出');
const PLAIN = both('', '');

type Measure = Exclude<keyof StepMetrics, 'step'>;

function trained({ metrics }: Curves, measure: Measure, label: Both): Curve {
  const points = metrics.flatMap((m) => (m[measure] === null ? [] : [{ x: m.step, y: m[measure] }]));
  return { label, tone: 'one', kind: 'noisy', points };
}

function heldOut({ evals }: Curves, measure: Exclude<keyof EvalMetrics, 'step' | 'eval'>): Curve[] {
  const points = evals.map((m) => ({ x: m.step, y: m[measure] }));
  return points.length === 0 ? [] : [{ label: HELD_OUT, tone: 'two', kind: 'exact', points }];
}

const level = (en: string, zh: string, y: number): Level => ({ label: both(en, zh), y });
const plainTick = (y: number): string => `${Number(y.toPrecision(6))}`;
const shareTick = (y: number): string => `${Number((100 * y).toPrecision(6))} %`;
const share = { format: (y: number) => percent(y), tick: shareTick, zero: true, percent: true };
const nats = { format: (y: number) => y.toFixed(2), tick: plainTick };

function wordLoss(data: Curves): Chart {
  const { floors } = data.start;
  const marks = data.remarks.map(({ step, severity }, i): Mark => ({ x: step, text: `${i + 1}`, tone: severity }));
  return {
    title: both('Loss on masked words, nats', '掩码词损失（奈特）'),
    note: both(
      'Minus the logarithm of the probability that the right word got. The dashed lines are what can be had without understanding: no knowledge (ln V), frequencies alone (unigram), the word before (bigram). Numbers above are remarks, listed below; a red tick on the axis is a step that was not finite.',
      '正确词所得概率的负对数。虚线是不靠理解也能达到的水平：一无所知（ln V）、只知词频（一元）、只看前一个词（二元）。上方的数字是下文所列的提示；横轴上的红色短线是出现非有限值的步。',
    ),
    curves: [trained(data, 'masked_lm_loss', TRAINING), ...heldOut(data, 'eval_masked_lm_loss')],
    levels: [
      level('ln V', 'ln V', floors.uniform),
      level('unigram', '一元', floors.unigram),
      level('bigram', '二元', floors.bigram),
    ],
    marks,
    ...nats,
  };
}

function sentenceCharts(data: Curves): Chart[] {
  const task = data.start.sentenceTask;
  const guess = pairGuess(data.start.data.label1Share);
  if (task === 'none') return [];
  const name = task.toUpperCase();
  const zh = task === 'nsp' ? '下一句预测' : '句序预测';
  return [
    {
      title: both(`${name} accuracy`, `${zh}准确率`),
      curves: [trained(data, 'next_sentence_accuracy', TRAINING), ...heldOut(data, 'eval_next_sentence_accuracy')],
      levels: [level('guessing', '随机猜', guess.accuracy)],
      ...share,
      zero: false,
    },
    {
      title: both(`${name} loss, nats`, `${zh}损失（奈特）`),
      curves: [trained(data, 'next_sentence_loss', TRAINING), ...heldOut(data, 'eval_next_sentence_loss')],
      levels: [level('guessing', '随机猜', guess.loss)],
      ...nats,
    },
  ];
}

function machineCharts(data: Curves): Chart[] {
  const mfu = { title: both('Share of the measured peak (MFU)', '占实测峰值的比例（MFU）') };
  return [
    {
      title: both('Tokens per second', '每秒词元数'),
      curves: [trained(data, 'tokens_per_second', PLAIN)],
      format: (y) => scaled(y),
      tick: (y) => scaled(y).replace('.0', '').replace(' ', ''),
      zero: true,
    },
    ...(data.metrics.some((m) => m.mfu !== null) ? [{ ...mfu, curves: [trained(data, 'mfu', PLAIN)], ...share }] : []),
    {
      title: both('Memory of the process, MB', '进程内存（MB）'),
      curves: [trained(data, 'rss_mb', PLAIN)],
      format: (y) => y.toFixed(0),
      tick: plainTick,
      zero: true,
    },
  ];
}

/** All charts of a run, the loss of words first. */
export function chartsOf(data: Curves): Chart[] {
  const clip = data.clip === null || data.clip <= 0 ? [] : [level('clipped', '裁剪', data.clip)];
  return [
    wordLoss(data),
    {
      title: both('Accuracy on masked words', '掩码词准确率'),
      curves: [trained(data, 'masked_lm_accuracy', TRAINING), ...heldOut(data, 'eval_masked_lm_accuracy')],
      levels: [level('top word', '最常见词', data.start.floors.mostFrequentShare)],
      ...share,
    },
    ...sentenceCharts(data),
    {
      title: both('Learning rate', '学习率'),
      curves: [{ ...trained(data, 'lr', PLAIN), kind: 'exact' }],
      format: figure,
      tick: plainTick,
      zero: true,
    },
    {
      title: both('Gradient norm before clipping', '裁剪前的梯度范数'),
      curves: [trained(data, 'grad_norm', PLAIN)],
      levels: clip,
      log: true,
      format: (y) => `${Number(y.toPrecision(3))}`,
      tick: plainTick,
    },
    ...machineCharts(data),
  ];
}

const BIG: Size = { width: 1040, height: 400, right: 120 };
const SMALL: Size = { width: 500, height: 240, right: 116 };
const PHONE: Size = { width: 360, height: 240, right: 116 };

/** First and last step drawn; a run of one step gets some room. */
function stepsOf({ metrics, evals }: Curves): [number, number] {
  const all = [metrics[0], metrics.at(-1), evals[0], evals.at(-1)].flatMap((m) => (m === undefined ? [] : [m.step]));
  const [from, to] = all.length === 0 ? [0, 1] : [Math.min(...all), Math.max(...all)];
  return from === to ? [from - 1, to + 1] : [from <= (to - from) * 0.02 ? 0 : from, to];
}

/** The charts as figures; each is there for wide screens and for phones. */
export function figuresOf(data: Curves): Html {
  const range = stepsOf(data);
  const figures = chartsOf(data).map((chart, i) => {
    const wide = svg(chart, range, i === 0 ? BIG : SMALL, `c${i}`);
    const note = chart.note === undefined ? '' : `<p class="note">${words(chart.note)}</p>`;
    return `<figure${i === 0 ? ' class="big"' : ''}><figcaption>${words(chart.title)}</figcaption>${note}<div class="wide">${wide}</div><div class="phone">${svg(chart, range, PHONE, `p${i}`)}</div></figure>`;
  });
  return `<div class="charts">${figures.join('')}</div>`;
}

/** Duration, tokens and pace of all sessions together. */
export function totals({ metrics }: Curves): { time: string; tokens: string; pace: string } {
  const last = metrics.at(-1);
  const sorted = Float64Array.from(metrics, (m) => m.tokens_per_second)
    .filter(Number.isFinite)
    .sort();
  return {
    time: clock(last?.seconds),
    tokens: scaled(last?.tokens),
    pace: scaled(sorted[sorted.length >> 1]),
  };
}

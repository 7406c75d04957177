import type { EvalMetrics, FillSample, Floors, RunStart, StepMetrics } from '../train/events.js';
import { short } from '../train/remarks.js';
import { guesses, lossPlot } from './audit-view.js';
import { printable } from './errors.js';
import type { Point } from './plot.js';
import { around, bytes, count, type Paint, pad, percent, share, sparkline, time, width } from './ui.js';

/** Steps the shown losses are averaged over, about. */
const SMOOTH = 20;
/** Steps whose pace tells when the run will end. */
const PACE = 50;
const MOST_POINTS = 600;
/** Terminals lower than this get no picture. */
const TALL = 24;
const MASK = '[MASK]';

const nats = (x: number): string => (Number.isNaN(x) ? '–' : x.toFixed(3));

/** Running means over the last steps, about; the first values are not pulled towards 0, and NaN is passed over. */
class Smoothed {
  private readonly means = new Map<string, { sum: number; weight: number }>();

  add(values: Readonly<Record<string, unknown>>): void {
    const keep = 1 - 1 / SMOOTH;
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'number' || !Number.isFinite(value)) continue;
      const { sum, weight } = this.means.get(name) ?? { sum: 0, weight: 0 };
      this.means.set(name, { sum: keep * sum + value, weight: keep * weight + 1 });
    }
  }

  get(name: keyof StepMetrics): number {
    const { sum, weight } = this.means.get(name) ?? { sum: Number.NaN, weight: 1 };
    return sum / weight;
  }
}

/** A measure of words or of sentence pairs, by the end of its name. */
type Part = 'loss' | 'accuracy';

/** All that has been seen of a run, and how it is put into words. Knows nothing of terminals. */
export class RunView {
  /** The smoothed loss of masked words, thinned out. */
  points: Point[] = [];
  firstSamples: readonly FillSample[] = [];
  lastSamples: readonly FillSample[] = [];
  private readonly smoothed = new Smoothed();
  private readonly evals: EvalMetrics[] = [];
  private readonly recent: StepMetrics[] = [];
  private stride = 1;

  constructor(
    readonly start: RunStart,
    private readonly paint: Paint,
  ) {}

  get last(): StepMetrics | undefined {
    return this.recent.at(-1);
  }

  step(metrics: StepMetrics): void {
    this.smoothed.add({ ...metrics });
    this.recent.push(metrics);
    if (this.recent.length > PACE) this.recent.shift();
    this.keepPoint({ x: metrics.step, y: this.smoothed.get('masked_lm_loss') });
  }

  evaluated(metrics: EvalMetrics): void {
    this.evals.push(metrics);
  }

  samples(samples: readonly FillSample[]): void {
    if (this.firstSamples.length === 0) this.firstSamples = samples;
    this.lastSamples = samples;
  }

  /** Thins the curve to half whenever it is full. */
  private keepPoint(point: Point): void {
    if (point.x % this.stride !== 0) return;
    this.points.push(point);
    if (this.points.length < MOST_POINTS) return;
    this.stride *= 2;
    this.points = this.points.filter((p) => p.x % this.stride === 0);
  }

  /** The state of the run as a block of lines, empty before the first step. */
  block(columns: number, rows: number): string[] {
    const { start, last } = this;
    if (last === undefined) return [];
    const picture = rows < TALL ? '' : lossPlot(this.points, start.floors, Math.min(70, columns - 29), 8);
    const pairs = start.sentenceTask === 'none' ? [] : [this.lossLine(start.sentenceTask.toUpperCase(), columns)];
    return [
      this.barLine(last, columns),
      this.lossLine('masked words', columns),
      ...pairs,
      `  ${pad('', 14)}${this.speed(last)}`,
      ...this.lastSamples.slice(0, 4).map((sample) => `  ${sampleLine(sample, columns - 2)}`),
      ...(picture === '' ? [] : picture.split('\n')),
    ];
  }

  private barLine(m: StepMetrics, columns: number): string {
    const { totalSteps } = this.start;
    const done = Math.min(1, m.step / totalSteps);
    const head = `step ${m.step}/${totalSteps} `;
    const times = ` ${percent(done)}  ${time(m.seconds)} gone  ETA ${time(this.eta(m))}`;
    const cells = Math.max(10, Math.min(40, columns - width(head + times)));
    const full = Math.round(done * cells);
    return `${head}${this.paint('green', '━'.repeat(full))}${this.paint('dim', '╌'.repeat(cells - full))}${times}`;
  }

  /** Loss and accuracy now, on held-out documents, and the lines to beat; from the left as far as there is room. */
  private lossLine(name: string, columns: number): string {
    const words = name === 'masked words';
    const key = words ? 'masked_lm' : 'next_sentence';
    const now = `${this.paint('bold', nats(this.smoothed.get(`${key}_loss`)))} acc ${share(this.smoothed.get(`${key}_accuracy`))}`;
    const e = this.evals.at(-1);
    const { unigram, bigram } = this.start.floors;
    const parts = [
      now,
      e === undefined ? '' : `held-out ${nats(e[`eval_${key}_loss`])} acc ${share(e[`eval_${key}_accuracy`])}`,
      sparkline(this.evals.map((m) => m[`eval_${key}_loss`])),
      words ? `unigram ${unigram.toFixed(2)} bigram ${bigram.toFixed(2)}` : '',
    ];
    let line = `  ${pad(name, 12)}`;
    for (const part of parts) if (part !== '' && width(line) + 2 + width(part) <= columns) line += `  ${part}`;
    return line;
  }

  private speed(m: StepMetrics): string {
    const mfu = m.mfu === null ? '' : `  MFU ${percent(m.mfu)} of peak`;
    const speed = `${count(this.smoothed.get('tokens_per_second'))} tok/s${mfu}`;
    return `${speed}  |g| ${short(m.grad_norm)}  lr ${short(m.lr)}  rss ${bytes(m.rss_mb * 1e6)}`;
  }

  /** A step as one line of a log. */
  plain(m: StepMetrics): string {
    const total = this.start.totalSteps;
    const digits = `${total}`.length;
    const head = `step ${pad(`${m.step}`, digits, 'left')}/${total} ${pad(percent(m.step / total), 6, 'left')} eta ${time(this.eta(m))}`;
    const value = (part: Part, key: 'masked_lm' | 'next_sentence'): number => this.smoothed.get(`${key}_${part}`);
    const words = `mlm ${nats(value('loss', 'masked_lm'))} acc ${share(value('accuracy', 'masked_lm'))}`;
    return `${head}  ${words}${this.pairs((part) => value(part, 'next_sentence'))}  ${this.speed(m)}`;
  }

  /** An evaluation as one line of a log. */
  plainEval(e: EvalMetrics, { unigram, bigram }: Floors): string {
    const words = `mlm ${nats(e.eval_masked_lm_loss)} acc ${share(e.eval_masked_lm_accuracy)}`;
    const lines = `(unigram ${nats(unigram)} bigram ${nats(bigram)})`;
    return `held-out ${e.step}  ${words} ${lines}${this.pairs((part) => e[`eval_next_sentence_${part}`])}`;
  }

  private pairs(value: (part: Part) => number): string {
    const task = this.start.sentenceTask;
    return task === 'none' || Number.isNaN(value('loss'))
      ? ''
      : `  ${task} ${nats(value('loss'))} acc ${share(value('accuracy'))}`;
  }

  /** Seconds to the end, at the pace of the last steps, evaluations included. */
  private eta(m: StepMetrics): number {
    const from = this.recent[0] ?? m;
    const steps = m.step - from.step;
    return steps === 0 ? Number.NaN : ((m.seconds - from.seconds) / steps) * (this.start.totalSteps - m.step);
  }
}

/** `我爱吃[MASK]。 → 饭 .50  面 .25  鱼 .16`; where room is short, the text around the mask. */
export function sampleLine(sample: FillSample, columns = Number.POSITIVE_INFINITY): string {
  const answer = ` → ${guesses(sample)}`;
  return around(printable(sample.text), MASK, Math.max(24, columns - width(answer))) + answer;
}

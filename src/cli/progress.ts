import type {
  EvalMetrics,
  FillSample,
  Floors,
  Remark,
  Reporter,
  RunEnd,
  RunStart,
  StepMetrics,
} from '../train/events.js';
import { short } from '../train/remarks.js';
import { auditLines, beforeAndAfter, endLines, guesses, INDENT, lossPlot } from './audit-view.js';
import { printable } from './errors.js';
import type { Point } from './plot.js';
import {
  bytes,
  clip,
  count,
  hasColor,
  isLive,
  type Paint,
  pad,
  painter,
  percent,
  type Style,
  share,
  sparkline,
  time,
  wrap,
} from './ui.js';

/** A stream as a reporter needs it; the process's own, or a test's. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface ReporterOptions {
  /** Where a run is followed. */
  readonly err?: Sink;
  /** Where its result goes; untouched when the run fails. */
  readonly out?: Sink;
  /** Redraw a block instead of writing lines; default: when `err` is a terminal. */
  readonly live?: boolean;
  /** Steps from one plain line to the next; default: about 40 lines a run. */
  readonly logEvery?: number;
  /** Milliseconds, for the throttle. */
  readonly now?: () => number;
}

/** Milliseconds from one drawing to the next. */
const REDRAW = 200;
/** Steps the shown losses are averaged over, about. */
const SMOOTH = 20;
const MOST_POINTS = 600;

const STYLES: Readonly<Record<Remark['severity'], Style>> = { info: 'cyan', warning: 'yellow', error: 'red' };
const nats = (x: number): string => x.toFixed(3);

/** Running means with a half-life of some steps; the first values are not pulled towards 0. */
class Smoothed {
  private readonly sums = new Map<string, number>();
  private weight = 0;

  add(values: Readonly<Record<string, number | null>>): void {
    const keep = this.weight === 0 ? 0 : 1 - 1 / SMOOTH;
    this.weight = keep * this.weight + 1;
    for (const [name, value] of Object.entries(values)) {
      if (value !== null && Number.isFinite(value)) this.sums.set(name, keep * (this.sums.get(name) ?? 0) + value);
    }
  }

  get(name: string): number {
    return (this.sums.get(name) ?? Number.NaN) / this.weight;
  }
}

/** Shows a run in a terminal: a block drawn again and again, or plain lines where nobody is looking. */
class TerminalReporter implements Reporter {
  private readonly err: Sink;
  private readonly out: Sink;
  private readonly live: boolean;
  private readonly now: () => number;
  private readonly paint: Paint;
  private readonly smoothed = new Smoothed();
  private readonly evals: EvalMetrics[] = [];
  private readonly recent: StepMetrics[] = [];
  private points: Point[] = [];
  private stride = 1;
  private begun: RunStart | null = null;
  private firstSamples: readonly FillSample[] = [];
  private lastSamples: readonly FillSample[] = [];
  private drawn = 0;
  private drawnAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ReporterOptions) {
    this.err = options.err ?? process.stderr;
    this.out = options.out ?? process.stdout;
    this.live = options.live ?? isLive(this.err);
    this.now = options.now ?? Date.now;
    this.paint = painter(hasColor(this.err));
  }

  start(start: RunStart): void {
    this.begun = start;
    for (const line of auditLines(start)) this.say(line, INDENT);
  }

  step(metrics: StepMetrics, totalSteps: number): void {
    this.smoothed.add({ ...metrics });
    this.recent.push(metrics);
    if (this.recent.length > 50) this.recent.shift();
    this.keepPoint({ x: metrics.step, y: this.smoothed.get('masked_lm_loss') });
    if (this.live) this.redraw();
    else if (metrics.step % this.every(totalSteps) === 0 || metrics.step === totalSteps) this.say(this.plain(metrics));
  }

  evaluated(metrics: EvalMetrics, floors: Floors): void {
    this.evals.push(metrics);
    if (this.live) return;
    const words = `mlm ${nats(metrics.eval_masked_lm_loss)} acc ${share(metrics.eval_masked_lm_accuracy)}`;
    const lines = `unigram ${nats(floors.unigram)} bigram ${nats(floors.bigram)}`;
    this.say(`held-out ${metrics.step}  ${words} (${lines})${this.pairsOf(metrics, 'eval_')}`);
  }

  samples(samples: readonly FillSample[]): void {
    if (this.firstSamples.length === 0) this.firstSamples = samples;
    this.lastSamples = samples;
    if (!this.live) for (const sample of samples) this.say(`sample ${sample.step}  ${this.sampleLine(sample)}`);
  }

  remark(remark: Remark): void {
    const text = `${remark.severity} at step ${remark.step} [${remark.kind}]: ${printable(remark.text)}`;
    this.say(this.paint(STYLES[remark.severity], text));
  }

  saved(folder: string): void {
    if (!this.live) this.say(`saved ${folder}`);
  }

  end(end: RunEnd): void {
    this.clear();
    const start = this.begun;
    if (start === null) return;
    const picture = lossPlot(this.points, start.floors, Math.min(60, this.columns - 30), 12);
    const probe = this.lastSamples[0]?.text ?? 'Paris is the [MASK] of France.';
    const tokens = this.recent.at(-1)?.tokens ?? 0;
    if (picture !== '') this.out.write(`\nloss of masked words while training\n${picture}\n`);
    if (this.lastSamples.length > 0) this.out.write(`\n${beforeAndAfter(this.firstSamples, this.lastSamples)}\n`);
    const lines = endLines(end, start, tokens, probe);
    const shown = this.out.isTTY ? lines.map((line) => wrap(line, this.columns - 1, INDENT)) : lines;
    this.out.write(`\n${shown.join('\n')}\n`);
  }

  private get columns(): number {
    return this.err.columns ?? 100;
  }

  private every(totalSteps: number): number {
    return this.options.logEvery ?? Math.max(1, Math.round(totalSteps / 40));
  }

  /** Thins the curve to half whenever it is full. */
  private keepPoint(point: Point): void {
    if (point.x % this.stride !== 0) return;
    this.points.push(point);
    if (this.points.length < MOST_POINTS) return;
    this.stride *= 2;
    this.points = this.points.filter((p) => p.x % this.stride === 0);
  }

  /** A line that stays, above the block; broken where somebody reads it, whole where a program does. */
  private say(line: string, indent = 2): void {
    this.clear();
    this.err.write(`${this.live ? wrap(line, this.columns - 1, indent) : line}\n`);
  }

  private clear(): void {
    if (this.drawn > 0) this.err.write(`\u001b[${this.drawn}A\u001b[J`);
    this.drawn = 0;
    this.drawnAt = Number.NEGATIVE_INFINITY;
  }

  private redraw(): void {
    if (this.now() - this.drawnAt < REDRAW) return;
    const lines = this.block().map((line) => clip(line, this.columns - 1));
    const back = this.drawn > 0 ? `\u001b[${this.drawn}A` : '';
    // Each line is overwritten and its old end erased: clearing first would flicker.
    this.err.write(`${back}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
    this.drawn = lines.length;
    this.drawnAt = this.now();
  }

  private block(): string[] {
    const last = this.recent.at(-1);
    const start = this.begun;
    if (last === undefined || start === null) return [];
    const tall = (this.err.rows ?? 24) >= 24;
    const picture = tall ? lossPlot(this.points, start.floors, Math.min(70, this.columns - 30), 8) : '';
    const samples = this.lastSamples.slice(0, 4).map((sample) => `  ${this.sampleLine(sample)}`);
    return [
      this.barLine(last, start.totalSteps),
      this.lossLine('masked words', 'masked_lm', start.floors),
      ...(start.sentenceTask === 'none'
        ? []
        : [this.lossLine(start.sentenceTask.toUpperCase(), 'next_sentence', null)]),
      `  ${pad('', 13)}${this.speed(last)}`,
      ...samples,
      ...(picture === '' ? [] : picture.split('\n')),
    ];
  }

  private barLine(m: StepMetrics, totalSteps: number): string {
    const done = Math.min(1, m.step / totalSteps);
    const cells = Math.max(10, Math.min(40, this.columns - 62));
    const full = Math.round(done * cells);
    const bar = this.paint('green', '━'.repeat(full)) + this.paint('dim', '╌'.repeat(cells - full));
    return `step ${m.step}/${totalSteps} ${bar} ${percent(done)}  ${time(m.seconds)} gone  ETA ${time(this.eta(m, totalSteps))}`;
  }

  private lossLine(name: string, key: 'masked_lm' | 'next_sentence', floors: Floors | null): string {
    const value = (part: string): number => this.smoothed.get(`${key}_${part}`);
    const now = `${this.paint('bold', nats(value('loss')))} acc ${share(value('accuracy'))}`;
    const e = this.evals.at(-1);
    const history = sparkline(this.evals.map((m) => m[`eval_${key}_loss`]));
    const held = e && `held-out ${nats(e[`eval_${key}_loss`])} acc ${share(e[`eval_${key}_accuracy`])} ${history}`;
    const lines = floors && `unigram ${floors.unigram.toFixed(2)} bigram ${floors.bigram.toFixed(2)}`;
    return `  ${pad(name, 13)}${[now, held, lines].filter(Boolean).join('   ')}`;
  }

  private speed(m: StepMetrics): string {
    const mfu = m.mfu === null ? '' : `  MFU ${percent(m.mfu)} of peak`;
    const speed = `${count(this.smoothed.get('tokens_per_second'))} tok/s${mfu}`;
    return `${speed}  |g| ${short(m.grad_norm)}  lr ${short(m.lr)}  rss ${bytes(m.rss_mb * 1e6)}`;
  }

  private plain(m: StepMetrics): string {
    const total = this.begun?.totalSteps ?? m.step;
    const head = `step ${m.step}/${total} ${percent(m.step / total)} eta ${time(this.eta(m, total))}`;
    const words = `mlm ${nats(this.smoothed.get('masked_lm_loss'))} acc ${share(this.smoothed.get('masked_lm_accuracy'))}`;
    const pairs = this.pairsOf(
      {
        next_sentence_loss: this.smoothed.get('next_sentence_loss'),
        next_sentence_accuracy: this.smoothed.get('next_sentence_accuracy'),
      },
      '',
    );
    return `${head}  ${words}${pairs}  ${this.speed(m)}`;
  }

  private pairsOf(metrics: object, prefix: string): string {
    if (this.begun?.sentenceTask === 'none') return '';
    const values = new Map<string, unknown>(Object.entries(metrics));
    const value = (part: string): number => Number(values.get(`${prefix}next_sentence_${part}`));
    return `  ${this.begun?.sentenceTask ?? 'nsp'} ${nats(value('loss'))} acc ${share(value('accuracy'))}`;
  }

  private sampleLine(sample: FillSample): string {
    return `${printable(sample.text)} → ${guesses(sample)}`;
  }

  /** Seconds to the end, at the pace of the last steps, evaluations included. */
  private eta(m: StepMetrics, totalSteps: number): number {
    const from = this.recent[0] ?? m;
    const steps = m.step - from.step;
    return steps === 0 ? Number.NaN : ((m.seconds - from.seconds) / steps) * (totalSteps - m.step);
  }
}

/** A reporter for this process's terminal, or for whatever stands in its place. */
export const createReporter = (options: ReporterOptions = {}): Reporter => new TerminalReporter(options);

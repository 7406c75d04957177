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
import { auditLines, beforeAndAfter, endLines, INDENT, lossPlot } from './audit-view.js';
import { printable } from './errors.js';
import { RunView, sampleLine } from './run-view.js';
import { clip, hasColor, isLive, type Paint, painter, type Style, width, wrap } from './ui.js';

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
/** Rows of a terminal that does not tell. */
const ROWS = 24;
const STYLES: Readonly<Record<Remark['severity'], Style>> = { info: 'cyan', warning: 'yellow', error: 'red' };
const PROBE = 'Paris is the [MASK] of France.';

/** A reporter that can be handed a line of its own: written to the terminal directly, it would tear the block. */
export interface NotingReporter extends Reporter {
  /** Lines that stay, above the block. */
  note(text: string): void;
}

/** Shows a run in a terminal: a block drawn again and again, or plain lines where nobody is looking. */
class TerminalReporter implements NotingReporter {
  private readonly err: Sink;
  private readonly out: Sink;
  private readonly live: boolean;
  private readonly now: () => number;
  private readonly paint: Paint;
  private view: RunView | null = null;
  private drawn: readonly string[] = [];
  private drawnAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ReporterOptions) {
    this.err = options.err ?? process.stderr;
    this.out = options.out ?? process.stdout;
    this.live = options.live ?? isLive(this.err);
    this.now = options.now ?? Date.now;
    this.paint = painter(hasColor(this.err));
  }

  start(start: RunStart): void {
    this.view = new RunView(start, this.paint);
    for (const line of auditLines(start)) this.say(line, INDENT);
  }

  step(metrics: StepMetrics, totalSteps: number): void {
    const { view } = this;
    if (view === null) return;
    view.step(metrics);
    const last = metrics.step === totalSteps;
    if (!this.live) {
      if (last || metrics.step % this.every(totalSteps) === 0) this.say(view.plain(metrics));
    } else if (last || this.now() - this.drawnAt >= REDRAW) this.draw('');
  }

  evaluated(metrics: EvalMetrics, floors: Floors): void {
    this.view?.evaluated(metrics);
    if (!this.live && this.view !== null) this.say(this.view.plainEval(metrics, floors));
  }

  samples(samples: readonly FillSample[]): void {
    this.view?.samples(samples);
    if (!this.live) for (const sample of samples) this.say(`sample ${sample.step}  ${sampleLine(sample)}`);
  }

  remark(remark: Remark): void {
    const text = `${remark.severity} at step ${remark.step} [${remark.kind}]: ${printable(remark.text)}`;
    this.say(this.paint(STYLES[remark.severity], text));
  }

  note(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.say(line);
  }

  saved(folder: string): void {
    if (!this.live) this.say(`saved ${printable(folder)}`);
  }

  end(end: RunEnd): void {
    this.err.write(this.erase());
    this.drawn = [];
    const { view } = this;
    if (view === null) return;
    const columns = this.out.isTTY ? (this.out.columns ?? 100) - 1 : Number.POSITIVE_INFINITY;
    const picture = lossPlot(view.points, view.start.floors, Math.min(60, columns - 29), 12);
    if (picture !== '') this.out.write(`\nloss of masked words while training\n${picture}\n`);
    const { firstSamples, lastSamples } = view;
    if (lastSamples.length > 0) this.out.write(`\n${beforeAndAfter(firstSamples, lastSamples, columns)}\n`);
    const lines = endLines(end, view.start, view.last?.tokens ?? 0, lastSamples[0]?.text ?? PROBE);
    this.out.write(`\n${lines.map((line) => wrap(line, columns, INDENT)).join('\n')}\n`);
  }

  private get columns(): number {
    return this.err.columns ?? 100;
  }

  private every(totalSteps: number): number {
    return this.options.logEvery ?? Math.max(1, Math.round(totalSteps / 40));
  }

  /** A line that stays, above the block; broken where somebody reads it, whole where a program does. */
  private say(line: string, indent = 2): void {
    if (this.live) this.draw(`${wrap(line, this.columns - 1, indent)}\n`);
    else this.err.write(`${line}\n`);
  }

  /** Moves to the block's first line. A terminal made narrower meanwhile has broken its lines. */
  private back(): string {
    const rows = this.drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(width(line) / this.columns)), 0);
    return rows > 0 ? `\u001b[${rows}A\r` : '';
  }

  private erase(): string {
    return this.drawn.length > 0 ? `${this.back()}\u001b[J` : '';
  }

  /**
   * Writes `above` and the block below it, in one piece. Lines are overwritten and their old ends erased, not cleared
   * first: that would flicker.
   */
  private draw(above: string): void {
    const rows = this.err.rows ?? ROWS;
    const block = this.view?.block(this.columns - 1, rows).slice(0, rows - 1) ?? [];
    const lines = block.map((line) => clip(line, this.columns - 1));
    const start = above === '' ? this.back() : this.erase();
    this.err.write(`${start}${above}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
    this.drawn = lines;
    if (lines.length > 0) this.drawnAt = this.now();
  }
}

/** A reporter for this process's terminal, or for whatever stands in its place. */
export const createReporter = (options: ReporterOptions = {}): NotingReporter => new TerminalReporter(options);

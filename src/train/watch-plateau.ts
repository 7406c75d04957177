import type { RunStart } from './events.js';
import { type Remarks, short } from './remarks.js';
import type { WatchSettings } from './watch-data.js';

/** Steps without progress, after warm-up, that make a plateau. */
const PATIENCE = { least: 200, most: 1000, shareOfRun: 0.25 };
/** Progress: nats that the loss has to fall by within the patience. */
const PROGRESS = 0.05;
/** Nats around a line that count as on it. */
const ON_LINE = 0.1;
/** Share of picked words that stay as they are (google-research/bert create_pretraining_data.py:393). */
const KEPT = 0.1;

const nats = (x: number): string => x.toFixed(2);

/**
 * A rate that leaves the plateau at this width. 2e-3 does at 128, where 1e-4 never did (own trials); wider models
 * need less, about as 1 / width (Yang et al. 2022, arXiv:2203.03466), and 768 is trained with 1e-4 to 4e-4.
 */
const rateFor = (hiddenSize: number): number => Number(Math.min(4e-3, (2e-3 * 128) / hiddenSize).toPrecision(1));

/** What to do about a loss that does not fall. */
export function rateAdvice({ hiddenSize, peakLr }: WatchSettings): string {
  const good = rateFor(hiddenSize);
  const here = `--lr ${short(peakLr)}`;
  if (peakLr < 0.7 * good) return `${here} is low for width ${hiddenSize}: try --lr ${short(good)}`;
  if (peakLr > 3 * good) return `${here} is high for width ${hiddenSize}: try --lr ${short(good)}`;
  return `${here} suits width ${hiddenSize}: begin on short sequences (--first-seq 16), train longer, or on more text`;
}

/**
 * Where the loss stands among its floors. A model that looks at no context can still copy the picked words that were
 * kept; that is worth at most their share of the unigram entropy, since a loss of a word is never below 0. Only what
 * is lower proves that context is used.
 */
export class PlateauWatch {
  /** Steps without progress that are worth a warning. */
  readonly patience: number;
  private lowest = { loss: Number.POSITIVE_INFINITY, step: 0 };
  private firstStep: number | null = null;

  constructor(
    private readonly start: RunStart,
    private readonly settings: WatchSettings,
    private readonly remarks: Remarks,
  ) {
    const { least, most, shareOfRun } = PATIENCE;
    this.patience = Math.min(most, Math.max(least, Math.round(shareOfRun * start.totalSteps)));
  }

  /** @param which 'held-out' or 'training' */
  look(step: number, loss: number, which: string): void {
    this.firstStep ??= step;
    if (loss < this.lowest.loss - PROGRESS) this.lowest = { loss, step };
    const here = `${which} masked_lm_loss ${nats(loss)}`;
    const idle = step - Math.max(this.lowest.step, this.settings.warmupSteps, this.firstStep);
    this.warn(step, loss, here, idle);
    this.praise(step, loss, here);
  }

  private get withCopies(): number {
    return (1 - KEPT) * this.start.floors.unigram;
  }

  private warn(step: number, loss: number, here: string, idle: number): void {
    const { uniform, unigram } = this.start.floors;
    const stuck = idle >= this.patience && loss >= this.withCopies;
    const atStart = loss > Math.max(uniform - ON_LINE, unigram + ON_LINE);
    const advice = rateAdvice(this.settings);
    const untaught = `${here} has stood at ln V = ${nats(uniform)} for ${idle} steps: nothing is learnt; ${advice}`;
    this.remarks.when(step, 'stuck-at-uniform', 'warning', stuck && atStart && untaught);
    const where =
      loss > unigram - ON_LINE
        ? `has stood at the unigram line ${nats(unigram)} for ${idle} steps: it predicts word frequencies and ignores context`
        : `has stood for ${idle} steps where frequencies and copying of kept words lead (${nats(this.withCopies)} to ${nats(unigram)}): context is hardly used`;
    this.remarks.when(step, 'pinned-at-unigram', 'warning', stuck && !atStart && `${here} ${where}; ${advice}`);
  }

  private praise(step: number, loss: number, here: string): void {
    const { unigram, bigram } = this.start.floors;
    const below = (line: number, name: string): string => `${here} is below ${name} ${nats(line)} since step ${step}`;
    const left = `${below(unigram, 'the unigram line')}: the model has begun to look at its input`;
    this.remarks.once(step, 'left-plateau', 'info', loss < unigram - ON_LINE && left);
    const uses = `${below(this.withCopies, 'all that frequencies and copying kept words can reach,')}: it uses context`;
    this.remarks.once(step, 'uses-context', 'info', loss < this.withCopies && uses);
    const knows = `${below(bigram, 'the bigram line')}: it knows more than the word before tells`;
    this.remarks.once(step, 'below-bigram', 'info', loss < bigram && knows);
  }
}

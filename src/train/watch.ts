import type { EvalMetrics, FillSample, Remark, RunStart, StepMetrics } from './events.js';
import { pairGuess } from './guessing.js';
import { Remarks, short } from './remarks.js';
import { type WatchSettings, watchData } from './watch-data.js';
import { PlateauWatch, rateAdvice } from './watch-plateau.js';

export type { WatchSettings } from './watch-data.js';

/** Steps that are looked back on. */
const WINDOW = 100;
/** Steps within which a task should not be solved, and after which guessing is worth a word. */
const EARLY = 500;

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const nats = (x: number): string => x.toFixed(2);

function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - centre) ** 2)));
}

/**
 * The training doctor: sees all that a run reports and says, in one line each with the run's own numbers, what it
 * makes of it and what to do. The same events give the same remarks.
 */
export class TrainingDoctor {
  private readonly remarks = new Remarks();
  private readonly plateau: PlateauWatch;
  private readonly steps: StepMetrics[] = [];
  private readonly evals: EvalMetrics[] = [];
  private usualSpeed: number | null = null;

  constructor(
    private readonly start: RunStart,
    private readonly settings: WatchSettings,
  ) {
    this.plateau = new PlateauWatch(start, settings, this.remarks);
  }

  /** Before the first step: the data. */
  begin(): Remark[] {
    return watchData(this.start);
  }

  step(metrics: StepMetrics): Remark[] {
    const finite = Number.isFinite(metrics.loss) && Number.isFinite(metrics.grad_norm);
    const broken = `loss ${metrics.loss}, gradient norm ${metrics.grad_norm}: the step is skipped; if it comes again, lower --lr (now ${short(metrics.lr)}) or lengthen the warm-up`;
    this.remarks.when(metrics.step, 'non-finite', 'error', !finite && broken);
    if (!finite) return this.remarks.take();
    this.lookForSpike(metrics);
    this.steps.push(metrics);
    if (this.steps.length > WINDOW) this.steps.shift();
    this.lookAtOptimizer(metrics);
    this.lookAtSpeed(metrics);
    this.lookAtHits(metrics);
    this.lookForCopying(metrics);
    if (this.steps.length === WINDOW) {
      if (this.evals.length === 0) this.plateau.look(metrics.step, this.average('masked_lm_loss'), 'training');
      this.lookAtPairs(metrics);
    }
    return this.remarks.take();
  }

  evaluated(metrics: EvalMetrics): Remark[] {
    if (Number.isFinite(metrics.eval_masked_lm_loss)) {
      this.evals.push(metrics);
      this.plateau.look(metrics.step, metrics.eval_masked_lm_loss, 'held-out');
      this.lookForOverfitting(metrics);
    }
    return this.remarks.take();
  }

  samples(samples: readonly FillSample[]): Remark[] {
    const step = samples[0]?.step ?? 0;
    const words = samples.map((s) => s.predictions[0]?.token);
    const texts = new Set(samples.map((s) => s.text));
    const alike = step > 0 && texts.size > 1 && new Set(words).size === 1;
    const late = step > this.settings.warmupSteps + this.plateau.patience;
    const text = `"${words[0]}" is the first guess in all ${samples.length} sample sentences: the model predicts frequencies and ignores context`;
    const advice = rateAdvice(this.settings);
    this.remarks.once(step, 'same-predictions', 'info', alike && !late && `${text}; normal early in a run`);
    this.remarks.when(step, 'same-predictions-late', 'warning', alike && late && `${text}; ${advice}`);
    return this.remarks.take();
  }

  private average(key: 'masked_lm_loss' | 'masked_lm_accuracy', last = WINDOW): number {
    return mean(this.steps.slice(-last).map((m) => m[key]));
  }

  private lookAtPairs({ step }: StepMetrics): void {
    const { sentenceTask, totalSteps, data } = this.start;
    const seen = this.steps.flatMap((m) => m.next_sentence_accuracy ?? []);
    if (sentenceTask === 'none' || seen.length < WINDOW) return; // a first part of the run may have no pairs
    const accuracy = mean(seen);
    const chance = pairGuess(data.label1Share).accuracy;
    // Order takes longer to learn than topic (Lan et al. 2020, arXiv:1909.11942, table 5).
    const late = step > Math.max(2000, 0.5 * totalSteps) * (sentenceTask === 'sop' ? 2.5 : 1);
    const above = accuracy - chance;
    const atChance = step >= EARLY && above < 0.04;
    const name = sentenceTask.toUpperCase();
    const here = `${name} accuracy ${accuracy.toFixed(3)} in the last ${WINDOW} steps, ${chance.toFixed(2)} by guessing`;
    this.remarks.once(step, 'nsp-at-chance', 'info', atChance && !late && `${here}: normal early in a run`);
    const advice =
      'look at the decoded rows: are sentences A and B told apart, and are both labels there? A larger --lr may help';
    // It has recovered only when it is clearly better: a value that hovers at the threshold is one warning.
    if (atChance || above > 0.08)
      this.remarks.when(step, 'nsp-at-chance-late', 'warning', atChance && late && `${here}; ${advice}`);
    const why =
      sentenceTask === 'nsp'
        ? 'the topic alone gives the pairs away, so order is not learnt; --sop asks for order'
        : 'something besides the order gives the pairs away; look at the decoded rows';
    const easy = step <= EARLY && accuracy >= 0.995;
    this.remarks.once(step, 'nsp-too-easy', 'warning', easy && `${here}, at step ${step}: ${why}`);
  }

  private lookAtHits({ step }: StepMetrics): void {
    // Guessing the most frequent token everywhere would hit this often; of 20 expected, none comes by chance: e^-20.
    const expected = WINDOW * this.start.lossPositions * this.start.floors.mostFrequentShare;
    const ready = this.steps.length === WINDOW && step > this.settings.warmupSteps + WINDOW && expected > 20;
    const silent = ready && this.steps.every((m) => m.masked_lm_accuracy === 0);
    const text = `no masked word was guessed in ${WINDOW} steps, where the most frequent token alone would hit ${expected.toFixed(0)} times: check that the labels are the original ids and stand at the masked places`;
    this.remarks.when(step, 'masks-never-hit', 'warning', silent && text);
  }

  private lookForCopying({ step }: StepMetrics): void {
    if (step > 200 || this.steps.length < 20) return;
    const accuracy = this.average('masked_lm_accuracy', 20);
    const text = `masked_lm_accuracy ${accuracy.toFixed(2)} by step ${step} is too good to be guessed: check that the loss counts picked places only, and that they are masked in the input`;
    this.remarks.once(step, 'masks-copied', 'warning', accuracy > 0.95 && text);
  }

  private lookAtOptimizer({ step, loss, grad_norm }: StepMetrics): void {
    const recent = this.steps.slice(-20);
    if (recent.length < 20 || step >= this.start.totalSteps) return;
    const losses = recent.map((m) => m.loss);
    const since = `over the last ${recent.length} steps`;
    const noRate = recent.every((m) => m.lr === 0) && `the learning rate is 0 ${since}: look at --lr and --warmup`;
    const flat = `the gradient norm is ${short(grad_norm)} ${since}: the loss does not depend on the weights; start again with a lower --lr`;
    const noGradient = recent.every((m) => m.grad_norm < 1e-7) && flat;
    const same = `the loss is ${nats(loss)}, unchanged to 1e-6 ${since}: the weights do not move; raise --lr`;
    const still = Math.max(...losses) - Math.min(...losses) < 1e-6 && same;
    this.remarks.when(step, 'dead-optimizer', 'error', noRate || noGradient || still);
  }

  /** Called before the step joins the window it is compared with. */
  private lookForSpike({ step, loss, grad_norm }: StepMetrics): void {
    if (this.steps.length < 30) return;
    const norm = median(this.steps.map((m) => m.grad_norm));
    const losses = this.steps.map((m) => m.loss);
    const spike = grad_norm > 10 * norm && loss > mean(losses) + 6 * Math.max(deviation(losses), 1e-3);
    const text = `a spike: gradient norm ${short(grad_norm)} (usually ${short(norm)}), loss ${nats(loss)} (usually ${nats(mean(losses))}); one is harmless, several ask for a lower --lr`;
    this.remarks.when(step, 'gradient-spike', 'warning', spike && text);
  }

  private lookForOverfitting({ step, eval_masked_lm_loss: loss }: EvalMetrics): void {
    const losses = this.evals.map((m) => m.eval_masked_lm_loss);
    const low = Math.min(...losses.slice(0, -3));
    const rising = losses.length > 3 && losses.slice(-3).every((l) => l > low + 0.03) && loss > low + 0.1;
    const training = this.steps.length === 0 ? Number.NaN : this.average('masked_lm_loss');
    const best = this.evals[losses.indexOf(low)]?.step;
    const text = `held-out masked_lm_loss ${nats(loss)} rises (lowest ${nats(low)} at step ${best}) while training's is ${nats(training)}: it learns by heart; keep the best checkpoint, take more text or a smaller model`;
    this.remarks.when(step, 'overfitting', 'warning', rising && training < loss - 0.3 && text);
  }

  private lookAtSpeed({ step, rss_mb }: StepMetrics): void {
    if (this.steps.length < WINDOW) return;
    // A run begins slowly: cold caches, kernels not compiled yet.
    this.usualSpeed ??= median(this.steps.slice(WINDOW / 5).map((m) => m.tokens_per_second));
    const now = median(this.steps.slice(-30).map((m) => m.tokens_per_second));
    const text = `${now.toFixed(0)} tokens/s, ${this.usualSpeed.toFixed(0)} at first: another program takes the cores, the machine is hot, or memory is short (rss ${rss_mb.toFixed(0)} MB)`;
    const slow = now < 0.6 * this.usualSpeed;
    if (slow || now > 0.8 * this.usualSpeed) this.remarks.when(step, 'slower', 'warning', slow && text);
  }
}

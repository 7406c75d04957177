import { type BertgradError, IoError, NumericError } from '../core/errors.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { EvalMetrics, FillSample, Remark, Reporter, RunEnd, RunStart, StepMetrics } from './events.js';
import { fillMask } from './fill-mask.js';
import { short } from './remarks.js';
import type { StepOutcome, Trainer } from './trainer.js';
import type { TrainingDoctor } from './watch.js';

/** How long a run goes on, and how often it looks up. Steps; 0: never. */
export interface LoopOptions {
  readonly totalSteps: number;
  readonly evalEvery: number;
  readonly saveEvery: number;
  readonly sampleEvery: number;
  /** Texts with [MASK] that the model is asked again and again. */
  readonly sampleTexts: readonly string[];
  /** Seconds after which the run saves and stops; Infinity: never. */
  readonly maxSeconds: number;
}

/** What the loop needs of the world: somebody to show the run to, a place to save it, and a word when to stop. */
export interface LoopHost {
  readonly reporter: Reporter;
  readonly doctor: TrainingDoctor;
  readonly tokenizer: Tokenizer;
  /** Aborted when the run should save and stop after the step it is in. */
  readonly stop: AbortSignal;
  /** What is to be said before the first step, besides the doctor's. */
  readonly firstRemarks: readonly Remark[];
  /** Seconds that earlier sessions of a resumed run took. */
  readonly secondsBefore: number;
  /** GFLOP/s that the machine can do at most, measured now; null: not known of this backend. */
  measurePeak(): number | null;
  /** Whether somebody asked for a checkpoint since the last look. */
  saveRequested(): boolean;
  /**
   * Writes a checkpoint.
   * @param evaluated what was measured at this very step, if anything was: the best one is kept
   * @returns its folder. @throws {IoError} a full disk, say
   */
  save(seconds: number, evaluated: EvalMetrics | null): Promise<string>;
}

/** Failed steps, and failed saves, in a row that end a run. */
const MOST_FAILURES = 3;

/** Trains until the last step, a signal, or the time is up: step, measure, look, save. */
export class Loop {
  private readonly begun = performance.now();
  private lastEval: EvalMetrics | null = null;
  private checkpoint: string | null = null;
  private savedAt = -1;
  private failedSaves = 0;
  /** GFLOP/s */
  private peak: number | null;

  constructor(
    private readonly trainer: Trainer,
    private readonly start: RunStart,
    private readonly options: LoopOptions,
    private readonly host: LoopHost,
  ) {
    this.peak = start.peakGflops;
  }

  async run(): Promise<RunEnd> {
    const { state } = this.trainer;
    this.host.reporter.start(this.start);
    this.remark([...this.host.firstRemarks, ...this.host.doctor.begin()]);
    if (this.start.resumedFrom === null) await this.begin();
    while (this.goesOn()) {
      const from = performance.now();
      const outcome = await this.trainer.step();
      this.measure(outcome, (performance.now() - from) / 1000);
      if (outcome.broken !== null) await this.skipped(outcome.broken, outcome.lr);
      const last = state.step >= this.options.totalSteps;
      await this.look(this.due(this.options.evalEvery) || last, this.due(this.options.sampleEvery) || last);
      if ((this.due(this.options.saveEvery) || this.host.saveRequested()) && !last) await this.save();
      await new Promise(setImmediate); // signals are heard between steps
    }
    if (this.savedAt !== state.step) await this.save(true);
    return this.ending();
  }

  /** From here on there is something to go on from; and a folder that cannot be written is found before step 1. */
  private async begin(): Promise<void> {
    await this.look(true, true);
    await this.save(true);
  }

  private get seconds(): number {
    return this.host.secondsBefore + (performance.now() - this.begun) / 1000;
  }

  private due(every: number): boolean {
    return every > 0 && this.trainer.state.step % every === 0;
  }

  private reason(): RunEnd['reason'] {
    if (this.trainer.state.step >= this.options.totalSteps) return 'done';
    return this.host.stop.aborted ? 'signal' : 'max-time';
  }

  private goesOn(): boolean {
    const timeLeft = (performance.now() - this.begun) / 1000 < this.options.maxSeconds;
    return this.trainer.state.step < this.options.totalSteps && !this.host.stop.aborted && timeLeft;
  }

  private measure(o: StepOutcome, seconds: number): void {
    const { step, tokens } = this.trainer.state;
    const metrics: StepMetrics = {
      step,
      tokens,
      loss: o.mlmLoss + o.sentenceLoss,
      masked_lm_loss: o.mlmLoss,
      masked_lm_accuracy: o.maskedHits / Math.max(1, o.masked),
      next_sentence_loss: o.labelled === 0 ? null : o.sentenceLoss,
      next_sentence_accuracy: o.labelled === 0 ? null : o.sentenceHits / o.labelled,
      lr: o.lr,
      grad_norm: o.gradNorm,
      tokens_per_second: o.tokens / seconds,
      mfu: this.shareOfPeak(o.flops / seconds / 1e9),
      seconds: this.seconds,
      rss_mb: process.memoryUsage.rss() / 1e6,
    };
    this.host.reporter.step(metrics, this.options.totalSteps);
    this.remark(this.host.doctor.step(metrics));
  }

  /** Whoever passes the peak shows that other programs ran while it was measured: then it is measured again. */
  private shareOfPeak(gflops: number): number | null {
    if (this.peak === null) return null;
    if (gflops > this.peak) this.peak = Math.max(gflops, this.host.measurePeak() ?? 0);
    return gflops / this.peak;
  }

  /** A step that broke left weights and moments as they were; the third in a row ends the run, after a save. */
  private async skipped(broken: string, lr: number): Promise<void> {
    const { step, skipped } = this.trainer.state;
    const text = `step ${step}: the first thing that is not finite is ${broken}; the step is skipped (${skipped} of ${MOST_FAILURES} in a row)`;
    this.remark([{ step, kind: 'non-finite-op', severity: 'error', text }]);
    if (skipped < MOST_FAILURES) return;
    if (!broken.startsWith('parameter')) await this.save(true); // weights that are broken themselves help nobody
    throw new NumericError(`${skipped} steps in a row were not finite; first: ${broken}`, {
      code: 'TRAIN-NAN',
      where: `step ${step}, learning rate ${short(lr)}; last checkpoint: ${this.checkpoint ?? 'none'}`,
      fix: 'go on from the checkpoint with a lower --lr, or start again with a longer --warmup',
    });
  }

  private async look(evaluate: boolean, sample: boolean): Promise<void> {
    if (evaluate) {
      const metrics = await this.trainer.evaluate();
      if (metrics !== null) {
        this.lastEval = metrics;
        this.host.reporter.evaluated(metrics, this.start.floors);
        this.remark(this.host.doctor.evaluated(metrics));
      }
    }
    if (sample && this.options.sampleTexts.length > 0) {
      const samples = await this.sample();
      this.host.reporter.samples(samples);
      this.remark(this.host.doctor.samples(samples));
    }
  }

  private async sample(): Promise<FillSample[]> {
    const samples: FillSample[] = [];
    for (const text of this.options.sampleTexts) {
      const [guesses] = await fillMask(this.trainer.model, this.host.tokenizer, text);
      samples.push({ step: this.trainer.state.step, text, predictions: guesses });
    }
    return samples;
  }

  /** A save that fails under way costs nothing yet: the run goes on and tries again at the next interval. */
  private async save(last = false): Promise<void> {
    const { step } = this.trainer.state;
    try {
      const evaluated = this.lastEval?.step === step ? this.lastEval : null;
      this.checkpoint = await this.host.save(this.seconds, evaluated);
    } catch (error) {
      this.failedSaves++;
      if (!(error instanceof IoError) || last || this.failedSaves >= MOST_FAILURES) throw error;
      this.remark([{ step, kind: 'save-failed', severity: 'warning', text: saveFailed(error) }]);
      return;
    }
    this.savedAt = step;
    this.failedSaves = 0;
    this.host.reporter.saved(this.checkpoint);
  }

  private remark(remarks: readonly Remark[]): void {
    for (const remark of remarks) this.host.reporter.remark(remark);
  }

  private ending(): RunEnd {
    const { step } = this.trainer.state;
    return {
      step,
      reason: this.reason(),
      seconds: this.seconds,
      report: null,
      checkpoint: this.checkpoint,
      lastEval: this.lastEval,
    };
  }
}

const saveFailed = (error: BertgradError): string =>
  `no checkpoint was written: ${error.message}; training goes on and tries again at the next one${error.fix === undefined ? '' : `; ${error.fix}`}`;

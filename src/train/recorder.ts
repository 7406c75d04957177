import { join } from 'node:path';
import { IoError } from '../core/errors.js';
import { JsonLog } from '../io/jsonl.js';
import { RUN } from '../io/run-folder.js';
import { EventWriter } from '../io/tensorboard.js';
import type { EvalMetrics, FillSample, Floors, Remark, Reporter, RunEnd, RunStart, StepMetrics } from './events.js';

/** Several reporters as one; each hears everything, in this order. */
export function fanOut(reporters: readonly Reporter[]): Reporter {
  const each = (tell: (reporter: Reporter) => void): void => {
    for (const reporter of reporters) tell(reporter);
  };
  return {
    start: (start) => each((r) => r.start(start)),
    step: (metrics, totalSteps) => each((r) => r.step(metrics, totalSteps)),
    evaluated: (metrics, floors) => each((r) => r.evaluated(metrics, floors)),
    samples: (samples) => each((r) => r.samples(samples)),
    remark: (remark) => each((r) => r.remark(remark)),
    saved: (folder) => each((r) => r.saved(folder)),
    end: (end) => each((r) => r.end(end)),
  };
}

/** Measures of a step by TensorBoard's tags. */
function scalarsOf(m: StepMetrics): Record<string, number> {
  const { next_sentence_loss: loss, next_sentence_accuracy: accuracy } = m;
  return {
    'train/masked_lm_loss': m.masked_lm_loss,
    'train/masked_lm_accuracy': m.masked_lm_accuracy,
    ...(loss === null ? {} : { 'train/next_sentence_loss': loss }),
    ...(accuracy === null ? {} : { 'train/next_sentence_accuracy': accuracy }),
    'optimizer/lr': m.lr,
    'optimizer/grad_norm': m.grad_norm,
    'speed/tokens_per_second': m.tokens_per_second,
    ...(m.mfu === null ? {} : { 'speed/mfu': m.mfu }),
    'speed/rss_mb': m.rss_mb,
  };
}

function evalScalarsOf(m: EvalMetrics, sentences: boolean): Record<string, number> {
  const pairs = {
    'eval/next_sentence_loss': m.eval_next_sentence_loss,
    'eval/next_sentence_accuracy': m.eval_next_sentence_accuracy,
  };
  return {
    'eval/masked_lm_loss': m.eval_masked_lm_loss,
    'eval/masked_lm_accuracy': m.eval_masked_lm_accuracy,
    ...(sentences ? pairs : {}),
  };
}

const escaped = (text: string): string => text.replace(/[\\`*_[\]<>|]/g, '\\$&');
const asMarkdown = ({ text, predictions }: FillSample): string =>
  `${escaped(text)} → ${predictions.map((p) => `${escaped(p.token)} ${p.probability.toFixed(3)}`).join(', ')}`;

/** A line of sessions.jsonl: what a session began or ended with. */
export interface SessionLine {
  readonly step: number;
  /** ISO 8601 */
  readonly at: string;
  readonly start?: RunStart;
  readonly end?: RunEnd;
}

/**
 * Writes a run down in its folder: metrics.jsonl, samples.jsonl, remarks.jsonl, sessions.jsonl, and events for
 * TensorBoard in tb/. A full disk does not stop a run: records wait, and only the end insists on them.
 */
export class Recorder implements Reporter {
  private readonly metrics: JsonLog;
  private readonly fills: JsonLog;
  private readonly remarks: JsonLog;
  private readonly sessions: JsonLog;
  private readonly events: EventWriter;
  private readonly startStep: number;
  private sentences = true;
  private open = true;

  /**
   * @param resumedStep the step that this session goes on from, null for a new run; lines of later steps are cut off
   * @param warn is told when nothing can be written
   * @throws {OutputError} no such folder, no permission
   */
  constructor(folder: string, resumedStep: number | null, warn: (text: string) => void) {
    this.startStep = resumedStep ?? 0;
    const log = (name: string): JsonLog => new JsonLog(join(folder, name), this.startStep, warn);
    this.metrics = log(RUN.metrics);
    this.fills = log(RUN.samples);
    this.remarks = log(RUN.remarks);
    this.sessions = log(RUN.sessions);
    this.events = new EventWriter(join(folder, RUN.events), resumedStep, warn);
  }

  start(start: RunStart): void {
    this.sentences = start.sentenceTask !== 'none';
    const line: SessionLine = { step: this.startStep, at: new Date().toISOString(), start };
    this.sessions.append(line);
  }

  step(metrics: StepMetrics): void {
    this.metrics.append(metrics);
    this.events.scalars(metrics.step, scalarsOf(metrics));
  }

  evaluated(metrics: EvalMetrics, _floors: Floors): void {
    this.metrics.append(metrics);
    this.events.scalars(metrics.step, evalScalarsOf(metrics, this.sentences));
  }

  samples(samples: readonly FillSample[]): void {
    for (const sample of samples) this.fills.append(sample);
    const [first] = samples;
    if (first !== undefined) this.events.text(first.step, 'samples', samples.map(asMarkdown).join('\n\n'));
  }

  remark(remark: Remark): void {
    this.remarks.append(remark);
    this.events.text(remark.step, 'remarks', `**${remark.severity}** ${escaped(remark.text)}`);
  }

  /** Flushes, so that after a loss of power the curves reach at least as far as the checkpoint. */
  saved(_folder: string): void {
    for (const file of this.files()) {
      try {
        file.flush();
      } catch (error) {
        if (!(error instanceof IoError)) throw error; // a full disk: it was told of, and the next record tries again
      }
    }
  }

  end(end: RunEnd): void {
    const line: SessionLine = { step: end.step, at: new Date().toISOString(), end };
    this.sessions.append(line);
    this.close();
  }

  /** For runs that end by an error, too. @throws {IoError} records are left that could not be written */
  close(): void {
    if (!this.open) return;
    this.open = false;
    for (const file of this.files()) file.close();
  }

  private files(): readonly { flush(): void; close(): void }[] {
    return [this.metrics, this.fills, this.remarks, this.sessions, this.events];
  }
}

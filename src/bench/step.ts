import type { Backend } from '../backend/backend.js';
import { useBackend } from '../backend/select.js';
import { type KernelCall, type Total, Trace } from '../backend/trace.js';
import { preset } from '../bert/config.js';
import { BertForPreTraining } from '../bert/pretraining.js';
import { Rng } from '../core/random.js';
import type { BertSizes } from '../ops/op.js';
import { Trainer } from '../train/trainer.js';
import { bertSizes } from './case.js';
import { randomBatch } from './random-batch.js';
import { median } from './stats.js';

/** Where the time of one pre-training step goes. */
export interface StepProfile {
  readonly model: string;
  readonly batch: number;
  readonly seq: number;
  /** Milliseconds of the step that was profiled, and the median of steps that were not. */
  readonly wall: number;
  readonly undisturbed: number;
  readonly tokensPerSecond: number;
  /** Share of the multiply-adds that the machine was measured to do; null: not measured. */
  readonly mfu: number | null;
  /** Bytes of tensors at their most. */
  readonly peakBytes: number;
  /** The longest first; with `notInKernels` they sum up to the wall time. */
  readonly totals: readonly Total[];
  readonly notInKernels: number;
  readonly calls: readonly KernelCall[];
  /** When the step began, on the clock of the calls. */
  readonly begin: number;
}

/** Random ids have a stream of their own. */
const STREAM_BATCH = 912;
const WARM = 2;
const TIMED = 3;

function trainerOf(model: string, sizes: BertSizes): Trainer {
  const one = randomBatch(new Rng(1, STREAM_BATCH), sizes);
  const schedule = { name: 'constant', peak: 1e-4, warmupSteps: 0, totalSteps: 1e6 } as const;
  return new Trainer(
    new BertForPreTraining(preset(model, { vocabSize: sizes.vocab }), { seed: 0 }),
    { batchAt: () => one, evalBatches: () => [] },
    { seed: 0, packing: 'packed', accumulate: 1, schedule, adamw: {} },
  );
}

/**
 * Trains a few steps on random ids and times every kernel of the last one.
 * @returns null where the backend does not time its kernels
 */
export async function profileStep(
  backend: Backend,
  model: string,
  batch: number,
  seq: number,
  vocab?: number,
): Promise<StepProfile | null> {
  if (backend.trace === undefined) return null;
  useBackend(backend);
  const trainer = trainerOf(model, bertSizes(model, batch, seq, vocab));
  try {
    for (let i = 0; i < WARM; i++) await trainer.step();
    const times: number[] = [];
    let flops = 0;
    for (let i = 0; i < TIMED; i++) {
      const from = performance.now();
      ({ flops } = await trainer.step());
      times.push(performance.now() - from);
    }
    const trace = new Trace();
    backend.trace = trace;
    const begin = performance.now();
    await trainer.step();
    await backend.flush();
    const wall = performance.now() - begin;
    backend.trace = null;
    const undisturbed = median(times);
    const peak = backend.fmaPeak?.() ?? null;
    return {
      ...{ model, batch, seq, wall, undisturbed, begin, calls: trace.calls, totals: trace.totals },
      tokensPerSecond: (1000 * batch * seq) / undisturbed,
      mfu: peak === null ? null : flops / undisturbed / 1e6 / peak,
      peakBytes: backend.peakBytes,
      notInKernels: wall - trace.ms,
    };
  } finally {
    backend.trace = null;
    trainer.dispose();
  }
}

import type { Backend } from '../backend/backend.js';
import { useBackend } from '../backend/select.js';
import { type KernelCall, type Total, Trace } from '../backend/trace.js';
import { VOCAB } from './case.js';
import { trainerOf } from './model-work.js';
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

const WARM = 2;
const TIMED = 3;

/**
 * Trains a few steps on random ids and times every kernel of the last one.
 * @returns null where the backend does not time its kernels
 */
export async function profileStep(
  backend: Backend,
  model: string,
  batch: number,
  seq: number,
  vocab = VOCAB,
): Promise<StepProfile | null> {
  if (backend.trace === undefined) return null;
  useBackend(backend);
  const trainer = trainerOf({ kind: 'train', model, batch, seq, vocab });
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

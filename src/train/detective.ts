import { withObserver } from '../autograd/apply.js';
import type { Backend, Buf } from '../backend/backend.js';
import type { BertForPreTraining } from '../bert/pretraining.js';
import type { PretrainBatch } from '../data/batch.js';
import { mulScalar } from '../ops/elementwise.js';
import { accumulateGradients, type StepKeys } from './step.js';

/**
 * Runs a broken step again, number for number, and names the first thing in it that is not finite: a parameter, or
 * the result of an op, forward or backward. Random numbers are counted, not drawn from a state, so the second run is
 * the first one over again. Gradients are left dirty; the caller clears them before the next step.
 * @returns for example 'op "softmax" (call 12 of the step), result [64, 128]', or null when the step was fine
 */
export async function firstNonFinite(
  model: BertForPreTraining,
  parts: readonly PretrainBatch[],
  options: StepKeys,
): Promise<string | null> {
  const { backend } = model.bert.embeddings.word.weight;
  for (const [name, parameter] of model.namedParameters()) {
    if (!(await allFinite(backend, parameter.buf))) return `parameter "${name}"`;
  }
  const checks: { what: string; flag: Buf }[] = [];
  const see: Parameters<typeof withObserver>[0] = (op, out) => {
    if (out.dtype === 'i32') return;
    checks.push({
      what: `op "${op.name}" (call ${checks.length + 1} of the step), result [${out.shape.join(', ')}]`,
      flag: finiteFlag(backend, out.buf),
    });
  };
  for (const part of parts) await observed(see, () => accumulateGradients(model, [part], options));
  let found: string | null = null;
  for (const { what, flag } of checks) {
    const value = (await backend.read(flag))[0] as number;
    backend.free(flag);
    if (!Number.isFinite(value)) found ??= what;
  }
  return found;
}

/** The observer stays for the synchronous part of `body`, which enqueues every op of one micro-batch. */
const observed = (see: Parameters<typeof withObserver>[0], body: () => Promise<unknown>): Promise<unknown> =>
  withObserver(see, body);

/** [1]: 0 when all elements are finite, else NaN: 0 times infinity is no number. */
function finiteFlag(backend: Backend, buf: Buf): Buf {
  const zeros = backend.alloc(buf.length, backend.float);
  const flag = backend.alloc(1, backend.float);
  backend.kernels.unary(mulScalar.fn, buf, zeros, 0);
  backend.kernels.sumSquares(zeros, flag);
  backend.free(zeros);
  return flag;
}

async function allFinite(backend: Backend, buf: Buf): Promise<boolean> {
  const flag = finiteFlag(backend, buf);
  const value = (await backend.read(flag))[0] as number;
  backend.free(flag);
  return Number.isFinite(value);
}

// Runs one sample of an op on one backend: its value, and its gradients for fixed random weights of the results.
import { apply, execute } from '../../src/autograd/apply.js';
import { scope } from '../../src/autograd/scope.js';
import { backward } from '../../src/autograd/tape.js';
import type { Backend } from '../../src/backend/backend.js';
import { newData, type TypedData } from '../../src/core/dtype.js';
import { Rng } from '../../src/core/random.js';
import { numel, type Shape } from '../../src/core/shape.js';
import type { Op, Sample } from '../../src/ops/op.js';
import { type SampleData, sampleData } from '../../src/ops/sample-data.js';
import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';

/** A sample with values: what all backends are given alike. */
export interface Case {
  readonly op: Op;
  readonly attrs: object;
  readonly data: readonly SampleData[];
  /** Shape of the result. */
  readonly shape: Shape;
  /** dOut: a weight for each element of the result. */
  readonly weights: Float64Array;
}

export interface Outcome {
  /** The inputs after it all. */
  readonly inputs: readonly TypedData[];
  readonly out: TypedData;
  /** One per input; null for ids and masks. */
  readonly grads: readonly (TypedData | null)[];
}

export function caseOf(op: Op, sample: Sample<object>, seed = 1): Case {
  const data = sampleData(sample.inputs, seed);
  const shape = op.shape(
    data.map((input) => input.shape),
    sample.attrs,
  );
  const rng = new Rng(seed, 901);
  const weights = Float64Array.from({ length: numel(shape) }, () => Math.fround(2 * rng.uniform() - 1));
  return { op, attrs: sample.attrs, data, shape, weights };
}

/** Whether input i is one that gradients are wanted for: a float, and no mask. */
export const wantsGradient = ({ op, data }: Case, i: number): boolean =>
  typeof op.backward === 'function' && data[i].data instanceof Float64Array && !(op.constants ?? []).includes(i);

/** The inputs as tensors; one that is the same as an earlier one is the same object. */
export function tensorsOf(c: Case, backend: Backend, requireGrad = true): Tensor[] {
  const made: Tensor[] = [];
  for (const [i, { shape, data, same }] of c.data.entries()) {
    const requiresGrad = requireGrad && wantsGradient(c, i);
    made.push(same === undefined ? tensor(data, shape, { backend, requiresGrad }) : made[same]);
  }
  return made;
}

/** The weighted sum of the result: a loss whose gradient arrives at the op as the weights. */
export const weighted = (c: Case, out: Tensor, backend: Backend): Tensor =>
  out.mul(tensor(c.weights, c.shape, { backend })).sum();

export async function evaluate(c: Case, backend: Backend): Promise<Outcome> {
  const inputs = tensorsOf(c, backend);
  const out = scope(() => {
    const result = apply(c.op, inputs, c.attrs).keep();
    if (typeof c.op.backward === 'function') backward(weighted(c, result, backend));
    return result;
  });
  const grads = await Promise.all(
    inputs.map(async (input, i) => (wantsGradient(c, i) ? ((await input.grad?.data()) ?? null) : null)),
  );
  const outcome = { inputs: await Promise.all(inputs.map((input) => input.data())), out: await out.data(), grads };
  for (const value of new Set([out, ...inputs, ...inputs.map((input) => input.grad)])) value?.dispose();
  return outcome;
}

/** The value alone, with no tape: for ops that must refuse their inputs, too. */
export function executeOnce(op: Op, inputs: readonly SampleData[], attrs: object, backend: Backend): void {
  const args = inputs.map(({ shape, data }) => {
    const host = data instanceof Int32Array ? data : newData(backend.float, data.length);
    if (host !== data) host.set(data);
    return { buf: backend.upload(host), shape, dtype: host instanceof Int32Array ? 'i32' : backend.float } as const;
  });
  try {
    const { out, aux } = execute(backend, op, args, attrs);
    for (const { buf } of [out, ...aux]) backend.free(buf);
  } finally {
    for (const { buf } of args) backend.free(buf);
  }
}

// Gradients in double precision against four-point differences, and fused ops against the small ops they equal.
import { describe, expect, test } from '@jest/globals';
import { apply } from '../../src/autograd/apply.js';
import { gradcheck } from '../../src/autograd/gradcheck.js';
import { scope } from '../../src/autograd/scope.js';
import { backward } from '../../src/autograd/tape.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { OPS } from '../../src/ops/index.js';
import type { Arg, Op, Sample } from '../../src/ops/op.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { type Case, caseOf, evaluate, type Outcome, tensorsOf, wantsGradient, weighted } from './evaluate.js';

const backend = createJsBackend('f64');
/** Elements of each input that are moved; spread evenly. */
const LIMIT = 12;
const named = (samples: readonly Sample<object>[]) => samples.map((sample) => ({ name: sample.name, sample }));

describe('finite differences', () => {
  const ops = OPS.filter((op) => typeof op.backward === 'function');
  describe.each(ops.map((op) => ({ name: op.name, op })))('$name', ({ op }) => {
    test.each(named(op.samples.filter(({ smooth }) => smooth !== false)))('$name', async ({ sample }) => {
      for (const seed of [1, 2]) {
        const c = caseOf(op, sample, seed);
        const inputs = tensorsOf(c, backend);
        const moved = new Set(inputs.filter((_, i) => wantsGradient(c, i)));
        const loss = (): Tensor => weighted(c, apply(op, inputs, c.attrs), backend);
        const { ok, worst } = await gradcheck(loss, [...moved], { limit: LIMIT });
        if (!ok) throw new Error(`seed ${seed}: ${JSON.stringify(worst)}`);
        for (const input of new Set(inputs)) input.dispose();
      }
      expect(backend.liveBytes).toBe(0);
    });
  });
});

/** The same case by the op's small ops: each recorded, so that gradients come from them, too. */
async function evaluateComposed(c: Case): Promise<Outcome> {
  const inputs = tensorsOf(c, backend);
  const tensors = new Map<Arg, Tensor>(inputs.map((input) => [input, input]));
  const run = <A extends object>(op: Op<A>, args: readonly Arg[], attrs: A): Tensor => {
    const result = apply(
      op,
      args.map((arg) => tensors.get(arg) as Tensor),
      attrs,
    );
    tensors.set(result, result);
    return result;
  };
  const ids = (i: number): ArrayLike<number> => c.data[i].data;
  const out = scope(() => {
    const made = c.op.compose?.({ inputs, attrs: c.attrs, ids, run }) as Tensor;
    made.keep();
    expect(made.shape).toEqual(c.shape);
    if (made.requiresGrad) backward(weighted(c, made, backend));
    return made;
  });
  const grads = await Promise.all(
    inputs.map(async (input, i) => (wantsGradient(c, i) ? ((await input.grad?.data()) ?? null) : null)),
  );
  return { inputs: [], out: await out.data(), grads };
}

/** Units of the last place. Scores of -10000, as hidden keys have, are themselves only known to 2^14 of those of 1. */
const ROUNDINGS = 2 ** 14;

/** Both are double precision: they may differ by roundings alone, relative to the largest element. */
function expectClose(got: ArrayLike<number> | null, want: ArrayLike<number> | null, what: string): void {
  if (got === null || want === null) throw new Error(`${what} is missing`);
  const largest = Array.from(want).reduce((most, x) => Math.max(most, Math.abs(x)), 1e-30);
  // Math.max gives NaN where one takes part, and NaN is within no bound.
  const worst = Array.from(got).reduce((most, x, i) => Math.max(most, Math.abs(x - want[i])), 0);
  if (!(worst <= ROUNDINGS * 2 ** -53 * largest))
    throw new Error(`${what} differs by ${worst / largest} of its largest`);
}

describe('fused ops equal their small ops', () => {
  const ops = OPS.filter((op) => op.compose !== undefined);
  describe.each(ops.map((op) => ({ name: op.name, op })))('$name', ({ op }) => {
    test.each(named(op.samples))('$name', async ({ sample }) => {
      const c = caseOf(op, sample, 3);
      const [fused, composed] = [await evaluate(c, backend), await evaluateComposed(c)];
      expectClose(composed.out, fused.out, 'the value');
      for (const i of c.data.keys()) {
        if (wantsGradient(c, i)) expectClose(composed.grads[i], fused.grads[i], `the gradient of input ${i}`);
      }
    });
  });
});

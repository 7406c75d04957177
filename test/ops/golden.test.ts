// Every op's value and gradients against PyTorch's (test/golden/ops.py), on every backend that is here.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apply } from '../../src/autograd/apply.js';
import { backward } from '../../src/autograd/tape.js';
import type { Backend } from '../../src/backend/backend.js';
import { OPS } from '../../src/ops/index.js';
import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { BACKENDS } from '../backends.js';

interface Packed {
  readonly shape: number[];
  readonly dtype: 'float' | 'i32';
  readonly values: number[];
}
interface Case {
  readonly op: string;
  readonly inputs: Packed[];
  readonly attrs: object;
  readonly out: Packed;
  readonly dOut?: number[];
  readonly grads?: (number[] | null)[];
}

const CASES: Case[] = JSON.parse(readFileSync(new URL('../golden/ops.json', import.meta.url), 'utf8'));
/** Of |value| + 1: the file keeps 12 digits; a float32 result of sums this short is within some 16 roundings. */
const TOLERANCE = { f64: 1e-11, f32: 16 * 2 ** -23 };

test('every op has a golden case', () => {
  const cases = new Set(CASES.map((c) => c.op));
  const random = ['dropout']; // its numbers are ours alone; checked against core/random
  expect(OPS.map((op) => op.name).filter((name) => !cases.has(name) && !random.includes(name))).toEqual([]);
});

describe.each(BACKENDS)('$name', ({ create, dtype }) => {
  let backend: Backend;
  beforeAll(() => {
    backend = create();
  });

  const close = (got: ArrayLike<number>, want: readonly number[], what: string): void => {
    expect(got.length).toBe(want.length);
    const worst = want.reduce((most, w, i) => Math.max(most, Math.abs(got[i] - w) / (Math.abs(w) + 1)), 0);
    if (!(worst <= TOLERANCE[dtype])) throw new Error(`${what} is off by ${worst} (of |value| + 1)`);
  };

  const make = ({ shape, dtype: kind, values }: Packed, requiresGrad: boolean): Tensor =>
    kind === 'i32'
      ? tensor(Int32Array.from(values), shape, { backend })
      : tensor(values, shape, { backend, dtype, requiresGrad });

  test.each(CASES.map((c, i) => ({ ...c, title: `${c.op} (${i})` })))('$title', async (c) => {
    const op = OPS.find((o) => o.name === c.op);
    if (op === undefined) throw new Error(`no op ${c.op}`);
    const inputs = c.inputs.map((input, i) => make(input, c.grads?.[i] !== null));
    const out = apply(op, inputs, c.attrs);
    expect(out.shape.length === 0 ? [1] : [...out.shape]).toEqual(c.out.shape);
    close(await out.data(), c.out.values, 'the value');
    if (c.dOut !== undefined) {
      const weights = tensor(c.dOut, out.shape, { backend, dtype });
      backward(out.keep().mul(weights).sum());
      for (const [i, want] of (c.grads ?? []).entries()) {
        if (want !== null) close(await (inputs[i].grad as Tensor).data(), want, `the gradient of input ${i}`);
      }
    }
  });

  afterAll(async () => backend.flush());
});

// Zeros, infinities, NaN and the ends of the range: a result is of the same kind on every backend, and NaN never
// becomes a number.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { apply } from '../../src/autograd/apply.js';
import type { Backend } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { OPS } from '../../src/ops/index.js';
import { tensor } from '../../src/tensor/create.js';
import { BACKENDS, GPU_BACKENDS } from '../backends.js';

const oracle = createJsBackend('f64');

const SUBNORMAL = 2 ** -140;
const SPECIAL = [
  0,
  -0,
  1,
  -1,
  1e38,
  -1e38,
  1e-38,
  SUBNORMAL,
  -SUBNORMAL,
  Infinity,
  -Infinity,
  Number.NaN,
  88,
  -88,
  200,
];

/** A device may take subnormal numbers for 0 (WGSL, sec. 15.7.2), whose reciprocal is infinite. */
const SPECIAL_WGSL = SPECIAL.filter((x) => !(x !== 0 && Math.abs(x) < 2 ** -126));

/** What may not differ between backends. */
function kindOf(x: number): string {
  if (Number.isFinite(x)) return 'finite';
  return Number.isNaN(x) ? 'NaN' : x > 0 ? 'inf' : '-inf';
}

type Inputs = readonly (readonly [shape: number[], values: readonly number[]])[];

async function run(backend: Backend, name: string, inputs: Inputs, attrs: object): Promise<number[]> {
  const op = OPS.find((o) => o.name === name);
  if (op === undefined) throw new Error(`no op ${name}`);
  const tensors = inputs.map(([shape, values]) => tensor(Float32Array.from(values), shape, { backend }));
  const out = apply(op, tensors, attrs);
  const data = Array.from(await out.data(), Math.fround); // what overflows in float32 is infinite
  for (const value of [out, ...tensors]) value.dispose();
  return data;
}

const UNARY = OPS.filter((op) => 'fn' in op).map((op) => op.name);
const BINARY = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'equal', 'greater', 'less'];
const ROWS = ['softmax', 'logSoftmax'];
const REDUCTIONS = ['sum', 'mean', 'max', 'min'];

/** Rows with one odd element each, in places a vector holds and places behind it. */
const oddRows = [Number.NaN, Infinity, -Infinity, 1e38, -1e38].flatMap((odd) =>
  [0, 5, 16].map((at) => Array.from({ length: 17 }, (_, i) => (i === at ? odd : (i % 5) - 2))),
);
const rows: readonly [number[], number[]] = [[oddRows.length, 17], oddRows.flat()];

describe.each([...BACKENDS, ...GPU_BACKENDS].filter(({ dtype }) => dtype === 'f32'))('$name', ({ name, create }) => {
  const special = name.startsWith('gpu') ? SPECIAL_WGSL : SPECIAL;
  let backend: Backend;
  beforeAll(() => {
    backend = create();
  });

  const kinds = async (name: string, inputs: Inputs, attrs: object): Promise<[got: string[], want: string[]]> => {
    const [got, want] = [await run(backend, name, inputs, attrs), await run(oracle, name, inputs, attrs)];
    return [got.map(kindOf), want.map(kindOf)];
  };

  test.each(UNARY)('%s', async (name) => {
    const c = name === 'powScalar' ? 2.5 : 1.5;
    const [got, want] = await kinds(name, [[[special.length], special]], { c });
    expect(got).toEqual(want);
  });

  test.each(BINARY)('%s of every pair', async (name) => {
    const n = special.length;
    const inputs: Inputs = [
      [[n, 1], special],
      [[1, n], special],
    ];
    const [got, want] = await kinds(name, inputs, {});
    expect(got).toEqual(want);
  });

  test.each(REDUCTIONS)('%s of rows', async (name) => {
    const [got, want] = await kinds(name, [rows], { axes: [1], keepDims: false });
    expect(got).toEqual(want);
  });

  test.each(ROWS)('%s: rows that are finite stay so, others do not become so', async (name) => {
    const [got, want] = await kinds(name, [rows], {});
    const finite = (row: string[]): boolean => row.every((kind) => kind === 'finite');
    const rowOf = (all: string[], i: number): string[] => all.slice(i * 17, i * 17 + 17);
    for (const i of oddRows.keys()) expect(finite(rowOf(got, i))).toBe(finite(rowOf(want, i)));
  });

  test('a row of equal values has no variance, and LayerNorm gives beta', async () => {
    const inputs: Inputs = [
      [[2, 5], new Array<number>(10).fill(0.1)],
      [[5], [1, 2, 3, 4, 5]],
      [[5], [0.5, -1, 0, 2, 3]],
    ];
    const got = await run(backend, 'layerNorm', inputs, { eps: 1e-12 });
    // The mean of five 0.1 may be off by a rounding, 2^-27; eps = 1e-12 turns that into at most 7.5e-3 times gamma.
    for (const [i, y] of got.entries()) expect(Math.abs(y - inputs[2][1][i % 5])).toBeLessThanOrEqual(7.5e-3 * 5);
  });

  test('logits of 10,000 give a finite loss', async () => {
    const op = OPS.find((o) => o.name === 'crossEntropy');
    if (op === undefined) throw new Error('no op crossEntropy');
    const logits = tensor([[10_000, -10_000, 0]], undefined, { backend });
    const labels = tensor(Int32Array.of(1), undefined, { backend });
    expect(await apply(op, [logits, labels], { ignoreIndex: -1, scale: 1 }).item()).toBe(20_000);
  });
});

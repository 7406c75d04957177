// The operators' own tests of the ONNX project, for all that methods of Tensor can say. Nobody here wrote these values.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { gradcheck } from '../../src/autograd/gradcheck.js';
import { scope } from '../../src/autograd/scope.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { useBackend } from '../../src/backend/select.js';
import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { BACKENDS } from '../backends.js';
import { describeWithData, sharedData } from '../skip.js';
import { Call, type Case, NotOurs, type Value } from './onnx-call.js';
import { OPERATORS } from './onnx-vectors.js';

const FOLDER = 'vectors/onnx_node';
/** ONNX itself asks for 1e-3 of a value and 1e-7; these are float32 results of sums of at most 120 terms. */
const RELATIVE = 1e-5;
const ABSOLUTE = 1e-6;

const NUMBERS: Readonly<Record<string, number>> = { Infinity: Infinity, '-Infinity': -Infinity, NaN: Number.NaN };
const numberOf = (value: number | string | boolean): number => NUMBERS[String(value)] ?? Number(value);

/** Some of those of PyTorch are whatever lay in memory, up to 1e223. */
const fits = (value: number, dtype: string): boolean =>
  !Number.isFinite(value) || Math.abs(value) < (dtype.includes('int') ? 2 ** 24 : 3.4e38);

/** Floats, truth values, and whole numbers that float32 holds. */
const toTensor = ({ dtype, shape, data }: Value): Tensor | null =>
  /^(float32|float64|bool|u?int\d+)$/.test(dtype) && data.every((value) => fits(numberOf(value), dtype))
    ? tensor(Float32Array.from(data, numberOf), shape)
    : null;

/** @param given inputs that are tensors already */
function run(
  { nodes, inputs, initializers, opset }: Case,
  given: ReadonlyMap<string, Tensor> = new Map(),
): Map<string, Tensor> {
  const raw = new Map([...initializers, ...inputs].map((value) => [value.name, value]));
  const values = new Map<string, Tensor>();
  for (const [name, value] of raw) {
    const made = given.get(name) ?? toTensor(value);
    if (made !== null) values.set(name, made);
  }
  for (const node of nodes) {
    const operator = OPERATORS[node.op];
    if (operator === undefined) throw new NotOurs(`the operator ${node.op}`);
    const results = [operator(new Call(node, values, raw, opset))].flat();
    for (const [i, name] of node.outputs.filter((output) => output !== '').entries()) values.set(name, results[i]);
  }
  return values;
}

const isFloat = ({ dtype }: Value): boolean => dtype.startsWith('float');
/** Inputs that a loss can be differentiated by. */
const variables = ({ inputs, initializers, nodes }: Case): Value[] =>
  [...inputs, ...initializers].filter((value) => {
    const settings = nodes.some(({ op, inputs: names }) => SETTINGS[op]?.includes(names.indexOf(value.name)) === true);
    return isFloat(value) && value.data.length > 0 && !settings;
  });
/** Operators without a gradient: places, and truth values. */
const FLAT = new Set(['ArgMax', 'Equal', 'Greater', 'Less', 'And', 'Or', 'Not', 'Sign', 'OneHot', 'Constant']);
/** Has a root of a number that is nearer to 0 than the step of the differences. */
const BESIDE_ZERO = 'test_operator_sqrt';
/** Inputs that are taken as numbers, not as tensors. */
const SETTINGS: Readonly<Record<string, readonly number[]>> = {
  Pow: [1],
  Dropout: [1],
  SoftmaxCrossEntropyLoss: [2],
  NegativeLogLikelihoodLoss: [2],
};
/** Values reach 5, where the fourth derivative of a power or an exponential is large. */
const BEND = { step: 2e-4, absolute: 1e-6, relative: 1e-6 };

/** One number of which every element has its own share. */
const weighted = (x: Tensor): Tensor =>
  x
    .mul(
      tensor(
        Float32Array.from({ length: x.size }, (_, i) => Math.sin(i + 1)),
        x.shape,
      ),
    )
    .sum();

/** What a case asks for that methods of Tensor cannot say; null: nothing. */
function reasonAgainst(one: Case): string | null {
  useBackend(createJsBackend('f32'));
  try {
    scope(() => void run(one));
    return null;
  } catch (error) {
    if (error instanceof NotOurs) return error.message;
    throw new Error(one.name, { cause: error });
  }
}

describeWithData(FOLDER)('operators of ONNX', () => {
  const files = readdirSync(sharedData(FOLDER));
  const cases = files.flatMap((file): Case[] =>
    readFileSync(join(sharedData(FOLDER), file), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
  const found = cases.map((one) => [one, reasonAgainst(one)] as const);
  const ours = found.flatMap(([one, reason]) => (reason === null ? [one] : []));

  describe.each(BACKENDS)('$name', ({ create }) => {
    beforeAll(() => {
      useBackend(create());
    });
    test.each(ours.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
      const values = scope(() => {
        const all = run(one);
        for (const { name } of one.outputs) all.get(name)?.keep();
        return all;
      });
      for (const output of one.outputs) await compare(values.get(output.name) as Tensor, output);
    });
  });

  describe('gradients in float64 against differences', () => {
    beforeAll(() => {
      useBackend(createJsBackend('f64'));
    });
    const smooth = ours.filter(
      (one) => variables(one).length > 0 && one.name !== BESIDE_ZERO && one.nodes.every(({ op }) => !FLAT.has(op)),
    );
    test.each(smooth.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
      const given = new Map(variables(one).map((value) => [value.name, toTensor(value) as Tensor]));
      const results = one.outputs.filter(isFloat);
      const loss = (): Tensor => {
        const values = run(one, given);
        return results.map(({ name }) => weighted(values.get(name) as Tensor)).reduce((a, b) => a.add(b));
      };
      const { ok, worst, checked } = await gradcheck(loss, [...given.values()], { limit: 6, ...BEND });
      expect([ok, worst]).toEqual([true, worst]);
      expect(checked).toBeGreaterThan(0);
      for (const input of given.values()) input.dispose();
    });
    test('are 240 of them', () => {
      expect(smooth.length).toBe(240);
    });
  });

  test('are 286 of 307', () => {
    expect([ours.length, cases.length]).toEqual([286, 307]);
  });
  for (const [{ name }, reason] of found) {
    if (reason !== null) describe(name, () => test.skip(`skipped: needs ${reason}`, () => undefined));
  }
});

async function compare(got: Tensor, { shape, data }: Value): Promise<void> {
  if (got.dtype !== 'i32') expect(got.shape).toEqual(shape);
  expect(got.size).toBe(data.length);
  const values = await got.data();
  const wrong = data.map(numberOf).findIndex((want, i) => {
    const close = Math.abs(values[i] - want) <= ABSOLUTE + RELATIVE * Math.abs(want);
    return !(Object.is(values[i], want) || close || values[i] === want);
  });
  if (wrong >= 0) expect([wrong, values[wrong]]).toEqual([wrong, numberOf(data[wrong])]);
}

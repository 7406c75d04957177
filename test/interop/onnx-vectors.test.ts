// The operators' own tests of the ONNX project, for all that methods of Tensor can say. Nobody here wrote these values.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { scope } from '../../src/autograd/scope.js';
import { useBackend } from '../../src/backend/select.js';
import { tensor } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { BACKENDS } from '../backends.js';
import { describeWithData, sharedData } from '../skip.js';
import { Call, type Case, NotOurs, OPERATORS, type Value } from './onnx-vectors.js';

const FOLDER = 'vectors/onnx_node';
/** ONNX itself asks for 1e-3 of a value and 1e-7; these are float32 results of sums of at most 120 terms. */
const RELATIVE = 1e-5;
const ABSOLUTE = 1e-6;

const NUMBERS: Readonly<Record<string, number>> = { Infinity: Infinity, '-Infinity': -Infinity, NaN: Number.NaN };
const numberOf = (value: number | string | boolean): number => NUMBERS[String(value)] ?? Number(value);

/** Some of those of PyTorch are whatever lay in memory, up to 1e223. */
const fits = (value: number): boolean => !Number.isFinite(value) || Math.abs(value) < 3.4e38;

/** Floats and truth values; whole numbers are settings. */
const toTensor = ({ dtype, shape, data }: Value): Tensor | null =>
  /^(float32|float64|bool)$/.test(dtype) && data.every((value) => fits(numberOf(value)))
    ? tensor(Float32Array.from(data, numberOf), shape)
    : null;

function run({ nodes, inputs, initializers, opset }: Case): Map<string, Tensor> {
  const raw = new Map([...initializers, ...inputs].map((value) => [value.name, value]));
  const values = new Map<string, Tensor>();
  for (const [name, value] of raw) {
    const made = toTensor(value);
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

describeWithData(FOLDER)('operators of ONNX', () => {
  const files = readdirSync(sharedData(FOLDER));
  const cases = files.flatMap((file): Case[] =>
    readFileSync(join(sharedData(FOLDER), file), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
  const passed = new Set<string>();
  const others = new Map<string, string>();
  afterAll(() => {
    console.log(
      `${passed.size} of ${cases.length} cases; the others ask for: ${[...new Set(others.values())].sort().join('; ')}`,
    );
  });

  describe.each(BACKENDS)('$name', ({ create }) => {
    beforeAll(() => {
      useBackend(create());
    });
    test.each(cases.map((one) => [one.name, one] as const))('%s', async (name, one) => {
      let found: Map<string, Tensor>;
      try {
        found = scope(() => {
          const all = run(one);
          for (const { name: output } of one.outputs) all.get(output)?.keep();
          return all;
        });
      } catch (error) {
        if (!(error instanceof NotOurs)) throw error;
        others.set(name, error.message);
        return;
      }
      passed.add(name);
      for (const output of one.outputs) {
        const got = found.get(output.name) as Tensor;
        if (got.dtype !== 'i32') expect(got.shape).toEqual(output.shape);
        expect(got.size).toBe(output.data.length);
        const values = await got.data();
        const wrong = output.data.map(numberOf).findIndex((want, i) => {
          const close = Math.abs(values[i] - want) <= ABSOLUTE + RELATIVE * Math.abs(want);
          return !(Object.is(values[i], want) || close || values[i] === want);
        });
        if (wrong >= 0) expect([wrong, values[wrong]]).toEqual([wrong, numberOf(output.data[wrong])]);
      }
    });
  });

  test('are at least 180 of them', () => {
    expect(passed.size).toBeGreaterThanOrEqual(180);
  });
});

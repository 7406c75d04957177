import { beforeAll, describe, expect, test } from '@jest/globals';
import { scope } from '../../src/autograd/scope.js';
import { backward } from '../../src/autograd/tape.js';
import { useBackend } from '../../src/backend/select.js';
import { type BertInput, packedInput, packedPositions, paddedInput } from '../../src/bert/input.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { readRows } from '../../src/bert/read-rows.js';
import { type Hook, type Pass, trainingPass } from '../../src/nn/pass.js';
import { BACKENDS } from '../backends.js';
import { makeBatch } from '../train/batches.js';
import { smallConfig } from './small-config.js';

const config = smallConfig(16);
const batch = makeBatch(6);
const packed = packedInput(batch);
const cases: readonly (readonly [string, BertInput, Int32Array])[] = [
  ['padded', paddedInput(batch), batch.maskedPositions],
  ['packed', packed, packedPositions(batch, packed, batch.maskedPositions)],
];
/** A pass in which somebody looks at the last layer: then all of it is computed. */
const seen = (pass: Pass): Pass => ({
  ...pass,
  hooks: new Map<string, Hook>([['encoder.layers.1.output', () => undefined]]),
});

test('rows that are read: [CLS] of each sequence and what is asked for, each once, in order', () => {
  const offsets = Int32Array.of(0, 3, 7);
  const reads = readRows({ ...packed, sequences: 2, rows: 7, offsets }, Int32Array.of(5, 2, 5, 0));
  expect(reads.rows).toEqual(Int32Array.of(0, 2, 3, 5));
  expect(reads.offsets).toEqual(Int32Array.of(0, 2, 4));
  expect(reads.places).toEqual(Int32Array.of(0, 2, 0, 2));
  expect(reads.starts).toEqual(Int32Array.of(0, 2));
  expect(reads.positions).toEqual(Int32Array.of(3, 1, 3, 0));
});

describe.each(BACKENDS)('$name', ({ create, dtype }) => {
  beforeAll(() => {
    useBackend(create());
  });

  test.each(cases)(
    '%s: the last layer where it is read has the bits of the whole layer, dropout included',
    async (_, input, positions) => {
      const model = new BertForPreTraining(config, { seed: 3 });
      const reads = readRows(input, positions);
      const pass = trainingPass(7, 2, { row: 40, sequence: 5 });
      const part = await model.bert.read(input, reads, pass).data();
      const whole = await model.bert.encode(input, pass).hidden.data();
      const size = config.hiddenSize;
      reads.rows.forEach((row, i) => {
        expect(part.subarray(i * size, (i + 1) * size)).toEqual(whole.subarray(row * size, (row + 1) * size));
      });
      model.dispose();
    },
  );

  test.each(cases)('%s: gradients of both ways differ by rounding alone', async (_, input, maskedPositions) => {
    const totals = { maskedTotal: batch.maskedLabels.length, sentenceTotal: batch.batch };
    const gradients = async (pass: Pass) => {
      const model = new BertForPreTraining(config, { seed: 3 });
      scope(() => backward(model.loss(input, { ...batch, maskedPositions, ...totals }, pass).loss));
      const found = new Map<string, ArrayLike<number>>();
      for (const [name, { grad }] of model.namedParameters()) found.set(name, (await grad?.data()) ?? []);
      model.dispose();
      return found;
    };
    const pass = trainingPass(7, 2);
    const [lean, full] = [await gradients(pass), await gradients(seen(pass))];
    for (const [name, got] of lean) {
      const want = Array.from(full.get(name) ?? []);
      const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
      const off = want.reduce((most, x, i) => Math.max(most, Math.abs(x - got[i])), 0) / largest;
      expect([name, got.length, off < (dtype === 'f64' ? 1e-13 : 5e-6)]).toEqual([name, want.length, true]);
    }
  });
});

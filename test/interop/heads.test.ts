// Every head as transformers saves it (test/golden/interop.py): the same answers here.
import { describe, expect, test } from '@jest/globals';
import { architectureNames, parseArchitecture } from '../../src/bert/architectures.js';
import { inference } from '../../src/nn/pass.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { loadHead, loadModel } from '../../src/train/model-folder.js';
import { testFolder } from '../io/folder.js';
import { answerOf, copyOf, inputs, largestDifference, tokenRows } from './folders.js';

const folder = testFolder();
/** Float32 sums of 20 terms of about 1: some units in the last place. */
const BOUND = 3e-6;

describe.each(inputs)('%s', (name, input) => {
  const rows = name === 'packed' ? tokenRows.map((_, row) => row) : tokenRows;
  const close = async (got: Tensor, model: string, output: string, tokens = false): Promise<void> => {
    const data = await got.data();
    const width = got.shape.at(-1) as number;
    const values = tokens ? rows.flatMap((row) => Array.from(data.subarray(row * width, (row + 1) * width))) : data;
    const want = answerOf(model, output);
    expect(largestDifference(values, want, tokens ? tokenRows : undefined)).toBeLessThan(BOUND);
  };

  test.each(['BertForSequenceClassification', 'BertForNextSentencePrediction', 'BertForMultipleChoice'] as const)(
    '%s',
    async (architecture) => {
      const { model, missing, unused } = await loadHead(copyOf(architecture, folder), architecture, { head: 'stored' });
      expect([missing, unused]).toEqual([[], []]);
      await close(model.forward(input, inference()), architecture, 'logits');
      model.dispose();
    },
  );

  test('BertForTokenClassification', async () => {
    const path = copyOf('BertForTokenClassification', folder);
    const { model, unused } = await loadHead(path, 'BertForTokenClassification', { head: 'stored' });
    expect(unused).toEqual([]);
    await close(model.forward(input, inference()), 'BertForTokenClassification', 'logits', true);
    model.dispose();
  });

  test('BertForQuestionAnswering', async () => {
    const path = copyOf('BertForQuestionAnswering', folder);
    const { model } = await loadHead(path, 'BertForQuestionAnswering', { head: 'stored' });
    const both = model.forward(input, inference()); // [2 * sequences, seq]
    const kept = (at: number): number[] => tokenRows.map((row) => at * input.sequences * input.maxSeq + row);
    const data = await both.data();
    for (const [at, output] of ['start_logits', 'end_logits'].entries()) {
      const want = answerOf('BertForQuestionAnswering', output).data;
      const largest = kept(at).reduce(
        (most, place, i) => Math.max(most, Math.abs(data[place] - want[tokenRows[i]])),
        0,
      );
      expect(largest).toBeLessThan(BOUND);
    }
    model.dispose();
  });

  test('BertForPreTraining, and the encoder of it', async () => {
    const { model } = await loadModel(copyOf('BertForPreTraining', folder));
    const every = Int32Array.from(rows);
    const out = model.forward(input, every, inference());
    const want = answerOf('BertForPreTraining', 'prediction_logits');
    expect(largestDifference(await out.mlmLogits.data(), want, tokenRows)).toBeLessThan(BOUND);
    await close(out.sentenceLogits, 'BertForPreTraining', 'seq_relationship_logits');
    model.dispose();
  });
});

test('a head that the file has not begins with the random numbers of its seed, and is told of', async () => {
  const path = copyOf('BertModel', folder);
  const made = await Promise.all(
    [1, 1, 2].map((seed) => loadHead(path, 'BertForSequenceClassification', { head: 'fresh', seed })),
  );
  for (const { missing } of made) expect(missing).toEqual(['classifier.weight', 'classifier.bias']);
  const [a, b, c] = await Promise.all(made.map(({ model }) => model.classifier.dense.weight.data()));
  expect(a.some((x) => x !== 0)).toBe(true);
  expect(b).toEqual(a);
  expect(c).not.toEqual(a);
  for (const { model } of made) model.dispose();
  await expect(loadHead(path, 'BertForSequenceClassification', { head: 'stored' })).rejects.toThrow(
    'classifier.weight',
  );
});

test('the architecture of each folder is read from its config.json', async () => {
  for (const name of architectureNames) {
    const { configJson, model } = await loadHead(copyOf(name, folder), name, { head: 'stored' });
    expect(parseArchitecture(configJson)).toBe(name);
    model.dispose();
  }
});

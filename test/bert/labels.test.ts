import { expect, test } from '@jest/globals';
import { buildModel, modelToJson, parseArchitecture } from '../../src/bert/architectures.js';
import { preset } from '../../src/bert/config.js';
import { labelsToJson, parseLabels } from '../../src/bert/labels.js';

test('labels come back from a config.json', () => {
  const labels = { labels: ['neg', 'pos', '其他'], problemType: 'multi_label_classification' } as const;
  expect(parseLabels(JSON.parse(JSON.stringify(labelsToJson(labels))))).toEqual(labels);
});

test.each([
  [{}, ['LABEL_0', 'LABEL_1'], 'single_label_classification'],
  [{ num_labels: 3 }, ['LABEL_0', 'LABEL_1', 'LABEL_2'], 'single_label_classification'],
  [{ id2label: { 0: 'score' } }, ['score'], 'regression'],
  [{ id2label: { 1: 'b', 0: 'a' }, problem_type: null }, ['a', 'b'], 'single_label_classification'],
])('%j means %j, %s, as in transformers', (json, labels, problemType) => {
  expect(parseLabels(json)).toEqual({ labels, problemType });
});

test.each([
  [{ id2label: { 0: 'a', 2: 'c' } }, '1 has no name'],
  [{ id2label: { 0: 'a', 1: 'a' } }, 'names two ids "a"'],
  [{ id2label: {} }, 'empty'],
  [{ id2label: ['a'] }, 'must be an object'],
  [{ num_labels: 0 }, 'above 0'],
  [{ problem_type: 'ranking' }, 'got "ranking"'],
])('%j is refused', (json, message) => {
  expect(() => parseLabels(json, 'x/config.json')).toThrow(message);
});

test('the architecture is that of config.json, and near names are told', () => {
  const config = { ...preset('tiny', { vocabSize: 30 }), hiddenSize: 8, numAttentionHeads: 2, intermediateSize: 16 };
  const labels = parseLabels({ num_labels: 3 });
  const model = buildModel('BertForTokenClassification', { config, labels });
  const json = modelToJson(model, 'BertForTokenClassification');
  expect(parseArchitecture(json)).toBe('BertForTokenClassification');
  expect(json).toMatchObject({ id2label: { 2: 'LABEL_2' }, label2id: { LABEL_2: 2 } });
  model.dispose();
  expect(() => parseArchitecture({ architectures: ['BertForTokenClasification'] })).toThrow('did you mean');
  expect(() => parseArchitecture({})).toThrow('no BERT with a head');
});

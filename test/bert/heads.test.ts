// A 1-layer BERT under each head against transformers' (test/golden/heads.py): logits, loss, every gradient.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { scope } from '../../src/autograd/scope.js';
import { backward } from '../../src/autograd/tape.js';
import type { Backend } from '../../src/backend/backend.js';
import { useBackend } from '../../src/backend/select.js';
import { type AnyBert, type Architecture, architectureNames, buildModel } from '../../src/bert/architectures.js';
import { parseConfig } from '../../src/bert/config.js';
import { BertForMaskedLM } from '../../src/bert/heads/masked-lm.js';
import { BertForMultipleChoice } from '../../src/bert/heads/multiple-choice.js';
import { BertForNextSentencePrediction } from '../../src/bert/heads/next-sentence-prediction.js';
import { BertForQuestionAnswering } from '../../src/bert/heads/question-answering.js';
import { BertForSequenceClassification } from '../../src/bert/heads/sequence-classification.js';
import { BertForTokenClassification } from '../../src/bert/heads/token-classification.js';
import { type BertInput, type PaddedBatch, packedInput, packedPositions, paddedInput } from '../../src/bert/input.js';
import { defaultLabels, parseLabels } from '../../src/bert/labels.js';
import { transformersName } from '../../src/bert/names.js';
import { type Pass, trainingPass } from '../../src/nn/pass.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { BACKENDS } from '../backends.js';
import { goldenTensors } from '../golden/tensors.js';

interface Case {
  readonly loss: number;
  readonly weightedLoss?: number;
  readonly numLabels: number;
  readonly problemType: string | null;
  readonly labels: Readonly<Record<string, number[]>>;
}

const golden = JSON.parse(readFileSync(new URL('../golden/heads.json', import.meta.url), 'utf8'));
const expected = goldenTensors(new URL('../golden/heads.safetensors', import.meta.url));
const config = parseConfig(golden.config);
const cases: Readonly<Record<string, Case>> = golden.cases;

const ARCHITECTURES: readonly (readonly [name: string, architecture: Architecture])[] = [
  ['single', 'BertForSequenceClassification'],
  ['regression', 'BertForSequenceClassification'],
  ['regressions', 'BertForSequenceClassification'],
  ['multi', 'BertForSequenceClassification'],
  ['tokens', 'BertForTokenClassification'],
  ['span', 'BertForQuestionAnswering'],
  ['choice', 'BertForMultipleChoice'],
  ['mlm', 'BertForMaskedLM'],
  ['nsp', 'BertForNextSentencePrediction'],
];

function load(name: string, architecture: Architecture): AnyBert {
  const { numLabels, problemType } = cases[name];
  const id2label = Object.fromEntries(defaultLabels(numLabels).map((label, id) => [id, label]));
  const labels = parseLabels({ id2label, problem_type: problemType });
  const model = buildModel(architecture, { config, labels });
  for (const [ours, parameter] of model.namedParameters()) {
    const theirs = transformersName(ours);
    const data = expected(/^(bert|cls)\./.test(theirs) ? `weight.${theirs}` : `${name}.weight.${theirs}`);
    parameter.assign(parameter.dtype === 'f64' ? Float64Array.from(data) : data);
  }
  return model;
}

function batchOf(name: string): PaddedBatch {
  const { batch, seq, ...arrays } = golden[name === 'span' ? 'full' : 'padded'];
  const typed = Object.entries(arrays).map(([key, values]) => [key, Int32Array.from(values as number[])]);
  return { batch, seq, ...Object.fromEntries(typed) };
}

/** Logits and loss of a case, whatever the shape of its labels. */
function run(name: string, model: AnyBert, packing: 'padded' | 'packed', pass: Pass): { logits: Tensor; loss: Tensor } {
  const batch = batchOf(name);
  const input = packing === 'packed' ? packedInput(batch) : paddedInput(batch);
  const { labels = [], start_positions: starts = [], end_positions: ends = [] } = cases[name].labels;
  const ids = Int32Array.from(labels);
  const total = ids.reduce((n, label) => n + (label === -100 ? 0 : 1), 0);
  const rows = (places: Int32Array): Int32Array =>
    packing === 'packed' ? packedPositions(batch, input, places) : places;
  if (model instanceof BertForSequenceClassification) {
    const logits = model.forward(input, pass);
    const truths = /^regression/.test(name) ? Float32Array.from(labels) : ids;
    return { logits, loss: model.loss(logits, { labels: truths, total: labels.length }) };
  }
  if (model instanceof BertForTokenClassification) {
    const logits = model.forward(input, pass);
    return { logits, loss: model.loss(logits, { labels: tagsOf(ids, batch, input, packing), total }) };
  }
  if (model instanceof BertForQuestionAnswering) {
    const logits = model.forward(input, pass);
    const targets = { starts: Int32Array.from(starts), ends: Int32Array.from(ends), total: starts.length };
    return { logits, loss: model.loss(logits, targets) };
  }
  if (model instanceof BertForMaskedLM) {
    const places = Int32Array.from(labels.flatMap((label, i) => (label === -100 ? [] : [i])));
    const logits = model.forward(input, rows(places), pass);
    return { logits, loss: model.loss(logits, { labels: places.map((i) => labels[i]), total }) };
  }
  if (model instanceof BertForMultipleChoice) {
    const logits = model.forward(input, pass);
    return { logits, loss: model.loss(logits, { labels: ids, choices: golden.choices, total }) };
  }
  if (!(model instanceof BertForNextSentencePrediction)) throw new Error(name);
  const logits = model.forward(input, pass);
  return { logits, loss: model.loss(logits, { labels: ids, total }) };
}

/** Labels of the rows of the input. */
function tagsOf(padded: Int32Array, batch: PaddedBatch, input: BertInput, packing: 'padded' | 'packed'): Int32Array {
  return packing === 'padded' ? padded : Int32Array.from(rowsOf(batch), (row) => padded[row]).slice(0, input.rows);
}

/** Padded rows that hold tokens. */
const rowsOf = ({ batch, seq, lengths }: PaddedBatch): number[] =>
  Array.from({ length: batch * seq }, (_, row) => row).filter((row) => row % seq < lengths[Math.floor(row / seq)]);

/** Largest difference as a share of the largest value: float32 sums cancel, so a small element says nothing alone. */
function difference(got: ArrayLike<number>, want: Float32Array): number {
  expect(got.length).toBe(want.length);
  const largest = want.reduce((most, w) => Math.max(most, Math.abs(w)), 1e-3);
  return want.reduce((most, w, i) => Math.max(most, Math.abs(got[i] - w)), 0) / largest;
}

describe.each(BACKENDS)('$name', ({ create }) => {
  let backend: Backend;
  beforeAll(() => {
    backend = create();
    useBackend(backend);
  });

  describe.each(ARCHITECTURES)('%s: %s', (name, architecture) => {
    test.each(['padded', 'packed'] as const)(
      '%s: logits, loss and the gradient of every parameter',
      async (packing) => {
        const live = backend.liveBytes;
        const model = load(name, architecture);
        const { logits, loss } = scope(() => {
          const made = run(name, model, packing, trainingPass(0, 0));
          made.logits.keep();
          backward(made.loss);
          return made;
        });
        const want = expected(`${name}.logits`);
        const shown = name === 'tokens' && packing === 'packed' ? pickRows(want, rowsOf(batchOf(name))) : want;
        expect(difference(await logits.data(), shown)).toBeLessThan(2e-6);
        expect((await loss.item()) / cases[name].loss).toBeCloseTo(1, 6);
        for (const [ours, parameter] of model.namedParameters()) {
          const gradient = Float64Array.from(await (parameter.grad as Tensor).data());
          const theirs = expected(`${name}.grad.${transformersName(ours)}`);
          const size = isShift(name, ours)
            ? gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
            : difference(gradient, theirs);
          expect([ours, size < 5e-6]).toEqual([ours, true]);
        }
        for (const value of [logits, loss]) value.dispose();
        model.dispose();
        await backend.flush();
        expect(backend.liveBytes).toBe(live);
      },
    );
  });

  test('weights of classes are those of torch', async () => {
    const model = load('single', 'BertForSequenceClassification') as BertForSequenceClassification;
    const labels = Int32Array.from(cases.single.labels.labels);
    const weights = Float32Array.from(labels, (label) => golden.classWeights[label]);
    const total = weights.reduce((sum, w) => sum + w, 0);
    const loss = scope(() => {
      const logits = model.forward(packedInput(batchOf('single')), trainingPass(0, 0));
      return model.loss(logits, { labels, weights, total });
    });
    expect((await loss.item()) / (cases.single.weightedLoss ?? 0)).toBeCloseTo(1, 6);
    loss.dispose();
    model.dispose();
  });
});

test('every model has a golden case, except the one that has a file of its own', () => {
  const covered = new Set(ARCHITECTURES.map(([, architecture]) => architecture));
  expect(architectureNames.filter((name) => !covered.has(name))).toEqual(['BertForPreTraining']);
});

/** What moves all scores of one softmax alike, so that its true gradient is 0: what is left there is rounding. */
const isShift = (name: string, parameter: string): boolean =>
  /\.key\.bias$/.test(parameter) ||
  (name === 'choice' && parameter === 'classifier.dense.bias') ||
  (name === 'span' && /^span\.dense\.bias$|feedForward\.norm\.bias$/.test(parameter));

/** Rows of a [rows, width] matrix. */
function pickRows(data: Float32Array, rows: readonly number[]): Float32Array {
  const width = cases.tokens.numLabels;
  return Float32Array.from(rows.flatMap((row) => Array.from(data.subarray(row * width, (row + 1) * width))));
}

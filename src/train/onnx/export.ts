import type { Architecture } from '../../bert/architectures.js';
import type { BertConfig } from '../../bert/config.js';
import { DECODER, WORD_TABLE } from '../../bert/names.js';
import type { OnnxModel, OnnxValue } from '../../io/onnx.js';
import type { TensorData } from '../../io/safetensors.js';
import { activate, encoder, INPUTS, type Prepared, pooler } from './encoder.js';
import { GraphBuilder } from './graph.js';

/** LayerNormalization exists since this one; everything else is older. */
const OPSET = 17;

/** What is exported: an encoder with the head of that name, or without one. */
export type Exportable = Architecture | 'BertModel';

type Head = (g: GraphBuilder, config: BertConfig, hidden: string) => OnnxValue[];
const GRID = ['batch', 'seq'] as const;

/** Logits over the vocabulary at every place. */
function words(g: GraphBuilder, { hiddenAct, layerNormEps }: BertConfig, hidden: string): string {
  const dense = activate(g, g.linear(hidden, 'cls.predictions.transform.dense'), hiddenAct);
  const transformed = g.layerNorm(dense, 'cls.predictions.transform.LayerNorm', layerNormEps);
  const table = g.weight(g.has(DECODER) ? DECODER : WORD_TABLE); // [vocab, hidden]
  const logits = g.add('MatMul', [transformed, g.add('Transpose', [table], { perm: [1, 0] })]);
  return g.add('Add', [logits, g.weight('cls.predictions.bias')]);
}

const perSequence =
  (name: string, layer: string): Head =>
  (g, _config, hidden) => [g.output(name, g.linear(pooler(g, hidden), layer), ['batch', g.rows(`${layer}.bias`)])];

/** Outputs have the names that transformers' models give them. */
const HEADS: Readonly<Record<Exportable, Head>> = {
  BertModel: (g, { hiddenSize }, hidden) => [
    g.output('last_hidden_state', hidden, [...GRID, hiddenSize]),
    ...(g.has('bert.pooler.dense.weight') ? [g.output('pooler_output', pooler(g, hidden), ['batch', hiddenSize])] : []),
  ],
  BertForPreTraining: (g, config, hidden) => [
    g.output('prediction_logits', words(g, config, hidden), [...GRID, config.vocabSize]),
    g.output('seq_relationship_logits', g.linear(pooler(g, hidden), 'cls.seq_relationship'), ['batch', 2]),
  ],
  BertForMaskedLM: (g, config, hidden) => [g.output('logits', words(g, config, hidden), [...GRID, config.vocabSize])],
  BertForNextSentencePrediction: perSequence('logits', 'cls.seq_relationship'),
  BertForSequenceClassification: perSequence('logits', 'classifier'),
  BertForTokenClassification: (g, _config, hidden) => [
    g.output('logits', g.linear(hidden, 'classifier'), [...GRID, g.rows('classifier.bias')]),
  ],
  BertForQuestionAnswering: (g, _config, hidden) => {
    const both = g.linear(hidden, 'qa_outputs'); // [batch, seq, 2]
    return ['start_logits', 'end_logits'].map((name, i) =>
      g.output(name, g.add('Gather', [both, g.index(i)], { axis: 2 }), GRID),
    );
  },
  BertForMultipleChoice: (g, _config, hidden) => {
    const logits = g.linear(pooler(g, hidden), 'classifier'); // [batch * choices, 1]
    const shape = g.add('Slice', [g.add('Shape', [INPUTS.ids]), g.integers(0), g.integers(2)]); // batch, choices
    return [g.output('logits', g.add('Reshape', [logits, shape]), ['batch', 'choices'])];
  },
};

/** Multiple choice comes as [batch, choices, seq] and goes through the encoder as one batch. */
function prepare(g: GraphBuilder, choices: boolean): Prepared {
  const { ids, mask, types } = INPUTS;
  if (!choices) return { ids, mask, types };
  const seq = g.add('Slice', [g.add('Shape', [ids]), g.integers(2), g.integers(3)]); // [1]
  const shape = g.add('Concat', [g.integers(-1), seq], { axis: 0 });
  const folded = (name: string): string => g.add('Reshape', [name, shape]); // [batch * choices, seq]
  return { ids: folded(ids), mask: folded(mask), types: folded(types) };
}

/**
 * A model as ONNX: any batch, any length up to the model's positions. Inputs are input_ids, attention_mask (1 a token, 0
 * padding) and token_type_ids, int64 [batch, seq]; outputs are named as in transformers, float32.
 * @param weights under transformers' names, of a model of that architecture
 */
export function onnxModel(
  architecture: Exportable,
  config: BertConfig,
  weights: ReadonlyMap<string, TensorData>,
): OnnxModel {
  const g = new GraphBuilder(weights);
  const choices = architecture === 'BertForMultipleChoice';
  const outputs = HEADS[architecture](g, config, encoder(g, config, prepare(g, choices)));
  const shape = choices ? ['batch', 'choices', 'seq'] : [...GRID];
  return {
    name: architecture,
    opset: OPSET,
    nodes: g.nodes,
    constants: [...g.constants.values()],
    inputs: Object.values(INPUTS).map((name) => ({ name, dtype: 'i64', shape })),
    outputs,
  };
}

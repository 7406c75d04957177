import type { BertConfig } from '../../bert/config.js';
import { HIDDEN_KEY_BIAS } from '../../bert/input.js';
import type { GraphBuilder } from './graph.js';

/** Names of the inputs, all int64 [batch, seq], as transformers' own exports have them. */
export const INPUTS = { ids: 'input_ids', mask: 'attention_mask', types: 'token_type_ids' } as const;

/** Results of the inputs' preparation: for multiple choice they are folded into one batch first. */
export interface Prepared {
  readonly ids: string;
  readonly mask: string;
  readonly types: string;
}

const EMBEDDINGS = 'bert.embeddings';

/** Word + segment + position, then LayerNorm. @returns [batch, seq, hidden] */
function embeddings(g: GraphBuilder, { layerNormEps }: BertConfig, { ids, types }: Prepared): string {
  const words = g.add('Gather', [g.weight(`${EMBEDDINGS}.word_embeddings.weight`), ids]); // [batch, seq, hidden]
  const segments = g.add('Gather', [g.weight(`${EMBEDDINGS}.token_type_embeddings.weight`), types]); // [batch, seq, hidden]
  const seq = g.add('Gather', [g.add('Shape', [ids]), g.integers(1)]); // [1]
  const table = g.weight(`${EMBEDDINGS}.position_embeddings.weight`);
  const positions = g.add('Slice', [table, g.integers(0), seq, g.integers(0)]); // [seq, hidden]
  const sum = g.add('Add', [g.add('Add', [words, segments]), positions]);
  return g.layerNorm(sum, `${EMBEDDINGS}.LayerNorm`, layerNormEps);
}

/** 0 where there is a token, -10000 where there is padding. @returns [batch, 1, 1, seq] */
function keyBias(g: GraphBuilder, { mask }: Prepared): string {
  const wide = g.add('Unsqueeze', [mask, g.integers(1, 2)]);
  const floats = g.add('Cast', [wide], { to: 1 });
  return g.add('Mul', [g.add('Sub', [g.number(1), floats]), g.number(HIDDEN_KEY_BIAS)]);
}

/** The activation of the configuration, from operators of opset 17. */
export function activate(g: GraphBuilder, x: string, name: BertConfig['hiddenAct']): string {
  if (name === 'relu') return g.add('Relu', [x]);
  const half = g.add('Mul', [x, g.number(0.5)]);
  if (name === 'gelu') {
    const erf = g.add('Erf', [g.add('Div', [x, g.number(Math.SQRT2)])]);
    return g.add('Mul', [half, g.add('Add', [erf, g.number(1)])]);
  }
  const cube = g.add('Mul', [g.add('Mul', [x, x]), x]);
  const inner = g.add('Add', [x, g.add('Mul', [cube, g.number(0.044715)])]);
  const tanh = g.add('Tanh', [g.add('Mul', [inner, g.number(Math.sqrt(2 / Math.PI))])]);
  return g.add('Mul', [half, g.add('Add', [tanh, g.number(1)])]);
}

/** Scores, softmax, mix, each head by itself. @returns [batch, seq, hidden] */
function attention(g: GraphBuilder, config: BertConfig, layer: string, x: string, bias: string): string {
  const { hiddenSize, numAttentionHeads: heads } = config;
  const size = hiddenSize / heads;
  const split = (name: string, perm: readonly number[]): string => {
    const flat = g.linear(x, `${layer}.attention.self.${name}`);
    return g.add('Transpose', [g.add('Reshape', [flat, g.integers(0, 0, heads, size)])], { perm });
  };
  const q = split('query', [0, 2, 1, 3]); // [batch, heads, seq, size]
  const k = split('key', [0, 2, 3, 1]); // [batch, heads, size, seq]
  const v = split('value', [0, 2, 1, 3]); // [batch, heads, seq, size]
  const scores = g.add('Div', [g.add('MatMul', [q, k]), g.number(Math.sqrt(size))]);
  const probs = g.add('Softmax', [g.add('Add', [scores, bias])], { axis: -1 }); // [batch, heads, seq, seq]
  const mixed = g.add('Transpose', [g.add('MatMul', [probs, v])], { perm: [0, 2, 1, 3] });
  return g.add('Reshape', [mixed, g.integers(0, 0, hiddenSize)]);
}

/** Embeddings and all layers. @returns [batch, seq, hidden] */
export function encoder(g: GraphBuilder, config: BertConfig, prepared: Prepared): string {
  const eps = config.layerNormEps;
  const bias = keyBias(g, prepared);
  let x = embeddings(g, config, prepared);
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = `bert.encoder.layer.${i}`;
    const context = attention(g, config, layer, x, bias);
    const projected = g.add('Add', [g.linear(context, `${layer}.attention.output.dense`), x]);
    const attended = g.layerNorm(projected, `${layer}.attention.output.LayerNorm`, eps);
    const wide = activate(g, g.linear(attended, `${layer}.intermediate.dense`), config.hiddenAct);
    const narrow = g.add('Add', [g.linear(wide, `${layer}.output.dense`), attended]);
    x = g.layerNorm(narrow, `${layer}.output.LayerNorm`, eps);
  }
  return x;
}

/** tanh of a dense layer over the first token. @returns [batch, hidden] */
export function pooler(g: GraphBuilder, hidden: string): string {
  const first = g.add('Gather', [hidden, g.index(0)], { axis: 1 });
  return g.add('Tanh', [g.linear(first, 'bert.pooler.dense')]);
}

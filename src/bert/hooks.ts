/**
 * Names of all intermediates that a hook (`Pass.hooks`) can look at or replace, and numbers of all dropout sites.
 * Rows are tokens: [rows, hidden] is [batch * seq, hidden] in a padded batch.
 */

/** Names within layer i, after `encoder.layers.i.`; scores and probs are [sequences, heads, seq, seq]. */
export const LAYER_HOOKS = [
  'attention.query',
  'attention.key',
  'attention.value',
  'attention.scores',
  'attention.probs',
  'attention.context',
  'attention.output',
  'attention.norm',
  'feedForward.intermediate',
  'feedForward.activation',
  'feedForward.output',
  'output',
] as const;

/** Every hook name of a model with `layers` layers, in the order in which they are met. */
export function hookNames(layers: number): string[] {
  const inLayers = Array.from({ length: layers }, (_, i) => LAYER_HOOKS.map((name) => layerHook(i, name))).flat();
  return [
    ...['embeddings.word', 'embeddings.position', 'embeddings.tokenType', 'embeddings.sum', 'embeddings'],
    ...inLayers,
    ...['pooler', 'mlm.gathered', 'mlm.transform', 'mlm.logits', 'sentence.logits'],
  ];
}

export const layerHook = (layer: number, name: (typeof LAYER_HOOKS)[number]): string =>
  `encoder.layers.${layer}.${name}`;

/** Names of the heads for tasks, in whose models the hooks of pre-training's heads are not met. */
export const HEAD_HOOKS = ['classifier.input', 'classifier.logits', 'span.logits'] as const;

/** Each use of dropout has a number, part of the key of its random numbers. */
export const SITE = {
  embeddings: 0,
  attentionProbs: (layer: number): number => 1 + 3 * layer,
  attentionOutput: (layer: number): number => 2 + 3 * layer,
  feedForwardOutput: (layer: number): number => 3 + 3 * layer,
  /** In front of a classification head; `layers` is their number. */
  classifier: (layers: number): number => 1 + 3 * layers,
} as const;

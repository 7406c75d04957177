/** A variable of google-research/bert under transformers' name. */
export interface Renamed {
  readonly name: string;
  /** Dense kernels are [in, out] there and [out, in] here. */
  readonly transpose: boolean;
}

/** Variables of modeling.py, run_pretraining.py, run_classifier.py and run_squad.py, by their scopes. */
const RULES: readonly (readonly [theirs: RegExp, ours: string])[] = [
  [/^bert\/embeddings\/(word|position|token_type)_embeddings$/, 'bert.embeddings.$1_embeddings.weight'],
  [/^bert\/embeddings\/LayerNorm\//, 'bert.embeddings.LayerNorm.'],
  [/^bert\/encoder\/layer_(\d+)\/attention\/self\/(query|key|value)\//, 'bert.encoder.layer.$1.attention.self.$2.'],
  [/^bert\/encoder\/layer_(\d+)\/attention\/output\/(dense|LayerNorm)\//, 'bert.encoder.layer.$1.attention.output.$2.'],
  [/^bert\/encoder\/layer_(\d+)\/intermediate\/dense\//, 'bert.encoder.layer.$1.intermediate.dense.'],
  [/^bert\/encoder\/layer_(\d+)\/output\/(dense|LayerNorm)\//, 'bert.encoder.layer.$1.output.$2.'],
  [/^bert\/pooler\/dense\//, 'bert.pooler.dense.'],
  [/^cls\/predictions\/transform\/(dense|LayerNorm)\//, 'cls.predictions.transform.$1.'],
  [/^cls\/predictions\/output_bias$/, 'cls.predictions.bias'],
  [/^cls\/seq_relationship\/output_/, 'cls.seq_relationship.'],
  [/^cls\/squad\/output_/, 'qa_outputs.'],
  [/^output_(?=weights|bias)/, 'classifier.'],
];
const SUFFIXES: readonly (readonly [theirs: RegExp, ours: string])[] = [
  [/\.kernel$/, '.weight'],
  [/\.gamma$/, '.weight'],
  [/\.beta$/, '.bias'],
  [/\.weights$/, '.weight'],
];

/** @returns null for a variable that is no part of a BERT: optimizer moments, the step */
export function fromGoogle(variable: string): Renamed | null {
  const rule = RULES.find(([pattern]) => pattern.test(variable));
  if (rule === undefined) return null;
  let name = variable.replace(...rule);
  if (name.includes('/')) return null; // adam_m, adam_v
  for (const [pattern, ours] of SUFFIXES) name = name.replace(pattern, ours);
  return { name, transpose: variable.endsWith('/kernel') };
}

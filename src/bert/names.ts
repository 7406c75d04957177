/**
 * Our parameter names <-> those of transformers' BERTs with their heads, by rules: a prefix table and a suffix. Linear
 * weights are [out, in] in both, so no tensor is transposed.
 */
const RULES: readonly (readonly [ours: RegExp, theirs: string])[] = [
  [/^bert\.embeddings\.word\./, 'bert.embeddings.word_embeddings.'],
  [/^bert\.embeddings\.position\./, 'bert.embeddings.position_embeddings.'],
  [/^bert\.embeddings\.tokenType\./, 'bert.embeddings.token_type_embeddings.'],
  [/^bert\.embeddings\.norm\./, 'bert.embeddings.LayerNorm.'],
  [/^bert\.encoder\.layers\.(\d+)\.attention\.(query|key|value)\./, 'bert.encoder.layer.$1.attention.self.$2.'],
  [/^bert\.encoder\.layers\.(\d+)\.attention\.output\./, 'bert.encoder.layer.$1.attention.output.dense.'],
  [/^bert\.encoder\.layers\.(\d+)\.attention\.norm\./, 'bert.encoder.layer.$1.attention.output.LayerNorm.'],
  [/^bert\.encoder\.layers\.(\d+)\.feedForward\.intermediate\./, 'bert.encoder.layer.$1.intermediate.dense.'],
  [/^bert\.encoder\.layers\.(\d+)\.feedForward\.output\./, 'bert.encoder.layer.$1.output.dense.'],
  [/^bert\.encoder\.layers\.(\d+)\.feedForward\.norm\./, 'bert.encoder.layer.$1.output.LayerNorm.'],
  [/^bert\.pooler\.dense\./, 'bert.pooler.dense.'],
  [/^mlm\.dense\./, 'cls.predictions.transform.dense.'],
  [/^mlm\.norm\./, 'cls.predictions.transform.LayerNorm.'],
  [/^mlm\.decoder$/, 'cls.predictions.decoder.weight'],
  [/^mlm\.bias$/, 'cls.predictions.bias'],
  [/^sentence\.dense\./, 'cls.seq_relationship.'],
  [/^classifier\.dense\./, 'classifier.'],
  [/^span\.dense\./, 'qa_outputs.'],
];

/** The name transformers gives to one of our parameters. @throws when a part of the model has no rule here */
export function transformersName(ours: string): string {
  for (const [pattern, theirs] of RULES) if (pattern.test(ours)) return ours.replace(pattern, theirs);
  throw new Error(`parameter "${ours}" has no name in transformers; add a rule to bert/names.ts`);
}

/**
 * Names of earlier years and of other wrappings as transformers writes them today: `gamma` and `beta` of LayerNorm (before
 * 2019), no `bert.` before the parts of a bare BertModel, `module.` of torch's DataParallel.
 */
export function todaysName(theirs: string): string {
  return theirs
    .replace(/^module\./, '')
    .replace(/^(?=(embeddings|encoder|pooler)\.)/, 'bert.')
    .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
}

/** The word table, and the decoder that is the same tensor in a tied model. */
export const WORD_TABLE = 'bert.embeddings.word_embeddings.weight';
export const DECODER = 'cls.predictions.decoder.weight';

/** Of two names for one tensor files keep either. */
export const OTHER_NAME: Readonly<Record<string, string>> = {
  'cls.predictions.bias': 'cls.predictions.decoder.bias',
  [WORD_TABLE]: DECODER, // in a tied model alone
};

/** Constants that old files carry along: 0, 1, 2, ... */
export const isBuffer = (theirs: string): boolean => theirs === 'bert.embeddings.position_ids';

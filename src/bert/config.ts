import { ConfigError } from '../core/errors.js';
import { nearest } from '../core/suggest.js';

/** Shapes and rates of a BERT, in the words of its config.json (google-research/bert modeling.py:31, BertConfig). */
export interface BertConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Width of the feed-forward layer, usually 4 x hidden. */
  readonly intermediateSize: number;
  /** 'gelu' is the exact form by erf (Hugging Face), 'gelu_new' google's tanh form (modeling.py:264). */
  readonly hiddenAct: 'gelu' | 'gelu_new' | 'relu';
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  /** Of what a classification head reads; null: as hiddenDropoutProb. */
  readonly classifierDropout: number | null;
  /** Longest sequence: rows of the position table. */
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  /** Deviation of the initial weights. */
  readonly initializerRange: number;
  readonly layerNormEps: number;
  readonly padTokenId: number;
  /** Whether the masked-word head multiplies by the word table itself, as all of google's do, or by one of its own. */
  readonly tieWordEmbeddings: boolean;
}

type Check = (value: unknown) => string | null;

const isCount: Check = (v) => (Number.isSafeInteger(v) && (v as number) > 0 ? null : 'a whole number above 0');
const isIndex: Check = (v) => (Number.isSafeInteger(v) && (v as number) >= 0 ? null : 'a whole number from 0 up');
const isRate: Check = (v) => (typeof v === 'number' && v >= 0 && v < 1 ? null : 'a number in [0, 1)');
const isRateOrNull: Check = (v) => (v === null || isRate(v) === null ? null : 'a number in [0, 1), or null');
const isPositive: Check = (v) => (typeof v === 'number' && v > 0 && Number.isFinite(v) ? null : 'a number above 0');
const ACTIVATIONS = ['gelu', 'gelu_new', 'relu'];
const isFlag: Check = (v) => (typeof v === 'boolean' ? null : 'true or false');
/** Other names of the same functions in transformers (activations.py, ACT2FN); the tanh forms differ in rounding alone. */
const SAME_ACTIVATION: Readonly<Record<string, BertConfig['hiddenAct']>> = {
  gelu_python: 'gelu',
  gelu_fast: 'gelu_new',
  gelu_accurate: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_python_tanh: 'gelu_new',
};
const isActivation: Check = (v) => (ACTIVATIONS.includes(v as string) ? null : `one of ${ACTIVATIONS.join(', ')}`);

/** A row per key: its name in config.json, its default (none: it must be given), its check. */
const FIELDS: {
  readonly [K in keyof BertConfig]: { readonly key: string; readonly default?: BertConfig[K]; readonly check: Check };
} = {
  vocabSize: { key: 'vocab_size', check: isCount },
  hiddenSize: { key: 'hidden_size', check: isCount },
  numHiddenLayers: { key: 'num_hidden_layers', check: isCount },
  numAttentionHeads: { key: 'num_attention_heads', check: isCount },
  intermediateSize: { key: 'intermediate_size', check: isCount },
  hiddenAct: { key: 'hidden_act', default: 'gelu', check: isActivation },
  hiddenDropoutProb: { key: 'hidden_dropout_prob', default: 0.1, check: isRate },
  attentionProbsDropoutProb: { key: 'attention_probs_dropout_prob', default: 0.1, check: isRate },
  classifierDropout: { key: 'classifier_dropout', default: null, check: isRateOrNull },
  maxPositionEmbeddings: { key: 'max_position_embeddings', default: 512, check: isCount },
  typeVocabSize: { key: 'type_vocab_size', default: 2, check: isCount },
  initializerRange: { key: 'initializer_range', default: 0.02, check: isPositive },
  layerNormEps: { key: 'layer_norm_eps', default: 1e-12, check: isPositive },
  padTokenId: { key: 'pad_token_id', default: 0, check: isIndex },
  tieWordEmbeddings: { key: 'tie_word_embeddings', default: true, check: isFlag },
};

/** Keys of released config.json files that do not change what the encoder computes, or only in the way checked here. */
const NEUTRAL = new Set([
  'architectures',
  'model_type',
  'transformers_version',
  'torch_dtype',
  'dtype',
  'use_cache',
  'gradient_checkpointing',
  'directionality',
  'pooler_fc_size',
  'pooler_num_attention_heads',
  'pooler_num_fc_layers',
  'pooler_size_per_head',
  'pooler_type',
  'id2label',
  'label2id',
  'num_labels',
  'problem_type',
  'finetuning_task',
  'task_specific_params',
  '_name_or_path',
  'output_past',
  'position_embedding_type',
  'is_decoder',
  'bos_token_id',
  'eos_token_id',
  'sep_token_id',
  'cls_token_id',
  'unk_token_id',
  'mask_token_id',
  'add_cross_attention',
  'output_attentions',
  'output_hidden_states',
  'attn_implementation',
  '_attn_implementation_autoset',
  '_num_labels',
  'chunk_size_feed_forward',
  'is_encoder_decoder',
  'return_dict',
  'tokenizer_class',
  'torchscript',
]);

/** Keys with the only value that is a BERT as it is built here. */
const REQUIRED: Readonly<Record<string, unknown>> = {
  model_type: 'bert',
  position_embedding_type: 'absolute',
  is_decoder: false,
  add_cross_attention: false,
  is_encoder_decoder: false,
};

/** What stands there, or the default; `null` where transformers writes it for "none", and other names of a function. */
function settingOf(
  { key, default: otherwise }: { key: string; default?: unknown },
  given: ReadonlyMap<string, unknown>,
): unknown {
  const value = given.has(key) ? given.get(key) : otherwise;
  if (key === 'pad_token_id' && value === null) return otherwise;
  return key === 'hidden_act' ? (SAME_ACTIVATION[String(value)] ?? value) : value;
}

/**
 * Reads a config.json strictly: every mistake is reported, all at once.
 * @param where file name for messages
 * @param passOver takes unknown keys, which then are no mistakes: those of a model that somebody else made
 * @throws {ConfigError} unknown or missing key, wrong type or range, sizes that do not divide
 */
export function parseConfig(json: unknown, where = 'config.json', passOver?: (key: string) => void): BertConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ConfigError(`${where}: must hold one JSON object`, { code: 'CONFIG-JSON' });
  }
  const given = new Map(Object.entries(json));
  const mistakes: string[] = [];
  const known = [...Object.values(FIELDS).map((f) => f.key), ...NEUTRAL];
  for (const [key, value] of given) {
    if (!known.includes(key) && passOver !== undefined) passOver(key);
    else if (!known.includes(key)) {
      const meant = nearest(key, known);
      mistakes.push(`unknown key "${key}"${meant === null ? '' : `; did you mean "${meant}"?`}`);
    } else if (Object.hasOwn(REQUIRED, key) && value !== REQUIRED[key]) {
      mistakes.push(`"${key}" is ${JSON.stringify(value)}; this is a BERT only with ${JSON.stringify(REQUIRED[key])}`);
    }
  }
  const config: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(FIELDS)) {
    const value = settingOf(field, given);
    const wanted = value === undefined ? 'present' : field.check(value);
    if (wanted !== null)
      mistakes.push(`"${field.key}" must be ${wanted}; got ${value === undefined ? 'nothing' : JSON.stringify(value)}`);
    config[name] = value;
  }
  const hidden = config.hiddenSize as number;
  const heads = config.numAttentionHeads as number;
  if (mistakes.length === 0 && hidden % heads !== 0) {
    mistakes.push(`"hidden_size" ${hidden} does not divide by "num_attention_heads" ${heads}`);
  }
  if (mistakes.length > 0) {
    throw new ConfigError(`${where}: ${mistakes.join('; ')}`, {
      code: 'CONFIG-BERT',
      where,
      fix: 'correct the keys named; see docs/bert.md for all of them',
    });
  }
  return config as unknown as BertConfig;
}

/** The config.json of a configuration, as transformers writes it. */
export function configToJson(config: BertConfig, architecture = 'BertForPreTraining'): Record<string, unknown> {
  const json: Record<string, unknown> = {
    architectures: [architecture],
    model_type: 'bert',
    position_embedding_type: 'absolute',
  };
  for (const [name, field] of Object.entries(FIELDS)) json[field.key] = config[name as keyof BertConfig];
  return json;
}

/** Layers, hidden size and heads of google's released shapes (Turc et al. 2019, arXiv:1908.08962; Devlin et al. 2019). */
const SHAPES = {
  tiny: [2, 128, 2],
  mini: [4, 256, 4],
  small: [4, 512, 8],
  medium: [8, 512, 8],
  base: [12, 768, 12],
  large: [24, 1024, 16],
} as const;
export type PresetName = keyof typeof SHAPES;
export const presetNames = Object.keys(SHAPES) as readonly PresetName[];

/** One of google's shapes with a vocabulary of one's own. @throws {ConfigError} for another name */
export function preset(name: string, changes: Partial<BertConfig> & { vocabSize: number }): BertConfig {
  if (!Object.hasOwn(SHAPES, name)) {
    const meant = nearest(name, presetNames);
    throw new ConfigError(`unknown model "${name}"${meant === null ? '' : `; did you mean "${meant}"?`}`, {
      code: 'CONFIG-PRESET',
      fix: `use one of ${presetNames.join(', ')}, or --config with a config.json`,
    });
  }
  const [numHiddenLayers, hiddenSize, numAttentionHeads] = SHAPES[name as PresetName];
  const config = { numHiddenLayers, hiddenSize, numAttentionHeads, intermediateSize: 4 * hiddenSize, ...changes };
  const json = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [FIELDS[key as keyof BertConfig].key, value]),
  );
  return parseConfig(json, `model "${name}"`);
}

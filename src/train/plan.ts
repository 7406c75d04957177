import type { BertConfig } from '../bert/config.js';
import { DataError } from '../core/errors.js';
import type { PretrainOptions } from './options.js';

/** What a run was begun with; the content of run.json. */
export interface RunPlan {
  /** Folder of the prepared corpus. */
  readonly shards: string;
  readonly corpusHash: string;
  readonly config: BertConfig;
  readonly options: PretrainOptions;
  readonly samples: readonly string[];
}

const isNumber = (v: unknown): v is number => typeof v === 'number';
const isText = (v: unknown): v is string => typeof v === 'string';
const oneOf =
  (...words: readonly string[]) =>
  (v: unknown): boolean =>
    words.includes(v as string);

/** A check per option; the type makes sure that none is forgotten. */
const OPTIONS: { readonly [K in keyof PretrainOptions]: (value: unknown) => boolean } = {
  data: (v) => typeof v === 'object' && v !== null,
  steps: isNumber,
  batch: isNumber,
  accumulate: isNumber,
  maxSeq: isNumber,
  firstPart: (v) => v === null || typeof v === 'object',
  lr: isNumber,
  warmupSteps: isNumber,
  schedule: oneOf('linear', 'google', 'constant'),
  optimizer: oneOf('standard', 'bert'),
  weightDecay: isNumber,
  clip: isNumber,
  seed: isNumber,
  packing: oneOf('packed', 'padded'),
  precision: oneOf('f32', 'bf16'),
  biasInit: oneOf('zero', 'unigram'),
};

/** Options with those that runs of earlier versions do not name. */
const completed = (options: unknown): unknown =>
  typeof options === 'object' && options !== null ? { precision: 'f32', ...options } : options;

function isOptions(value: unknown): value is PretrainOptions {
  if (typeof value !== 'object' || value === null) return false;
  const given = new Map(Object.entries(value));
  return Object.entries(OPTIONS).every(([key, check]) => check(given.get(key)));
}

/**
 * Reads the plan of a run back.
 * @param readConfig parses the configuration, and throws where it is wrong
 * @param where the file, for messages
 * @throws {DataError} something is missing or of another type
 */
export function planFromJson(json: object, readConfig: (json: unknown) => BertConfig, where: string): RunPlan {
  const { shards, corpusHash, config, samples, ...rest } = json as Partial<Record<keyof RunPlan, unknown>>;
  const options = completed(rest.options);
  if (isText(shards) && isText(corpusHash) && isOptions(options) && Array.isArray(samples) && samples.every(isText)) {
    return { shards, corpusHash, config: readConfig(config), options, samples };
  }
  const present = { shards: isText(shards), corpusHash: isText(corpusHash), options: isOptions(options) };
  const wrong = Object.entries(present).flatMap(([key, right]) => (right ? [] : [`"${key}"`]));
  throw new DataError(`${where}: ${wrong.join(', ') || '"samples"'} is missing or not as it was written`, {
    code: 'RUN-DAMAGED',
    where,
    fix: 'put the file back as it was; nothing of it may be edited by hand',
  });
}

import { ConfigError } from '../core/errors.js';
import { nearest } from '../core/suggest.js';
import { Initializer } from '../nn/init.js';
import type { Module } from '../nn/module.js';
import { type BertConfig, configToJson } from './config.js';
import { BertForMaskedLM } from './heads/masked-lm.js';
import { BertForMultipleChoice } from './heads/multiple-choice.js';
import { BertForNextSentencePrediction } from './heads/next-sentence-prediction.js';
import { BertForQuestionAnswering } from './heads/question-answering.js';
import { BertForSequenceClassification } from './heads/sequence-classification.js';
import { BertForTokenClassification } from './heads/token-classification.js';
import { type LabelConfig, labelsToJson } from './labels.js';
import type { BertModel } from './model.js';
import { BertForPreTraining } from './pretraining.js';

/** Any of the models here: an encoder, and a head or two. */
export type AnyBert = Module & { readonly config: BertConfig; readonly bert: BertModel };

/** What a model is made from. */
export interface Recipe {
  readonly config: BertConfig;
  readonly labels: LabelConfig;
  readonly seed?: number;
  /** Instead of a seed: who draws the initial weights. */
  readonly init?: Initializer;
}

const seeded = ({ seed = 0, init }: Recipe): { init: Initializer } => ({ init: init ?? new Initializer(seed) });

/** Every model with a head, under the name that transformers has for it. */
const MODELS = {
  BertForPreTraining: (r: Recipe) => new BertForPreTraining(r.config, seeded(r)),
  BertForMaskedLM: (r: Recipe) => new BertForMaskedLM(r.config, seeded(r)),
  BertForNextSentencePrediction: (r: Recipe) => new BertForNextSentencePrediction(r.config, seeded(r)),
  BertForSequenceClassification: (r: Recipe) => new BertForSequenceClassification(r.config, r.labels, seeded(r)),
  BertForTokenClassification: (r: Recipe) => new BertForTokenClassification(r.config, r.labels, seeded(r)),
  BertForQuestionAnswering: (r: Recipe) => new BertForQuestionAnswering(r.config, seeded(r)),
  BertForMultipleChoice: (r: Recipe) => new BertForMultipleChoice(r.config, seeded(r)),
} as const;

export type Architecture = keyof typeof MODELS;
export type ModelOf<A extends Architecture> = ReturnType<(typeof MODELS)[A]>;
export const architectureNames = Object.keys(MODELS) as readonly Architecture[];

/** Makes a model with weights of its own; nothing is shared between two. */
export function buildModel<A extends Architecture>(architecture: A, recipe: Recipe): ModelOf<A> {
  return MODELS[architecture](recipe) as ModelOf<A>;
}

/** The name under "architectures" of a config.json. @throws {ConfigError} none, or one that is no BERT with a head */
export function parseArchitecture(json: Readonly<Record<string, unknown>>, where = 'config.json'): Architecture {
  const [name] = Array.isArray(json.architectures) ? (json.architectures as unknown[]) : [];
  const found = architectureNames.find((known) => known === name);
  if (found !== undefined) return found;
  const meant = typeof name === 'string' ? nearest(name, architectureNames) : null;
  const hint = meant === null ? '' : `; did you mean "${meant}"?`;
  throw new ConfigError(`${where}: "architectures" names ${JSON.stringify(name ?? null)}, no BERT with a head${hint}`, {
    code: 'CONFIG-ARCHITECTURE',
    where,
    fix: `it is one of ${architectureNames.join(', ')}`,
  });
}

/** The config.json of a model: sizes, architecture, and the meaning of its outputs where they are labels. */
export function modelToJson(model: AnyBert, architecture: Architecture): Record<string, unknown> {
  const labels = 'labelConfig' in model ? (model.labelConfig as LabelConfig | null) : null;
  return { ...configToJson(model.config, architecture), ...(labels === null ? {} : labelsToJson(labels)) };
}

import type { Module } from '../nn/module.js';

/** Parameters of one part of a model. */
export interface PartSummary {
  readonly part: string;
  readonly parameters: number;
  readonly share: number;
}

const PARTS: readonly (readonly [part: string, prefix: string])[] = [
  ['word embeddings (tied to the decoder)', 'bert.embeddings.word.'],
  ['position and segment embeddings, LayerNorm', 'bert.embeddings.'],
  ['attention', '.attention.'],
  ['feed-forward', '.feedForward.'],
  ['pooler', 'bert.pooler.'],
  ['masked-word head', 'mlm.'],
  ['sentence head', 'sentence.'],
];
/** Parts that a model has only where somebody gave it that head. */
const OTHER_PARTS: typeof PARTS = [
  ['classification head', 'classifier.'],
  ['span head', 'span.'],
];

/** Counts parameters by part; each parameter belongs to the first part whose name it holds. */
export function summarize(model: Module): PartSummary[] {
  const total = model.parameterCount();
  const counts = new Map<string, number>(PARTS.map(([part]) => [part, 0]));
  for (const [name, parameter] of model.namedParameters()) {
    const [part] = [...PARTS, ...OTHER_PARTS].find(([, prefix]) => name.includes(prefix)) ?? ['other', ''];
    counts.set(part, (counts.get(part) ?? 0) + parameter.size);
  }
  return [...counts].map(([part, parameters]) => ({ part, parameters, share: parameters / total }));
}

/** The same as lines of text, a total below. */
export function summaryText(model: Module): string {
  const lines = summarize(model).map(({ part, parameters, share }) => {
    const percent = `${(100 * share).toFixed(1)} %`;
    return `${parameters.toLocaleString('en').padStart(13)} ${percent.padStart(7)}  ${part}`;
  });
  return [...lines, `${model.parameterCount().toLocaleString('en').padStart(13)} 100.0 %  all parameters`].join('\n');
}

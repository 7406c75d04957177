import { ConfigError } from '../core/errors.js';

/** What the numbers of a classification head mean (transformers' config.problem_type). */
export type ProblemType = 'regression' | 'single_label_classification' | 'multi_label_classification';
export const PROBLEM_TYPES: readonly ProblemType[] = [
  'regression',
  'single_label_classification',
  'multi_label_classification',
];

/** The labels of a head, in the order of its outputs, and how they are meant. */
export interface LabelConfig {
  readonly labels: readonly string[];
  readonly problemType: ProblemType;
}

/** transformers' names where nobody has given any: two labels. */
export const defaultLabels = (count: number): string[] => Array.from({ length: count }, (_, i) => `LABEL_${i}`);

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function labelsOf(json: Readonly<Record<string, unknown>>, fail: (what: string) => never): string[] {
  const { id2label, num_labels: count = null } = json;
  if (id2label === undefined || id2label === null) {
    if (count === null) return defaultLabels(2);
    if (!Number.isSafeInteger(count) || (count as number) < 1) fail('"num_labels" must be a whole number above 0');
    return defaultLabels(count as number);
  }
  if (typeof id2label !== 'object' || Array.isArray(id2label)) fail('"id2label" must be an object of id: name');
  const names = new Map(Object.entries(id2label as object));
  const labels = Array.from({ length: names.size }, (_, id) => {
    const name: unknown = names.get(`${id}`);
    return isText(name) ? name : fail(`"id2label" must name every id from 0 to ${names.size - 1}; ${id} has no name`);
  });
  if (labels.length === 0) fail('"id2label" is empty');
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) fail(`"id2label" names two ids "${twice}"`);
  return labels;
}

/**
 * Reads id2label (or num_labels) and problem_type of a config.json. Without problem_type one label means regression,
 * more mean one class of several, as in transformers.
 * @throws {ConfigError} ids without a name, a name twice, an unknown problem type
 */
export function parseLabels(json: Readonly<Record<string, unknown>>, where = 'config.json'): LabelConfig {
  const fail = (what: string): never => {
    throw new ConfigError(`${where}: ${what}`, {
      code: 'CONFIG-LABELS',
      where,
      fix: 'id2label is {"0": "first", "1": "second"}, and label2id the same the other way round',
    });
  };
  const labels = labelsOf(json, fail);
  const given = json.problem_type ?? (labels.length === 1 ? 'regression' : 'single_label_classification');
  const problemType = PROBLEM_TYPES.find((type) => type === given);
  if (problemType === undefined) {
    return fail(`"problem_type" must be one of ${PROBLEM_TYPES.join(', ')}; got ${JSON.stringify(given)}`);
  }
  return { labels, problemType };
}

/** The same as keys of a config.json, both directions and the problem type. */
export function labelsToJson({ labels, problemType }: LabelConfig): Record<string, unknown> {
  return {
    id2label: Object.fromEntries(labels.map((label, id) => [`${id}`, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    problem_type: problemType,
  };
}

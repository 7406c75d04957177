import type { HeadModel } from '../../bert/heads/head-model.js';
import { inferred } from '../../bert/infer.js';
import { batchesByLength, inputOf } from './batch.js';
import type { Feature, Measures, Task } from './task.js';

/** Tokens of a batch: enough to keep the cores busy, few enough for the caches. */
const BUDGET = 4096;

/** Logits of features, and their mean loss where targets are known (NaN otherwise). */
export interface Inferred {
  readonly outputs: readonly Float32Array[];
  readonly loss: number;
}

/** Runs features through a model, without gradients and dropout, in packed batches of like lengths. */
export async function infer<E, A>(
  model: HeadModel<unknown>,
  task: Task<E, A>,
  features: readonly Feature[],
): Promise<Inferred> {
  const outputs: Float32Array[] = new Array(features.length);
  const known = features.length > 0 && features.every(({ target }) => target !== null);
  let [loss, total] = [0, 0];
  for (const batch of batchesByLength(features, BUDGET)) {
    const part = batch.map((i) => features[i]);
    const input = inputOf(part);
    const weight = known ? task.weight(part) : 0;
    const [logits, losses] = await inferred(model, model.bert, weight > 0 ? null : 'logits', input, (pass) => {
      const made = model.forward(input, pass);
      return weight > 0 ? [made, model.loss(made, task.targets(part, input, weight))] : [made];
    });
    for (const [k, rows] of task.split(logits, part, input).entries()) outputs[batch[k]] = rows;
    loss += weight * (losses?.[0] ?? 0);
    total += weight;
  }
  return { outputs, loss: total > 0 ? loss / total : Number.NaN };
}

/** What a model says of examples. */
export async function answer<E, A>(model: HeadModel<unknown>, task: Task<E, A>, examples: readonly E[]): Promise<A[]> {
  const features = task.features(examples);
  const { outputs } = await infer(model, task, features);
  return task.answers(examples, features, outputs);
}

export interface Evaluation<A> {
  readonly loss: number;
  readonly measures: Measures;
  readonly answers: readonly A[];
}

/** The same for examples whose answers are known, with what these are worth. */
export async function evaluate<E, A>(
  model: HeadModel<unknown>,
  task: Task<E, A>,
  examples: readonly E[],
  features: readonly Feature[] = task.features(examples),
): Promise<Evaluation<A>> {
  const { outputs, loss } = await infer(model, task, features);
  const answers = task.answers(examples, features, outputs);
  return { loss, answers, measures: task.measure(examples, answers) };
}

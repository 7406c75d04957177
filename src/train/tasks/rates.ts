import type { BertConfig } from '../../bert/config.js';
import type { Module } from '../../nn/module.js';

/** How much of a model stays as it is: nothing, the embeddings and so many layers, or all but the head. */
export type Freeze = number | 'none' | 'encoder';

/** 0 of the embeddings, i + 1 of layer i, layers + 1 of pooler and head. */
export function depthOf(name: string, { numHiddenLayers }: BertConfig): number {
  if (name.startsWith('bert.embeddings.')) return 0;
  const layer = /^bert\.encoder\.layers\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? numHiddenLayers + 1 : Number(layer) + 1;
}

/**
 * Learning rates that fall by `decay` from each layer to the one below (Howard and Ruder 2018, arXiv:1801.06146, sec. 3.2;
 * Sun et al. 2019, arXiv:1905.05583, sec. 5.3.3).
 */
export const layerRates =
  (config: BertConfig, decay: number): ((name: string) => number) =>
  (name) =>
    decay ** (config.numHiddenLayers + 1 - depthOf(name, config));

/** Takes the gradient from the parameters that are to stay as they are. */
export function freeze(model: Module, config: BertConfig, what: Freeze): void {
  for (const [name, parameter] of model.namedParameters()) {
    const frozen = what === 'encoder' ? name.startsWith('bert.') : what !== 'none' && depthOf(name, config) <= what;
    parameter.requiresGrad = !frozen;
  }
}

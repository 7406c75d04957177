import type { TypedData } from '../core/dtype.js';
import type { Module } from '../nn/module.js';
import { inference, type Pass } from '../nn/pass.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertInput } from './input.js';
import type { BertModel } from './model.js';

/** Batches of more rows take so long that what JavaScript adds is not seen, and their results take much memory. */
const MOST_ROWS = 1024;

/** Whether ops would refuse the ids of a batch: a pass that is replayed does not ask them. */
function hasAllIds({ embeddings }: BertModel, { inputIds, tokenTypeIds, positionIds }: BertInput): boolean {
  const { word, tokenType, position } = embeddings;
  const lists = [
    [inputIds, word],
    [tokenTypeIds, tokenType],
    [positionIds, position],
  ] as const;
  return lists.every(([ids, { weight }]) => ids.every((id) => id >= 0 && id < weight.shape[0]));
}

/**
 * The values of what `body` makes of a batch, without gradients and dropout. Small batches whose sequences have lengths that
 * were met before are replayed.
 * @param model whose memory is kept for that, until its `dispose`; `bert` is a part of it, or all of it
 * @param what names `body` among all that are run with this model; besides the batch it uploads nothing that may change.
 *   null: it does, and nothing is replayed
 * @throws whatever `body` throws
 */
export function inferred(
  model: Module,
  bert: BertModel,
  what: string | null,
  input: BertInput,
  body: (pass: Pass) => readonly Tensor[],
): Promise<TypedData[]> {
  const { backend } = bert.embeddings.word.weight;
  const { inputIds, tokenTypeIds, positionIds, keyBias, offsets, rows, maxSeq } = input;
  const again = what !== null && rows <= MOST_ROWS && hasAllIds(bert, input);
  const key = again ? `${what} ${maxSeq} ${offsets.join(' ')}` : null;
  return model.replay.values(backend, key, [inputIds, tokenTypeIds, positionIds, keyBias], () => body(inference()));
}

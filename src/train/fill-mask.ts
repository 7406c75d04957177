import { noGrad } from '../autograd/apply.js';
import { scope } from '../autograd/scope.js';
import { packedInput } from '../bert/input.js';
import type { BertForPreTraining } from '../bert/pretraining.js';
import { DataError } from '../core/errors.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { inference } from '../nn/pass.js';

/** One guess for a [MASK]. */
export interface Guess {
  readonly token: string;
  readonly id: number;
  readonly probability: number;
}

/**
 * What a model puts in the place of each [MASK] of a text.
 * @param text holds [MASK] at least once
 * @returns for each mask its best guesses, the likeliest first
 * @throws {DataError} a text without [MASK] or longer than the model's positions
 */
export async function fillMask(
  model: BertForPreTraining,
  tokenizer: Tokenizer,
  text: string,
  top = 5,
): Promise<Guess[][]> {
  const { ids } = tokenizer.encode(text);
  const { mask } = tokenizer.vocab;
  const positions = Int32Array.from(ids.flatMap((id, i) => (id === mask ? [i] : [])));
  if (positions.length === 0) {
    throw new DataError('the text holds no [MASK]', {
      code: 'DATA-NO-MASK',
      where: JSON.stringify(text),
      fix: 'write [MASK] where a word is to be guessed',
    });
  }
  const inputIds = Int32Array.from(ids);
  const seq = inputIds.length;
  const input = packedInput({
    batch: 1,
    seq,
    inputIds,
    tokenTypeIds: new Int32Array(seq),
    lengths: Int32Array.of(seq),
  });
  const probs = scope(() => noGrad(() => model.predict(input, positions, inference()).mlmLogits.softmax())); // [masks, vocab]
  const values = await probs.data();
  probs.dispose();
  const vocab = model.config.vocabSize;
  return Array.from(positions, (_, i) =>
    best(values.subarray(i * vocab, (i + 1) * vocab), top, (id) => tokenizer.vocab.token(id)),
  );
}

function best(probabilities: ArrayLike<number>, top: number, token: (id: number) => string): Guess[] {
  const order = Array.from({ length: probabilities.length }, (_, id) => id);
  order.sort((a, b) => (probabilities[b] as number) - (probabilities[a] as number) || a - b);
  return order.slice(0, top).map((id) => ({ id, token: token(id), probability: probabilities[id] as number }));
}

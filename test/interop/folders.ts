import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BertInput, type PaddedBatch, packedInput, paddedInput } from '../../src/bert/input.js';

/** Tiny models as transformers saves them: test/golden/interop.py. */
export const GOLDEN = fileURLToPath(new URL('../golden/interop/', import.meta.url));

interface Answer {
  readonly shape: number[];
  readonly data: number[];
}
interface Outputs {
  readonly ids: number[][];
  readonly types: number[][];
  readonly lengths: number[];
  readonly outputs: Readonly<Record<string, Readonly<Record<string, Answer>>>>;
}

export const outputs: Outputs = JSON.parse(readFileSync(join(GOLDEN, 'outputs.json'), 'utf8'));
/** Three sequences of 10, 4 and 6 tokens. */
export const batch: PaddedBatch = {
  batch: outputs.ids.length,
  seq: outputs.ids[0].length,
  inputIds: Int32Array.from(outputs.ids.flat()),
  tokenTypeIds: Int32Array.from(outputs.types.flat()),
  lengths: Int32Array.from(outputs.lengths),
};
export const inputs: readonly (readonly [name: string, input: BertInput])[] = [
  ['padded', paddedInput(batch)],
  ['packed', packedInput(batch)],
];

/** A copy of a golden folder with the vocabulary beside it. */
export function copyOf(name: string, parent: string): string {
  const folder = join(parent, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(GOLDEN, name), folder, { recursive: true });
  cpSync(join(GOLDEN, 'vocab.txt'), join(folder, 'vocab.txt'));
  return folder;
}

/** Rows of the golden [batch, seq, width] grid that hold tokens. */
export const tokenRows: readonly number[] = outputs.lengths.flatMap((length, b) =>
  Array.from({ length }, (_, i) => b * batch.seq + i),
);

export const answerOf = (model: string, name: string): Answer => outputs.outputs[model][name];

/** Largest difference. @param rows rows of `want` that count, in the order of `got` */
export function largestDifference(got: ArrayLike<number>, want: Answer, rows?: readonly number[]): number {
  const width = want.shape.at(-1) as number;
  const places = rows?.flatMap((row) => Array.from({ length: width }, (_, i) => row * width + i));
  const values = places?.map((place) => want.data[place]) ?? want.data;
  if (values.length !== got.length) throw new Error(`${got.length} values instead of ${values.length}`);
  return values.reduce((most, value, i) => Math.max(most, Math.abs(got[i] - value)), 0);
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configToJson, parseConfig } from '../../../src/bert/config.js';
import { BertForPreTraining } from '../../../src/bert/pretraining.js';
import { writeSafetensors } from '../../../src/io/safetensors.js';
import { weightsOf } from '../../../src/train/weights.js';

const WORDS = [
  'good',
  'bad',
  'fine',
  'poor',
  'a',
  'the',
  'film',
  'book',
  'is',
  'was',
  'very',
  'paris',
  'london',
  'in',
  'lives',
];
export const VOCAB = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  '[MASK]',
  ...WORDS,
  '?',
  '.',
  'who',
  'where',
  '##s',
  'ann',
  'bob',
];

export const CONFIG = parseConfig({
  vocab_size: VOCAB.length,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 48,
});

/** Writes a small model as `pretrain` leaves one, with weights of a seed. */
export async function writeModel(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const model = new BertForPreTraining(CONFIG, { seed: 3 });
  await writeSafetensors(join(folder, 'model.safetensors'), await weightsOf(model));
  model.dispose();
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configToJson(CONFIG)));
  writeFileSync(join(folder, 'vocab.txt'), `${VOCAB.join('\n')}\n`);
  writeFileSync(join(folder, 'tokenizer_config.json'), '{"do_lower_case": true}');
  return folder;
}

const pick = <T>(items: readonly T[], i: number): T => items[i % items.length];

/** Lines whose label follows from one word of each. */
export function sentimentTsv(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const good = (i * 7) % 3 !== 0;
    const word = pick(good ? ['good', 'fine'] : ['bad', 'poor'], i);
    return `${good ? 'pos' : 'neg'}\t${pick(['the', 'a'], i)} ${pick(['film', 'book'], i >> 1)} was ${i % 5 === 0 ? 'very ' : ''}${word} .`;
  });
  return `label\ttext\n${lines.join('\n')}\n`;
}

/** Sentences with a person and a place in them. */
export function conll(rows: number): string {
  const sentences = Array.from({ length: rows }, (_, i) => {
    const words = [
      `${pick(['ann', 'bob'], i)}\tB-PER`,
      'lives\tO',
      'in\tO',
      `${pick(['paris', 'london'], i >> 1)}\tB-LOC`,
    ];
    return [...(i % 3 === 0 ? ['the\tO'] : []), ...words].join('\n');
  });
  return `${sentences.join('\n\n')}\n`;
}

/** Questions whose answer is a name or a place of the context. */
export function squadJson(rows: number): string {
  const qas = Array.from({ length: rows }, (_, i) => {
    const [who, where] = [pick(['ann', 'bob'], i), pick(['paris', 'london'], i >> 1)];
    const context = `${who} lives in ${where} .`;
    const text = i % 2 === 0 ? who : where;
    const question = i % 2 === 0 ? 'who lives ?' : 'where ?';
    return { context, qas: [{ id: `q${i}`, question, answers: [{ text, answer_start: context.indexOf(text) }] }] };
  });
  return JSON.stringify({ version: '1.1', data: [{ paragraphs: qas }] });
}

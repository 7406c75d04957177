import { join } from 'node:path';
import { disk } from './files.js';
import { MODULES, readModules } from './sentence-modules.js';

const SETTINGS = ['sentence_bert_config.json', 'config_sentence_transformers.json'];
/** Weights and settings of a part: pooling has a config.json, a layer weights besides. */
const PARTS = ['config.json', 'model.safetensors', 'pytorch_model.bin'];

/**
 * The files that make a folder a model of sentence-transformers, to go along when the encoder is saved elsewhere.
 * @returns paths by the name they have in the folder; none for a plain BERT
 */
export async function sentenceFiles(folder: string): Promise<Record<string, { readonly copy: string }>> {
  const names = await disk.list(folder);
  if (!names.includes(MODULES)) return {};
  const found = [MODULES, ...SETTINGS].filter((name) => names.includes(name));
  for (const { kind, path } of await readModules(folder)) {
    if (path === '') continue;
    const inside = await disk.list(join(folder, path));
    const wanted = kind === 'Transformer' ? SETTINGS : PARTS;
    found.push(...wanted.filter((name) => inside.includes(name)).map((name) => join(path, name)));
  }
  return Object.fromEntries(found.map((name) => [name, { copy: join(folder, name) }]));
}

// Everything that this library computes of the texts of minilm.json, for test/golden/minilm-whole.py.
//   node test/golden/minilm-whole.mjs MODEL OUT.safetensors
import { readFileSync } from 'node:fs';
import { packSequences } from '../../dist/bert/input.js';
import { writeSafetensors } from '../../dist/io/safetensors.js';
import { inference } from '../../dist/nn/pass.js';
import { TextEmbedder } from '../../dist/train/text-embedder.js';

const [folder, out] = process.argv.slice(2);
const { texts } = JSON.parse(readFileSync(new URL('minilm.json', import.meta.url), 'utf8'));
const embedder = await TextEmbedder.load(folder, { maxSeq: 512 });
const { model, tokenizer } = embedder.loaded;
const tensors = new Map();

const all = ['', ...texts];
const vectors = await embedder.embed(all);
tensors.set('embeddings', {
  shape: [all.length, embedder.width],
  data: Float32Array.from(vectors.flatMap(({ vector }) => [...vector])),
});
const { cls, sep } = tokenizer.vocab;
const sequences = all.map((text) => tokenizer.encode(text).ids);
for (const ids of sequences) if (ids.length > 512) ids.splice(511, Infinity, sep);
for (const [i, ids] of [...sequences, [cls]].entries()) {
  const { layers, pooled } = model.bert.forward(packSequences([ids]), inference());
  const values = await Promise.all(layers.map((layer) => layer.data()));
  const data = Float32Array.from({ length: values.length * values[0].length }, (_, k) => {
    return values[Math.floor(k / values[0].length)][k % values[0].length];
  });
  tensors.set(`ids.${i}`, { shape: [ids.length], data: Int32Array.from(ids) });
  tensors.set(`hidden.${i}`, { shape: [layers.length, ids.length, model.config.hiddenSize], data });
  tensors.set(`pooled.${i}`, { shape: [model.config.hiddenSize], data: Float32Array.from(await pooled.data()) });
  for (const tensor of [...layers, pooled]) tensor.dispose();
}
await writeSafetensors(out, tensors);

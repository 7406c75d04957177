// Texts of mixed lengths into vectors, or classes: this library against onnxruntime-node on the same weights, exported by us.
//   node bench/embed.mjs MODEL TEXTS [--predict] [--texts 512] [--threads 2] [--rounds 3] [--batch 8]
// MODEL is a folder of sentence-transformers, or with --predict a classifier; TEXTS a file with a text a line. Both sort by
// length. Ours tokenizes, encodes and pools, or answers; onnxruntime gets ids that are ready, padded to the longest of each
// batch, and only encodes; it is fastest with eight at a time.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseOptions } from './options.mjs';

const { positionals, values } = parseOptions({
  allowPositionals: true,
  options: {
    predict: { type: 'boolean', default: false },
    texts: { type: 'string', default: '512' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '8' },
  },
});
const [model, file] = positionals;
if (file === undefined) throw new Error('usage: node bench/embed.mjs MODEL TEXTS');
process.env.BG_THREADS = values.threads;
const { TextEmbedder } = await import('../dist/train/text-embedder.js');
const { Classifier } = await import('../dist/train/predictors.js');
const { loadAny } = await import('../dist/train/any-model.js');
const { onnxModel } = await import('../dist/train/onnx/export.js');
const { onnxChunks } = await import('../dist/io/onnx.js');
const { weightsOf } = await import('../dist/train/weights.js');
const { defaultChoice } = await import('../dist/backend/select.js');

const lines = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line.trim() !== '');
const step = Math.max(1, Math.floor(lines.length / Number(values.texts)));
const texts = lines.filter((_, i) => i % step === 0).slice(0, Number(values.texts));
const embedder = await TextEmbedder.load(model);
const classifier = values.predict ? await Classifier.load(model) : null;
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

async function timed(body) {
  await body();
  const times = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    const start = performance.now();
    await body();
    times.push((performance.now() - start) / 1000);
  }
  return median(times);
}

async function peerSession() {
  const ort = createRequire(import.meta.url)('onnxruntime-node');
  const { model: bert, architecture } = await loadAny(model);
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-'));
  const path = join(folder, 'model.onnx');
  writeFileSync(path, Buffer.concat([...onnxChunks(onnxModel(architecture, bert.config, await weightsOf(bert)))]));
  bert.dispose();
  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: Number(values.threads),
    interOpNumThreads: 1,
  });
  rmSync(folder, { recursive: true });
  return { ort, session };
}

const limit = embedder.modules.maxSeqLength ?? 512;
const encoded = texts
  .map((text) => embedder.loaded.tokenizer.encode(text).ids.slice(0, limit))
  .sort((a, b) => a.length - b.length);
const tokens = encoded.reduce((sum, ids) => sum + ids.length, 0);
const { ort, session } = await peerSession();
const batches = [];
for (let i = 0; i < encoded.length; i += Number(values.batch)) {
  const part = encoded.slice(i, i + Number(values.batch));
  const seq = part.at(-1).length;
  const ids = new BigInt64Array(part.length * seq);
  const mask = new BigInt64Array(part.length * seq);
  for (const [b, row] of part.entries()) {
    ids.set(row.map(BigInt), b * seq);
    mask.fill(1n, b * seq, b * seq + row.length);
  }
  const tensor = (data) => new ort.Tensor('int64', data, [part.length, seq]);
  batches.push({
    input_ids: tensor(ids),
    attention_mask: tensor(mask),
    token_type_ids: tensor(new BigInt64Array(ids.length)),
  });
}
const ours = await timed(() => (classifier === null ? embedder.embed(texts) : classifier.predictAll(texts)));
const output = classifier === null ? 'last_hidden_state' : 'logits';
const theirs = await timed(async () => {
  for (const batch of batches) await session.run(batch, [output]);
});
const rate = (seconds) => `${(texts.length / seconds).toFixed(1)} texts/s, ${Math.round(tokens / seconds)} tokens/s`;
console.log(`${texts.length} texts, ${tokens} tokens, longest ${encoded.at(-1).length}; ${defaultChoice().reason}`);
console.log(`bertgrad (from texts to ${classifier === null ? 'vectors' : 'answers'})   ${rate(ours)}`);
console.log(`onnxruntime-node (from ids on)     ${rate(theirs)}`);
console.log(`ratio ${(theirs / ours).toFixed(2)}`);

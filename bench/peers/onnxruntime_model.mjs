// onnxruntime-node on the encoder that ours exports, in a process of its own:
//   node onnxruntime_model.mjs THREADS '{"kind":"infer","model":"tiny",...}'
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { peakMemory } from '../../dist/bench/peak-memory.js';
import { load, versionOf } from './package.mjs';

const [threads, work] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const ort = load('onnxruntime-node');
const folder = mkdtempSync(join(tmpdir(), 'bertgrad-onnx-'));
const file = join(folder, 'model.onnx');

/** Another process writes the model, so that its memory is not counted here. @returns the ids of the batch */
function exported() {
  const program = fileURLToPath(new URL('../../dist/bench/model-child.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'export', file, JSON.stringify(work)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr.trim().split('\n').at(-1));
  return JSON.parse(stdout).ids;
}

async function open() {
  try {
    const ids = exported();
    const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionProviders: ['cpu'] };
    return { ids, session: await ort.InferenceSession.create(file, options) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { ids, session } = await open();
const tensor = (values) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [work.batch, work.seq]);
const feeds = {
  input_ids: tensor(ids),
  attention_mask: tensor(ids.map(() => 1)),
  token_type_ids: tensor(ids.map(() => 0)),
};
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const first = await session.run(feeds);
const [, , hidden] = first.last_hidden_state.dims;
say({ version: versionOf('onnxruntime-node'), sample: Array.from(first.last_hidden_state.data.subarray(0, hidden)) });
for await (const line of createInterface({ input: process.stdin })) {
  const { times } = JSON.parse(line);
  const from = performance.now();
  for (let i = 0; i < times; i++) await session.run(feeds);
  say({ seconds: (performance.now() - from) / 1000, memory: peakMemory() });
}

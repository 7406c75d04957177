// onnxruntime-node on the encoder that ours exports, in a process of its own:
//   node onnxruntime_model.mjs THREADS '{"kind":"infer","model":"tiny",...}'
import { idsOf } from '../../dist/bench/model-work.js';
import { serveModel, withOurs } from './model-side.mjs';
import { load, versionOf } from './package.mjs';

const [threads, work] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const ort = load('onnxruntime-node');
const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionProviders: ['cpu'] };
const session = await withOurs('export', work, (file) => ort.InferenceSession.create(file, options));
const ids = idsOf(work);
const tensor = (values) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [work.batch, work.seq]);
const feeds = {
  input_ids: tensor(ids),
  attention_mask: tensor(ids.map(() => 1)),
  token_type_ids: tensor(ids.map(() => 0)),
};
const first = await session.run(feeds);
const [, , hidden] = first.last_hidden_state.dims;
const sample = Array.from(first.last_hidden_state.data.subarray(0, hidden));
await serveModel({ version: versionOf('onnxruntime-node'), sample }, () => session.run(feeds));

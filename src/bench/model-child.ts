// A model of ours in a process of its own, so that its memory is its own:
//   node model-child.js BACKEND '{"kind":"train","model":"tiny",...}'     answers orders, a line of JSON each
//   node model-child.js export FILE '{"kind":"infer","model":"tiny",...}' writes the encoder as ONNX
//   node model-child.js weights FILE '{...}'                             writes all weights under our names
import { createInterface } from 'node:readline';
import { openBackend, useBackend } from '../backend/select.js';
import { writeFileAtomic } from '../io/files.js';
import { isObject, parseJson } from '../io/json.js';
import { onnxChunks } from '../io/onnx.js';
import { type TensorData, writeSafetensors } from '../io/safetensors.js';
import { onnxModel } from '../train/onnx/export.js';
import { weightsOf } from '../train/weights.js';
import { encoderOf, type ModelWork, type PreparedModel, prepareModel } from './model-work.js';
import { peakMemory } from './peak-memory.js';

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function secondsOf(prepared: PreparedModel, times: number): Promise<number> {
  const from = performance.now();
  for (let i = 0; i < times; i++) await prepared.call();
  return (performance.now() - from) / 1000;
}

async function serve(name: string, work: ModelWork): Promise<void> {
  const { backend } = await openBackend(name);
  useBackend(backend);
  const prepared = await prepareModel(work);
  say({ runsOn: backend.runsOn, flops: prepared.flops, sample: prepared.sample() });
  for await (const line of createInterface({ input: process.stdin })) {
    const order = parseJson(line);
    const times = isObject(order) && typeof order.times === 'number' ? order.times : 1;
    const seconds = await secondsOf(prepared, times);
    say({ seconds, memory: peakMemory() });
  }
  process.exit(); // a device of a GPU would hold it
}

async function exportTo(file: string, work: ModelWork): Promise<void> {
  const bert = encoderOf(work);
  const chunks = onnxChunks(onnxModel('BertModel', bert.bert.config, await weightsOf(bert)));
  await writeFileAtomic(file, Buffer.concat([...chunks]));
}

async function writeWeights(file: string, work: ModelWork): Promise<void> {
  const weights = new Map<string, TensorData>();
  for (const [name, parameter] of encoderOf(work).namedParameters())
    weights.set(name, { shape: parameter.shape, data: Float32Array.from(await parameter.data()) });
  await writeSafetensors(file, weights);
}

const [what = '', ...rest] = process.argv.slice(2);
if (what === 'export') await exportTo(rest[0] ?? '', JSON.parse(rest[1] ?? '') as ModelWork);
else if (what === 'weights') await writeWeights(rest[0] ?? '', JSON.parse(rest[1] ?? '') as ModelWork);
else await serve(what, JSON.parse(rest[0] ?? '') as ModelWork);

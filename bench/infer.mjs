// Inference of a BERT encoder with its pooler, beside onnxruntime-node: median and 95th percentile of a call in ms, for
// each precision, and the ratio to onnxruntime's in f32 (f32, bf16) or in dynamic int8 (int8).
//   node bench/infer.mjs [--model base,mini] [--sizes 1x128,8x128,1x384,8x384] [--precision f32,bf16,int8] [--threads 2]
//                        [--rounds 3] [--seconds 2] [--json file]
// All sides run in processes of their own and in turn. onnxruntime: ../shared/anchors/ort_infer.mjs, on the files
// <model>.fused.onnx and <model>.int8.onnx that make_onnx.py there writes, in the folder that BG_ONNX names; BG_ORT names
// the one with node_modules/onnxruntime-node.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inferring } from '../dist/bench/model-work.js';
import { median } from '../dist/bench/stats.js';
import { defaultBackend } from '../dist/index.js';
import { parseOptions } from './options.mjs';

const { values } = parseOptions({
  options: {
    model: { type: 'string', default: 'base,mini' },
    sizes: { type: 'string', default: '1x128,8x128,1x384,8x384' },
    precision: { type: 'string', default: 'f32,bf16,int8' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    json: { type: 'string' },
    child: { type: 'boolean', default: false },
  },
});
const ORT = fileURLToPath(new URL('../../shared/anchors/ort_infer.mjs', import.meta.url));

/** One child: calls for some seconds, the figures as a line of JSON. */
async function measureOurs(model, [batch, seq], precision) {
  process.env.BG_THREADS = values.threads;
  const { call } = await inferring({ kind: 'infer', model, batch, seq, vocab: 30522 }, precision);
  for (let i = 0; i < 2; i++) await call(); // it was called once already
  const times = [];
  for (const end = performance.now() + 1000 * Number(values.seconds); times.length < 7 || performance.now() < end; ) {
    const from = performance.now();
    await call();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  const backend = defaultBackend();
  const peak = backend.fmaPeak?.(Number(values.threads), precision) ?? null;
  const rss = process.resourceUsage().maxRSS / 1024;
  const p95 = times[Math.floor(times.length * 0.95)];
  console.log(JSON.stringify({ runsOn: backend.runsOn, p50: median(times), p95, peak, rss }));
}

function childOf(program, args, cwd) {
  const child = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', ...(cwd && { cwd }) });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout.trim().split('\n').at(-1));
}

function ours(model, [batch, seq], precision) {
  const args = ['--child', '--model', model, '--sizes', `${batch}x${seq}`, '--precision', precision];
  return childOf(fileURLToPath(import.meta.url), [...args, '--threads', values.threads, '--seconds', values.seconds]);
}

/** @returns null where it is not there */
function theirs(model, [batch, seq], precision) {
  const { BG_ONNX: models = '.', BG_ORT: home } = process.env;
  const file = `${models}/${model}.${precision === 'int8' ? 'int8' : 'fused'}.onnx`;
  if (home === undefined || !existsSync(ORT) || !existsSync(file)) return null;
  const line = childOf(ORT, [file, model, batch, seq, values.threads, values.seconds].map(String), home);
  return { p50: line.p50_ms, p95: line.p95_ms, rss: line.rss_mb };
}

const middle = (lines) => ({
  ...lines[0],
  p50: median(lines.map(({ p50 }) => p50)),
  p95: median(lines.map(({ p95 }) => p95)),
});
const show = ({ p50, p95, rss }) =>
  `${p50.toFixed(1).padStart(7)} ${p95.toFixed(1).padStart(7)} ${`${Math.round(rss)} MB`.padStart(8)}`;

function compare(model, size) {
  const precisions = values.precision.split(',');
  const peers = [...new Set(precisions.map((name) => (name === 'int8' ? 'int8' : 'f32')))];
  const rounds = Array.from({ length: Number(values.rounds) }, () => ({
    ours: precisions.map((precision) => ours(model, size, precision)),
    theirs: peers.map((precision) => theirs(model, size, precision)),
  }));
  const peerOf = (round, precision) => round.theirs[peers.indexOf(precision === 'int8' ? 'int8' : 'f32')];
  for (const [i, precision] of precisions.entries()) {
    const a = middle(rounds.map((round) => round.ours[i]));
    const line = `${model.padEnd(6)}${size.join(' x ').padEnd(9)}${precision.padEnd(5)}${show(a)}`;
    if (peerOf(rounds[0], precision) === null) {
      console.log(`${line}   onnxruntime: not run`);
      continue;
    }
    const b = middle(rounds.map((round) => peerOf(round, precision)));
    const ratios = rounds.map((round) => peerOf(round, precision).p50 / round.ours[i].p50);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    console.log(`${line}  ${show(b)}   ${median(ratios).toFixed(2)} (${spread}), p95 ${(b.p95 / a.p95).toFixed(2)}`);
  }
  return { model, size, rounds };
}

const models = values.model.split(',');
const sizes = values.sizes.split(',').map((size) => size.split('x').map(Number));
if (values.child) await measureOurs(models[0], sizes[0], values.precision);
else {
  console.log('model batch    bits   p50     p95  memory, onnxruntime: p50     p95   memory   ratio');
  const results = models.flatMap((model) => sizes.map((size) => compare(model, size)));
  if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
}

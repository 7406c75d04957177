// One pre-training step, beside PyTorch's: tokens/s, share of the peak that was measured in the same run, peak memory.
//   node bench/train.mjs [--model mini] [--vocab 8000,30522] [--batch 32] [--seq 128] [--threads 2] [--rounds 3]
//                        [--seconds 5] [--precision bf16] [--steps N] [--json file]
// Both sides run in processes of their own and in turn. PyTorch: the step of ../shared/anchors (logits at the masked
// places only, as here), in the Python that BG_PYTHON names, or python3; beside bf16, PyTorch runs in f32 and under
// autocast to bf16. `--steps N` runs ours alone for N steps and shows how memory goes.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'mini' },
    vocab: { type: 'string', default: '8000,30522' },
    batch: { type: 'string', default: '32' },
    seq: { type: 'string', default: '128' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    precision: { type: 'string', default: 'f32' },
    steps: { type: 'string' },
    json: { type: 'string' },
    child: { type: 'boolean', default: false },
  },
});
/** Masked places of a sequence, google's numbers (create_pretraining_data.py, --max_predictions_per_seq). */
const masked = (seq) => (seq <= 128 ? 20 : 77);
const number = (name) => Number(values[name]);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const ANCHORS = fileURLToPath(new URL('../../shared/anchors', import.meta.url));

/** A batch of full sequences of random ids. */
function randomBatch(rng, { batch, seq, vocab }) {
  const ids = Int32Array.from({ length: batch * seq }, () => 5 + rng.int(vocab - 5));
  const perRow = masked(seq);
  const places = Int32Array.from({ length: batch * perRow }, (_, i) => {
    return Math.floor(i / perRow) * seq + 1 + Math.floor(((i % perRow) * (seq - 2)) / perRow);
  });
  return {
    batch,
    seq,
    inputIds: ids,
    tokenTypeIds: ids.map((_, i) => (i % seq < seq / 2 ? 0 : 1)),
    lengths: new Int32Array(batch).fill(seq),
    maskedPositions: places,
    maskedLabels: places.map((p) => ids[p]),
    sentenceLabels: Int32Array.from({ length: batch }, () => rng.int(2)),
  };
}

async function createTrainer(vocab) {
  process.env.BG_THREADS = values.threads;
  const { BertForPreTraining, defaultBackend, preset, Rng, Trainer } = await import('../dist/index.js');
  const rng = new Rng(1, 9);
  const sizes = { batch: number('batch'), seq: number('seq'), vocab };
  const batches = Array.from({ length: 4 }, () => randomBatch(rng, sizes));
  const data = { batchAt: (step) => batches[step % 4], evalBatches: () => [] };
  const schedule = { name: 'constant', peak: 1e-4, warmupSteps: 0, totalSteps: 1e6 };
  const model = new BertForPreTraining(preset(values.model, { vocabSize: vocab }), { seed: 0 });
  const options = { seed: 0, packing: 'packed', accumulate: 1, schedule, adamw: {}, precision: values.precision };
  return { trainer: new Trainer(model, data, options), backend: defaultBackend() };
}

/** One child: steps for some seconds, the figures as a line of JSON. */
async function measureOurs(vocab) {
  const { trainer, backend } = await createTrainer(vocab);
  const peak = backend.fmaPeak?.(number('threads'), values.precision) ?? null;
  for (let i = 0; i < 3; i++) await trainer.step();
  const seconds = [];
  let flops = 0;
  for (const end = performance.now() + 1000 * number('seconds'); performance.now() < end; ) {
    const from = performance.now();
    flops = (await trainer.step()).flops;
    seconds.push((performance.now() - from) / 1000);
  }
  const step = median(seconds);
  const rss = process.resourceUsage().maxRSS / 1024;
  console.log(
    JSON.stringify({ engine: 'bertgrad', runsOn: `${backend.name} ${backend.runsOn}`, step, flops, peak, rss }),
  );
}

/** Memory over a long run: resident and live bytes at ten points. */
async function measureMemory(vocab, steps) {
  const { trainer, backend } = await createTrainer(vocab);
  console.log(`${values.model}, vocabulary ${vocab}, ${steps} steps`);
  for (let i = 1; i <= steps; i++) {
    await trainer.step();
    if (i <= 3 || i % Math.ceil(steps / 10) === 0) {
      const rss = (process.memoryUsage.rss() / 1e6).toFixed(1);
      console.log(`step ${String(i).padStart(6)}  rss ${rss} MB  live tensors ${backend.liveBytes} B`);
    }
  }
}

function ours(vocab) {
  const args = ['--child', '--vocab', `${vocab}`];
  for (const name of ['model', 'batch', 'seq', 'threads', 'seconds', 'precision']) args.push(`--${name}`, values[name]);
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout.trim().split('\n').at(-1));
}

/** @param bf16 whether products run under autocast */
function torch(vocab, bf16) {
  if (!existsSync(ANCHORS)) return { reason: 'its program is not there (../shared/anchors)' };
  const python = process.env.BG_PYTHON ?? 'python3';
  const program = [
    'import sys, runpy',
    'sys.path.insert(0, sys.argv.pop(1))',
    'import torch_bert_flops',
    'torch_bert_flops.VOCAB = int(sys.argv.pop(1))',
    'sys.argv[0] = sys.path[0] + "/torch_bert_step.py"',
    'runpy.run_path(sys.argv[0], run_name="__main__")',
  ].join('\n');
  const args = ['-c', program, ANCHORS, `${vocab}`, '--variant', 'b', '--preds', `${masked(number('seq'))}`];
  for (const name of ['model', 'batch', 'seq', 'threads', 'seconds']) args.push(`--${name}`, values[name]);
  if (bf16) args.push('--bf16');
  const child = spawnSync(python, args, { encoding: 'utf8' });
  if (child.status !== 0) return { reason: (child.stderr ?? `${child.error}`).trim().split('\n').at(-1) };
  const line = JSON.parse(child.stdout.trim().split('\n').at(-1));
  return {
    engine: `${line.engine}${bf16 ? ' bf16' : ''}`,
    step: line.ms / 1000,
    flops: line.gflop * 1e9,
    rss: line.rss_mb,
  };
}

function row(name, { step, flops, rss }, peak) {
  const tokens = Math.round((number('batch') * number('seq')) / step);
  const rate = flops / step / 1e9;
  const mfu = peak === null ? '' : `  MFU ${(rate / peak).toFixed(2)}`;
  const figures = `${(1000 * step).toFixed(1).padStart(8)} ms  ${String(tokens).padStart(7)} tokens/s`;
  return `  ${name.padEnd(24)}${figures}  ${rate.toFixed(0).padStart(4)} GFLOP/s${mfu}  ${rss.toFixed(0)} MB`;
}

/** Medians over rounds in which all sides ran in turn. */
function compare(vocab) {
  const theirs = values.precision === 'f32' ? [false] : [false, true];
  const rounds = Array.from({ length: number('rounds') }, () => ({
    ours: ours(vocab),
    torch: theirs.map((bf16) => torch(vocab, bf16)),
  }));
  const middle = (sides) => ({ ...sides[0], step: median(sides.map(({ step }) => step)) });
  const a = middle(rounds.map((round) => round.ours));
  const peak = median(rounds.map((r) => r.ours.peak ?? 0)) || null;
  console.log(`${values.model}, vocabulary ${vocab}, batch ${values.batch} x ${values.seq}, ${values.threads} threads`);
  if (peak !== null) console.log(`  measured ${values.precision} peak ${peak.toFixed(0)} GFLOP/s`);
  console.log(row(`bertgrad ${values.precision} (${a.runsOn})`, a, peak));
  for (const i of theirs.keys()) {
    const b = middle(rounds.map((round) => round.torch[i]));
    if (b.reason) {
      console.log(`  PyTorch: not run: ${b.reason}`);
      continue;
    }
    console.log(row(b.engine, b, peak));
    const ratios = rounds.map((r) => r.torch[i].step / r.ours.step);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    console.log(
      `  ratio ${median(ratios).toFixed(2)} (${spread} over ${ratios.length} rounds), above 1: bertgrad is faster`,
    );
  }
  return { vocab, peak, rounds };
}

const vocabularies = values.vocab.split(',').map(Number);
if (values.child) await measureOurs(vocabularies[0]);
else if (values.steps) await measureMemory(vocabularies[0], number('steps'));
else {
  const results = vocabularies.map(compare);
  if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
}

// One side of a comparison, in a process of its own: steps for some seconds, figures as a line of JSON.
//   node bench/train/ours.mjs MODEL VOCAB BATCH SEQ THREADS SECONDS PACKING LENGTHS PRECISION [STEPS]
import { performance } from 'node:perf_hooks';
import { trainerOf } from '../../dist/bench/model-work.js';
import { randomBatch } from '../../dist/bench/random-batch.js';
import { median } from '../../dist/bench/stats.js';
import { defaultBackend, Rng } from '../../dist/index.js';
import { realLengths } from './lengths.mjs';

const [model, vocab, batch, seq, threads, seconds, packing, lengths, precision, steps] = process.argv.slice(2);

async function createTrainer() {
  process.env.BG_THREADS = threads;
  const sizes = { batch: +batch, seq: +seq, vocab: +vocab };
  const rng = new Rng(1, 9);
  const drawn = lengths === 'real' ? realLengths(+seq) : [+seq];
  const batches = Array.from({ length: 4 }, () => randomBatch(rng, sizes, drawn));
  const trainer = trainerOf({ kind: 'train', model, ...sizes }, { batches, packing, precision });
  return { trainer, backend: defaultBackend() };
}

async function measure({ trainer, backend }) {
  const peak = backend.fmaPeak?.(+threads, precision) ?? null;
  for (let i = 0; i < (lengths === 'real' ? 8 : 3); i++) await trainer.step(); // until each batch's shapes are recorded
  const taken = [];
  let [flops, tokens] = [0, 0];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end || taken.length % 4 !== 0; ) {
    const from = performance.now();
    const outcome = await trainer.step();
    taken.push((performance.now() - from) / 1000);
    [flops, tokens] = [outcome.flops, tokens + outcome.tokens];
  }
  const step = lengths === 'real' ? taken.reduce((sum, s) => sum + s, 0) / taken.length : median(taken);
  const rss = process.resourceUsage().maxRSS / 1024;
  const runsOn = `${backend.name} ${backend.runsOn}`;
  return { engine: 'bertgrad', runsOn, step, flops, peak, rss, share: tokens / taken.length / (+batch * +seq) };
}

/** Memory over a long run: resident and live bytes at ten points. */
async function follow({ trainer, backend }) {
  for (let i = 1; i <= +steps; i++) {
    await trainer.step();
    if (i > 3 && i % Math.ceil(+steps / 10) !== 0) continue;
    const rss = (process.memoryUsage.rss() / 1e6).toFixed(1);
    const heap = (process.memoryUsage().heapUsed / 1e6).toFixed(1);
    console.log(
      `step ${String(i).padStart(6)}  rss ${rss} MB  JavaScript ${heap} MB  live buffers ${backend.liveBytes} B`,
    );
  }
}

const made = await createTrainer();
if (steps === undefined) console.log(JSON.stringify(await measure(made)));
else await follow(made);

// Pre-training steps beside PyTorch's: time, share of the peak that was measured in the same run, peak memory.
//   node bench/train.mjs [--work tiny,mini,base] [--vocab 30522] [--threads 2] [--rounds 3] [--seconds 5]
//                        [--variant b] [--precision bf16] [--scaling] [--padding] [--steps N] [--json file]
// Work is MODEL or MODEL:BATCH:SEQ; 32 sequences of 128 where nothing is said, 8 of base. All sides run in processes of
// their own and in turn. PyTorch: the step of ../shared/anchors, in each Python that BG_PYTHON names (commands, `;`
// between them; default python3); the fastest one counts. `--variant b` has logits at the masked places only, as here;
// `a` at every place, as transformers has them; `ab` both. Beside bf16, PyTorch runs in f32 and under autocast. `--scaling` adds one thread against several, `--padding`
// packed sequences of real lengths against padded ones. `--steps N` runs ours alone and shows how memory goes.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from '../dist/bench/stats.js';
import { parseOptions } from './options.mjs';
import { pythons, torchStep } from './train/torch.mjs';

const { values } = parseOptions({
  options: {
    work: { type: 'string', default: 'mini' },
    vocab: { type: 'string', default: '30522' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    variant: { type: 'string', default: 'b' },
    precision: { type: 'string', default: 'f32' },
    scaling: { type: 'boolean', default: false },
    padding: { type: 'boolean', default: false },
    steps: { type: 'string' },
    json: { type: 'string' },
  },
});
const number = (name) => Number(values[name]);
const PROGRAM = fileURLToPath(new URL('train/ours.mjs', import.meta.url));

function workOf(text) {
  const [model, batch = model === 'base' ? 8 : 32, seq = 128] = text.split(':');
  return { model, batch: Number(batch), seq: Number(seq), vocab: number('vocab'), seconds: number('seconds') };
}

/** One measurement of ours. */
function ours(work, { threads = number('threads'), packing = 'packed', lengths = 'full' } = {}) {
  const { model, vocab, batch, seq, seconds } = work;
  const args = [PROGRAM, model, vocab, batch, seq, threads, seconds, packing, lengths, values.precision].map(String);
  const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout.trim().split('\n').at(-1));
}

/** Steps of PyTorch: the variants, and in bf16 where ours is. */
const kinds = () =>
  [...values.variant].flatMap((variant) => (values.precision === 'f32' ? [variant] : [variant, `${variant} bf16`]));
/** Names of sides that are PyTorch's: a kind, and which Python. */
const isTorch = (name) => /^[ab]( bf16)? \d$/.test(name);

/** What takes turns, by name; each call measures once. */
function sidesOf(work) {
  const threads = number('threads');
  const sides = new Map([['ours', () => ours(work)]]);
  for (const kind of kinds()) {
    for (const [i, python] of pythons().entries()) {
      sides.set(`${kind} ${i}`, () =>
        torchStep(python, { ...work, threads, variant: kind[0], bf16: kind !== kind[0] }),
      );
    }
  }
  if (values.scaling) sides.set('one thread', () => ours(work, { threads: 1 }));
  if (values.padding) {
    sides.set('packed', () => ours(work, { lengths: 'real' }));
    sides.set('padded', () => ours(work, { lengths: 'real', packing: 'padded' }));
  }
  return sides;
}

/** All rounds of all sides; of several PyTorches the fastest of the first round alone goes on. */
function measure(work) {
  const sides = sidesOf(work);
  const found = new Map([...sides.keys()].map((name) => [name, []]));
  for (let round = 0; round < number('rounds'); round++) {
    for (const [name, run] of round % 2 === 0 ? sides : [...sides].reverse()) found.get(name).push(run());
    if (round > 0) continue;
    for (const kind of kinds()) {
      const peers = [...sides.keys()].filter((name) => isTorch(name) && name.slice(0, -2) === kind);
      peers.sort((x, y) => (found.get(x)[0].step ?? Infinity) - (found.get(y)[0].step ?? Infinity));
      for (const slower of peers.slice(1)) sides.delete(slower);
    }
  }
  return { found, last: sides };
}

/** How many times as long `b` takes as `a`: median, smallest and largest of the rounds. */
function ratioOf(a, b) {
  const each = a.slice(0, b.length).map((x, i) => b[i].step / x.step);
  return `${median(each).toFixed(2)} (${Math.min(...each).toFixed(2)} to ${Math.max(...each).toFixed(2)})`;
}

function row(name, list, peak) {
  if (list[0].reason) return `  ${name.padEnd(34)} not run: ${list[0].reason}`;
  const step = median(list.map((x) => x.step));
  const rate = list[0].flops / step / 1e9;
  const mfu = peak === null ? '' : `, ${(rate / peak).toFixed(2)} of the peak`;
  const ms = (1000 * step).toFixed(1).padStart(8);
  return `  ${name.padEnd(34)}${ms} ms  ${rate.toFixed(0).padStart(4)} GFLOP/s${mfu}, ${list[0].rss.toFixed(0)} MB`;
}

function report(work, { found, last }) {
  const own = found.get('ours');
  const peak = median(own.map((x) => x.peak ?? 0)) || null;
  console.log(`${work.model}, ${work.batch} x ${work.seq}, vocabulary ${work.vocab}, ${values.threads} threads`);
  if (peak !== null) console.log(`  measured ${values.precision} peak: ${peak.toFixed(0)} GFLOP/s`);
  console.log(row(`bertgrad ${values.precision} (${own[0].runsOn})`, own, peak));
  for (const [name, list] of found) {
    if (!isTorch(name)) continue;
    const kind = name.slice(0, -2);
    console.log(row(`${list[0].engine ?? 'PyTorch'} (${kind}), Python ${Number(name.at(-1)) + 1}`, list, peak));
    if (!last.has(name) || list[0].reason) continue;
    const memory = (own[0].rss / list[0].rss).toFixed(2);
    console.log(`    ours is faster ${ratioOf(own, list)} times, with ${memory} of its memory`);
  }
  const one = found.get('one thread');
  if (one) console.log(`  ${values.threads} threads against 1: ${ratioOf(own, one)} times`);
  const [packed, padded] = [found.get('packed'), found.get('padded')];
  if (packed) {
    const saved = 1 - median(packed.map((x, i) => x.step / padded[i].step));
    const padding = 1 - packed[0].share;
    console.log(
      `  packed: ${(100 * padding).toFixed(1)} % of a padded batch is padding; ${(100 * saved).toFixed(1)} % of the time saved`,
    );
  }
}

const works = values.work.split(',').map(workOf);
if (values.steps) {
  const [{ model, vocab, batch, seq }] = works;
  const args = [model, vocab, batch, seq, values.threads, 0, 'packed', 'full', values.precision, values.steps].map(
    String,
  );
  spawnSync(process.execPath, [PROGRAM, ...args], { stdio: 'inherit' });
} else {
  const results = works.map((work) => {
    const result = measure(work);
    report(work, result);
    return { work, sides: Object.fromEntries(result.found) };
  });
  if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
}

// The page of bench/page.mjs: the same cases, checks, turns and roofs as `bertgrad bench`, on what this browser has.
import './globals.mjs';
import { createGpuBackend } from '../../src/backend/gpu/index.ts';
import { createWebGlBackend } from '../../src/backend/gpu/webgl/index.ts';
import { createJsBackend } from '../../src/backend/js/index.ts';
import { casesOf, TIMED } from '../../src/bench/case.ts';
import { ours } from '../../src/bench/contender.ts';
import { toGoogle } from '../../src/bench/google.ts';
import { measureRoofs } from '../../src/bench/roofs.ts';
import { runBench } from '../../src/bench/run.ts';
import { rate, seconds } from '../../src/bench/units.ts';

const BACKENDS = {
  webgpu: () => createGpuBackend(),
  webgl2: () => createWebGlBackend(),
  js: async () => createJsBackend('f32'),
};
const $ = (id) => document.getElementById(id);
const say = (text) => {
  $('state').textContent = text;
};

/** All backends asked for that this browser has; the reason for each that it has not. */
async function entrantsOf(names, absent) {
  const entrants = [];
  for (const name of names) {
    try {
      const backend = await BACKENDS[name]();
      say(`measuring the roofs of ${name}`);
      entrants.push({ contender: ours(backend, name, 1), roofs: await measureRoofs(backend) });
    } catch (error) {
      absent.push({ name: '', contender: name, reason: error.message });
    }
  }
  return entrants;
}

function show(results) {
  for (const r of results) {
    const gflops = r.work.flops === null ? null : r.work.flops / r.timing.median / 1e9;
    const cells = [
      r.name,
      r.contender,
      seconds(r.timing.median),
      `${(100 * r.timing.spread).toFixed(0)} %`,
      rate(gflops),
      rate(r.work.bytes / r.timing.median / 1e9),
      r.placed === null ? '–' : `${(100 * r.placed.roofFraction).toFixed(0)} %`,
      r.check.maxAbsError.toExponential(1),
      r.ratio === null ? '1' : r.ratio.ratio.toPrecision(3),
    ];
    const row = $('rows').insertRow();
    cells.forEach((text, i) => {
      const cell = row.insertCell();
      cell.textContent = text;
      if (i > 1) cell.className = 'n';
    });
  }
}

const contextOf = (entrants) => ({
  date: new Date().toISOString(),
  executable: 'bertgrad bench, in a page',
  library_build_type: 'release',
  platform: navigator.userAgent,
  num_cpus: navigator.hardwareConcurrency,
  runs_on: Object.fromEntries(entrants.map(({ contender }) => [contender.name, contender.runsOn])),
});

/** Runs what is asked for, row by row, and gives the file of results. */
async function run({ backends, ops, model, batch, seq, rounds, way }) {
  $('rows').replaceChildren();
  const absent = [];
  const entrants = await entrantsOf(backends, absent);
  const directions = way === '' ? undefined : [way];
  const cases = casesOf({ ops, models: [model], batch, seq, groups: ['bert'], directions });
  let count = 0;
  const done = (results) => {
    show(results);
    say(`${++count} of ${cases.length} cases`);
  };
  const outcome = await runBench(cases, entrants, { rounds, seconds: 0.05, slowest: 5, done });
  const notRun = [...absent, ...outcome.notRun];
  const reasons = new Set(notRun.map(({ contender, reason }) => `${contender}: not run: ${reason}`));
  $('notes').replaceChildren(
    ...[...outcome.impossible, ...outcome.doubtful, ...reasons].map((text) =>
      Object.assign(document.createElement('li'), { textContent: text }),
    ),
  );
  say(`done: ${outcome.results.length} figures`);
  return toGoogle({ ...outcome, notRun }, contextOf(entrants));
}

function save(results) {
  const blob = new Blob([`${JSON.stringify(results, null, 1)}\n`], { type: 'application/json' });
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: 'bench.json' });
  link.click();
  URL.revokeObjectURL(link.href);
}

let last = null;
for (const op of TIMED)
  $('ops').append(new Option(op.name, op.name, ['linear', 'attention', 'layerNorm'].includes(op.name)));
$('ops')
  .querySelectorAll('option')
  .forEach((option) => {
    option.selected = ['linear', 'attention', 'layerNorm'].includes(option.value);
  });
const chosen = (id) => [...$(id).selectedOptions].map(({ value }) => value);
$('run').onclick = async () => {
  $('run').disabled = true;
  $('save').disabled = true;
  try {
    const [batch, seq] = [Number($('batch').value), Number($('seq').value)];
    const request = { backends: chosen('backends'), ops: chosen('ops'), model: $('model').value, batch, seq };
    last = await run({ ...request, rounds: 3, way: '' });
    $('save').disabled = false;
  } catch (error) {
    say(`error: ${error.message}`);
  }
  $('run').disabled = false;
};
$('save').onclick = () => save(last);
globalThis.runBenchPage = run;

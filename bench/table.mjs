// The tables of docs/benchmarks.md, written from files of `bertgrad bench --json`: no figure is copied by hand.
//   npx bertgrad bench --peers --step tiny,mini --infer tiny,mini --json ops.json
//   node bench/table.mjs ops.json [more.json ...] [--into docs/benchmarks.md]
// Files of one machine are one table: the machine, its roofs, and a row for each thing measured: ours, and the time that each peer takes for one
// of ours. With --into, what stands between the marks of that file is replaced; else all is printed.
import { readFileSync, writeFileSync } from 'node:fs';
import { figures, seconds } from '../dist/bench/units.js';
import { parseOptions } from './options.mjs';

const { values, positionals } = parseOptions({ allowPositionals: true, options: { into: { type: 'string' } } });
const MARKS = ['<!-- figures: bench/table.mjs -->', '<!-- end of figures -->'];

const row = (cells) => `| ${cells.join(' | ')} |`;
const share = (x) => (x === undefined ? '' : `${(100 * x).toFixed(0)} %`);

/** Medians of a file, those of one thing together; the first of each is ours. */
function groupsOf({ benchmarks }) {
  const groups = new Map();
  for (const one of benchmarks) {
    if (one.run_type !== 'aggregate' || one.aggregate_name !== 'median') continue;
    const [contender, ...rest] = one.run_name.split('/');
    const name = rest.join('/');
    groups.set(name, [...(groups.get(name) ?? []), { ...one, contender }]);
  }
  return groups;
}

/** How many times as long a peer takes as ours; bold where it is faster, and nothing where the interval holds 1. */
function ratioCell(one) {
  if (one === undefined) return '';
  const text = one.ratio < 10 ? one.ratio.toFixed(2) : one.ratio.toFixed(0);
  return one.ratio_high < 1 ? `**${text}**` : one.ratio_low <= 1 ? `(${text})` : text;
}

function rateCell(mine) {
  if (mine.group === 'model') return `${Math.round(mine.items_per_second).toLocaleString('en')} tokens/s`;
  return mine.flops === undefined
    ? `${figures(mine.bytes_per_second / 1e9)} GB/s`
    : `${figures(mine.flops / 1e9)} GFLOP/s`;
}

const megabytes = (bytes) => (bytes === undefined ? '' : `${figures(bytes / 1e6)} MB`);

function line(name, [mine, ...others], peers) {
  const parts = name.split('/');
  return row([
    ...(mine.group === 'model'
      ? [parts[0], `${parts[1]}, ${parts[2].replace('x', ' x ')}`, '']
      : [parts[0], parts[1], parts[2]]),
    seconds(mine.real_time / 1e9),
    share(mine.spread),
    rateCell(mine),
    share(mine.roof_fraction),
    megabytes(mine.max_bytes_used),
    ...peers.map((peer) => ratioCell(others.find(({ contender }) => contender === peer))),
  ]);
}

function roofText(name, { gflops, bandwidth }) {
  const sizes = bandwidth.map(
    ({ bytes, gbs }) =>
      `${figures(gbs)} GB/s at ${bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 1024} KiB`}`,
  );
  return `${name}: ${gflops === null ? 'no figure for arithmetic' : `${figures(gflops)} GFLOP/s`}; ${sizes.join(', ')}`;
}

/** Wins and losses against each peer: what lies beyond the interval. */
function tally(groups, peers) {
  const all = [...groups.values()].flatMap(([, ...others]) => others);
  return peers.map((peer) => {
    const rows = all.filter(({ contender }) => contender === peer);
    const lost = rows.filter(({ ratio_high: high }) => high < 1).length;
    const won = rows.filter(({ ratio_low: low }) => low > 1).length;
    return `${peer}: ours is faster in ${won}, slower in ${lost}, and neither in ${rows.length - won - lost} of ${rows.length}`;
  });
}

/** Who did not take part at all, and why. */
function absentText({ not_run: notRun }) {
  const whole = notRun.filter(({ name }) => name === '');
  return whole.length === 0
    ? []
    : [`Not run: ${whole.map(({ contender, reason }) => `${contender} (${reason})`).join('; ')}.`, ''];
}

function section({ context, benchmarks }) {
  const groups = groupsOf({ benchmarks });
  const [ours] = [...groups.values()][0].map(({ contender }) => contender);
  const peers = [...new Set([...groups.values()].flat().map(({ contender }) => contender))].filter(
    (name) => name !== ours,
  );
  const versions = Object.entries(context.runs_on).map(([name, runsOn]) => `${name}: ${runsOn}`);
  const machine = [context.cpu ?? context.platform, `${context.num_cpus} CPUs`, `Node ${context.node}`].filter(Boolean);
  const others = context.others_share === null ? 'an unknown share' : share(context.others_share);
  return [
    `**${machine.join(', ')}; ${context.date.slice(0, 10)}; bertgrad ${context.library_version ?? ''}.** Other programs used ${others} of the processors.`,
    '',
    `Who: ${versions.join('; ')}.`,
    '',
    `Roofs, measured in the same run: ${roofText(ours, context.roofs[ours])}.`,
    '',
    ...(peers.length === 0 ? [] : [`${tally(groups, peers).join('; ')}.`, '']),
    ...absentText(context),
    row(['what', 'sizes', 'way', ours, 'spread', 'rate', 'of roof', 'memory', ...peers]),
    row(['---', '---', '---', ...new Array(5 + peers.length).fill('---:')]),
    ...[...groups].map(([name, group]) => line(name, group, peers)),
  ].join('\n');
}

const better = (a, b) => ({
  gflops: Math.max(a.gflops, b.gflops) || null,
  bandwidth: a.bandwidth.map(({ bytes, gbs }, i) => ({ bytes, gbs: Math.max(gbs, b.bandwidth[i]?.gbs ?? 0) })),
});

/** Two files of one machine as one: the better roofs, and the worse of what others did meanwhile. */
function joined(a, b) {
  const [x, y] = [a.context, b.context];
  const roofs = Object.entries(x.roofs).map(([name, roof]) => [
    name,
    y.roofs[name] ? better(roof, y.roofs[name]) : roof,
  ]);
  const context = {
    ...x,
    runs_on: { ...x.runs_on, ...y.runs_on },
    roofs: { ...y.roofs, ...Object.fromEntries(roofs) },
    others_share: Math.max(x.others_share ?? 0, y.others_share ?? 0),
    not_run: [...new Map([...x.not_run, ...y.not_run].map((one) => [JSON.stringify(one), one])).values()],
  };
  return { context, benchmarks: [...a.benchmarks, ...b.benchmarks] };
}

/** The files, those that tell of the same machine and the same first contender together. */
function runsOf(files) {
  const runs = new Map();
  for (const file of files) {
    const one = JSON.parse(readFileSync(file, 'utf8'));
    const [[name, runsOn]] = Object.entries(one.context.runs_on);
    const key = JSON.stringify([one.context.cpu, one.context.platform, one.context.node, name, runsOn]);
    runs.set(key, runs.has(key) ? joined(runs.get(key), one) : one);
  }
  return [...runs.values()];
}

/** Where others used more of the processors, figures on several threads say nothing: peers came out 100 times too slow. */
const NOISY = 0.1;

const runs = runsOf(positionals);
if (values.into !== undefined && runs.some(({ context }) => (context.others_share ?? 0) > NOISY)) {
  throw new Error(`other programs used more than ${share(NOISY)} of the processors: measure again on a quiet machine`);
}
const text = runs.map(section).join('\n\n');
if (positionals.length === 0) throw new Error('usage: node bench/table.mjs FILE.json [--into docs/benchmarks.md]');
if (values.into === undefined) console.log(text);
else {
  const document = readFileSync(values.into, 'utf8');
  const [from, to] = MARKS.map((mark) => document.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`${values.into} has no lines ${MARKS.join(' and ')}`);
  writeFileSync(values.into, `${document.slice(0, from + MARKS[0].length)}\n\n${text}\n\n${document.slice(to)}`);
}

import type { Comparison, ComparisonOutcome } from '../bench/compare.js';
import type { Roofs } from '../bench/roofs.js';
import type { BenchResult, Entrant, NotRun, Outcome } from '../bench/run.js';
import type { StepProfile } from '../bench/step.js';
import { rate, seconds, times } from '../bench/units.js';
import { bytes, columns, percent } from './ui.js';

/** What the machine can do at most, a line a backend. */
export function roofLines(
  entries: readonly { readonly name: string; readonly runsOn: string; readonly roofs: Roofs }[],
): string[] {
  const longest = entries.map(({ roofs }) => roofs.bandwidth).sort((a, b) => b.length - a.length)[0] ?? [];
  const sizes = longest.map(({ bytes: size }) => bytes(size));
  const rows = entries.map(({ name, runsOn, roofs }) => [
    name,
    runsOn,
    roofs.gflops === null ? '–' : rate(roofs.gflops),
    ...roofs.bandwidth.map(({ gbs }) => rate(gbs)),
  ]);
  return columns(
    ['roofs, measured now', '', 'GFLOP/s', ...sizes.map((size, i) => (i === 0 ? `GB/s ${size}` : size))],
    rows,
    [0, 1],
  );
}

const HEAD = [
  'op',
  'shape',
  'way',
  'on',
  'median',
  'spread',
  'GFLOP/s',
  'GB/s',
  'of roof',
  'bound',
  'memory',
  'max error',
  'time ratio',
];

function resultRow(r: BenchResult, first: boolean): string[] {
  const gflops = r.work.flops === null ? null : r.work.flops / r.timing.median / 1e9;
  return [
    first ? r.op : '',
    first ? r.sizes.join('x') : '',
    first ? r.direction : '',
    r.contender,
    seconds(r.timing.median),
    percent(r.timing.spread),
    rate(gflops),
    rate(r.work.bytes / r.timing.median / 1e9),
    r.placed === null ? '–' : percent(r.placed.roofFraction),
    r.placed?.bound ?? '–',
    r.memory === null ? '–' : bytes(r.memory),
    r.check.maxAbsError.toExponential(1),
    times(r.ratio),
  ];
}

/** All results under one heading, a blank line between ops. */
export function resultLines(results: readonly BenchResult[]): string[] {
  let before = '';
  const rows = results.map((r) => {
    const first = r.name !== before;
    before = r.name;
    return resultRow(r, first);
  });
  return columns(HEAD, rows, [0, 1, 2, 3, 9]);
}

/** What the others are, with their versions. */
export const peerLines = (entrants: readonly Entrant[]): string[] =>
  entrants.flatMap(({ contender: { backend, name, runsOn } }) => (backend === null ? [`${name}: ${runsOn}`] : []));

/** Who did not take part, the same reason told once. */
export function notRunLines(notRun: readonly NotRun[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, contender, reason } of notRun) {
    const key = `${contender}: not run: ${reason}`;
    byReason.set(key, [...(byReason.get(key) ?? []), name]);
  }
  return [...byReason].map(([key, names]) => {
    const shown = names[0] === '' ? '' : ` (${names.length} ${names.length === 1 ? 'case' : 'cases'}, ${names[0]})`;
    return `${key}${shown}`;
  });
}

/** What speaks against the figures. */
export const doubtLines = ({ doubtful, others }: Outcome): string[] =>
  doubtful.length > 0
    ? doubtful.map((text) => `warning: ${text}`)
    : [`quiet: other programs used ${others === null ? 'an unknown share' : percent(others)} of the processors`];

const comparisonRow = ({ name, before, after, ratio, p, verdict }: Comparison): string[] => [
  name,
  seconds(before),
  seconds(after),
  ratio.ratio.toFixed(3),
  `${ratio.low.toFixed(3)}–${ratio.high.toFixed(3)}`,
  p < 1e-4 ? '<.0001' : p >= 0.99995 ? '1' : p.toFixed(4).slice(1),
  verdict,
];

export function comparisonLines({ rows, onlyBefore, onlyAfter, differences }: ComparisonOutcome): string[] {
  const count = (verdict: Comparison['verdict']): number => rows.filter((row) => row.verdict === verdict).length;
  return [
    ...differences.map((text) => `warning: not the same machine or program: ${text}`),
    ...columns(['what', 'before', 'after', 'ratio', '95 % interval', 'p', ''], rows.map(comparisonRow), [0, 6]),
    `${rows.length} compared: ${count('faster')} faster, ${count('slower')} slower, ${count('same')} the same`,
    ...(onlyBefore.length > 0 ? [`only in the first file: ${onlyBefore.length}, ${onlyBefore[0]}`] : []),
    ...(onlyAfter.length > 0 ? [`only in the second file: ${onlyAfter.length}, ${onlyAfter[0]}`] : []),
  ];
}

/** Rows of a step that are worth a line. */
const LEAST_SHARE = 0.005;

/** Where a training step's time goes: shares of the wall time, the last row what is not in kernels. */
export function stepLines(p: StepProfile): string[] {
  const { totals, wall } = p;
  const row = (name: string, what: string, ms: number): string[] => [
    percent(ms / wall),
    `${ms.toFixed(2)} ms`,
    name,
    what,
  ];
  const shown = totals.filter(({ ms }) => ms >= LEAST_SHARE * wall);
  const small = totals.filter(({ ms }) => ms < LEAST_SHARE * wall);
  const rows = shown.map((t) =>
    row(t.kernel, t.op === '' || t.op === 'optimizer' ? 'optimizer' : `${t.op}, ${t.phase}`, t.ms),
  );
  const rest = small.reduce((sum, { ms }) => sum + ms, 0);
  const mfu = p.mfu === null ? '' : `, ${percent(p.mfu)} of the measured peak`;
  return [
    `training step of ${p.model}, ${p.batch} x ${p.seq}: ${p.undisturbed.toFixed(1)} ms, ${Math.round(p.tokensPerSecond)} tokens/s${mfu}, tensors ${bytes(p.peakBytes)}; with every kernel timed ${wall.toFixed(1)} ms:`,
    ...columns(
      ['share', 'time', 'kernel', 'of'],
      [...rows, row('others', `${small.length} rows`, rest), row('not in kernels', '', p.notInKernels)],
      [2, 3],
    ),
  ];
}

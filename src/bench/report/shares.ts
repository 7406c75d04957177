import type { Total } from '../../backend/trace.js';
import { both, esc, type Html } from '../../train/report/html.js';
import type { StepProfile } from '../step.js';
import { figureOf, px } from './plot.js';

const ROW = 22;
const LEFT = 190;
const WIDTH = 860;
const RIGHT = WIDTH - 70;
const MOST = 14;

/** Forward, backward, and what no op called: the optimizer. */
const PHASES = ['forward', 'backward', 'optimizer'] as const;
type PhaseName = (typeof PHASES)[number];
const phaseOf = ({ op, phase }: Total): PhaseName => (op === '' || op === 'optimizer' ? 'optimizer' : phase);

interface Row {
  readonly name: string;
  /** Milliseconds by phase. */
  readonly parts: Readonly<Record<PhaseName, number>>;
  readonly ms: number;
  /** No kernel, but what lies between them. */
  readonly rest?: true;
}

/** Kernels by name, the longest first; those beyond the last row are drawn together. */
function rowsOf(totals: readonly Total[]): Row[] {
  const byName = new Map<string, Record<PhaseName, number>>();
  for (const total of totals) {
    const parts = byName.get(total.kernel) ?? { forward: 0, backward: 0, optimizer: 0 };
    parts[phaseOf(total)] += total.ms;
    byName.set(total.kernel, parts);
  }
  const sum = (parts: Row['parts']): number => parts.forward + parts.backward + parts.optimizer;
  const rows = [...byName].map(([name, parts]) => ({ name, parts, ms: sum(parts) })).sort((a, b) => b.ms - a.ms);
  if (rows.length <= MOST) return rows;
  const others = rows.slice(MOST - 1);
  const add = (phase: PhaseName): number => others.reduce((all, row) => all + row.parts[phase], 0);
  const parts = { forward: add('forward'), backward: add('backward'), optimizer: add('optimizer') };
  return [...rows.slice(0, MOST - 1), { name: `${others.length} others`, parts, ms: sum(parts) }];
}

function barOf({ name, parts, ms, rest }: Row, i: number, wall: number): Html {
  const y = 26 + i * ROW;
  let x = LEFT;
  const pieces = PHASES.map((phase, tone) => {
    const width = (parts[phase] / wall) * (RIGHT - LEFT);
    const piece = `<rect class="${rest === true ? 'rest' : `t${tone}`}" x="${px(x)}" y="${y}" width="${px(width)}" height="${ROW - 6}"><title>${esc(`${rest === true ? name : `${name}, ${phase}`}: ${parts[phase].toFixed(2)} ms`)}</title></rect>`;
    x += width;
    return parts[phase] > 0 ? piece : '';
  });
  const share = `${((100 * ms) / wall).toFixed(1)} %`;
  return `<text x="${LEFT - 10}" y="${y + 8}" dy=".32em" text-anchor="end">${esc(name)}</text>${pieces.join('')}<text x="${px(x + 6)}" y="${y + 8}" dy=".32em" class="tick">${share}</text>`;
}

/** Share of a training step for each kernel; the bars sum up to the wall time. */
export function sharesPlot(profile: StepProfile): Html {
  const { model, batch, seq, wall, notInKernels } = profile;
  const rest: Row = {
    name: 'not in kernels',
    parts: { forward: 0, backward: 0, optimizer: notInKernels },
    ms: notInKernels,
    rest: true,
  };
  const rows = [...rowsOf(profile.totals), rest];
  const legend = PHASES.map((phase, i) => `<text class="t${i}" x="${LEFT + i * 110}" y="12">${phase}</text>`);
  const size = `${model}, ${batch} x ${seq}`;
  return figureOf(
    both(`A training step of ${size}`, `${size} 的一个训练步`),
    both(
      `${wall.toFixed(1)} ms with every kernel timed, ${profile.undisturbed.toFixed(1)} ms without.`,
      `逐个核函数计时为 ${wall.toFixed(1)} 毫秒，不计时为 ${profile.undisturbed.toFixed(1)} 毫秒。`,
    ),
    `<svg viewBox="0 0 ${WIDTH} ${30 + rows.length * ROW}" role="img" aria-label="shares">${legend.join('')}${rows.map((row, i) => barOf(row, i, wall)).join('')}</svg>`,
  );
}

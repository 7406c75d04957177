import { both, esc, type Html, words } from '../../train/report/html.js';
import { languageButton, page } from '../../train/report/page.js';
import type { ComparisonOutcome } from '../compare.js';
import type { Context } from '../google.js';
import type { ModelResult } from '../models.js';
import type { Roofs } from '../roofs.js';
import type { BenchResult, Outcome } from '../run.js';
import type { StepProfile } from '../step.js';
import { figures, rate, seconds } from '../units.js';
import { dumbbells } from './dumbbell.js';
import { heatMap } from './heat.js';
import { rooflinePlot } from './roofline.js';
import { sharesPlot } from './shares.js';
import { sweepPlot } from './sweep.js';

/** Colours of contenders, told apart by those who see no red or green too (Okabe and Ito 2008), light and dark. */
const STYLE = `
:root{--t0:#0b66c3;--t1:#c2410c;--t2:#007a5a;--t3:#8a3ffc;--t4:#9a6b00;--t5:#5b6470}
@media(prefers-color-scheme:dark){:root{--t0:#62b0ff;--t1:#ff9d5c;--t2:#3ecf9f;--t3:#c29bff;--t4:#e3b341;--t5:#9aa1ab}}
${[0, 1, 2, 3, 4, 5].map((i) => `path.t${i}{stroke:var(--t${i})}circle.t${i},svg text.t${i}{fill:var(--t${i})}path.band.t${i},rect.t${i}{fill:var(--t${i})}`).join('')}
.band{opacity:.16;stroke:none!important}.interval{stroke-width:6;opacity:.35;fill:none}circle.level{fill:var(--level)}path.interval.level{stroke-dasharray:none}
.cell{fill:var(--t0)}svg .heat text{font-size:12px}svg text.on{fill:#fff}figure+figure{margin-top:36px}td,th{white-space:nowrap}.scroll table{font-size:13px}.scroll td,.scroll th{padding-right:9px}.big svg:not(.heat){min-width:600px}@media(prefers-color-scheme:dark){svg text.on{fill:#0c1014}}rect.rest{fill:var(--t5)}
`;

export interface BenchReport {
  readonly outcome: Outcome;
  readonly contenders: readonly string[];
  /** Of the first contender. */
  readonly roofs: Roofs | null;
  readonly context: Context;
  /** Whole models. */
  readonly models: readonly ModelResult[];
  /** Training steps that were looked into. */
  readonly steps: readonly StepProfile[];
}

function tableRow(r: BenchResult): Html {
  const gflops = r.work.flops === null ? null : r.work.flops / r.timing.median / 1e9;
  const cells = [
    seconds(r.timing.median),
    seconds(r.timing.min),
    seconds(r.timing.p95),
    `${(100 * r.timing.spread).toFixed(1)} %`,
    `${r.timing.n}`,
    rate(gflops),
    rate(r.work.bytes / r.timing.median / 1e9),
    r.placed === null ? '–' : `${(100 * r.placed.roofFraction).toFixed(0)} %`,
    r.memory === null ? '–' : `${figures(r.memory / 1e6)} MB`,
    r.check.maxAbsError.toExponential(1),
    r.ratio === null ? '1' : figures(r.ratio.ratio),
  ];
  return `<tr><td>${esc(r.name)}</td><td>${esc(r.where)}</td><td>${esc(r.contender)}</td>${cells.map((cell) => `<td class="n">${esc(cell)}</td>`).join('')}</tr>`;
}

const HEADS = [
  'median',
  'min',
  'p95',
  'spread',
  'n',
  'GFLOP/s',
  'GB/s',
  'of roof',
  'memory',
  'max error',
  'time ratio',
];

function tableOf(results: readonly BenchResult[]): Html {
  const heads =
    ['op / shape / way', 'where', 'on'].map((h) => `<th>${h}</th>`).join('') +
    HEADS.map((h) => `<th class="n">${h}</th>`).join('');
  return `<div class="scroll"><table><tr>${heads}</tr>${results.map(tableRow).join('')}</table></div>`;
}

const MODEL_HEADS = ['median', 'spread', 'tokens/s', 'of peak', 'memory', 'time ratio'];

function modelTable(results: readonly ModelResult[]): Html {
  if (results.length === 0) return '';
  const rows = results.map((r) => {
    const cells = [
      seconds(r.timing.median),
      `${(100 * r.timing.spread).toFixed(1)} %`,
      r.tokensPerSecond.toFixed(0),
      r.mfu === null ? '–' : `${(100 * r.mfu).toFixed(0)} %`,
      `${(r.memory / 1e6).toFixed(0)} MB`,
      r.ratio === null ? '1' : figures(r.ratio.ratio),
    ];
    return `<tr><td>${esc(r.name)}</td><td>${esc(r.contender)}</td>${cells.map((cell) => `<td class="n">${esc(cell)}</td>`).join('')}</tr>`;
  });
  const heads = `<th>work</th><th>on</th>${MODEL_HEADS.map((h) => `<th class="n">${h}</th>`).join('')}`;
  return `<h2>${words(both('Whole models', '完整模型'))}</h2><div class="scroll"><table><tr>${heads}</tr>${rows.join('')}</table></div>`;
}

function contextOf(context: Context): Html {
  const rows = Object.entries(context).map(
    ([key, value]) =>
      `<tr><td class="k">${esc(key)}</td><td>${esc(typeof value === 'string' ? value : JSON.stringify(value))}</td></tr>`,
  );
  return `<h2>${words(both('Machine and program', '机器与程序'))}</h2><div class="scroll"><table>${rows.join('')}</table></div>`;
}

function remarks({ doubtful, impossible, notRun }: Outcome): Html {
  const lines = [
    ...impossible,
    ...doubtful,
    ...notRun.map(({ contender, name, reason }) => `${contender}${name === '' ? '' : `, ${name}`}: not run: ${reason}`),
  ];
  if (lines.length === 0) return '';
  return `<h2>${words(both('What to know', '须知'))}</h2><ul>${lines.map((line) => `<li>${esc(line)}</li>`).join('')}</ul>`;
}

const head = (title: Html): Html =>
  `<style>${STYLE}</style><header><div><p class="sub">bertgrad bench</p><h1>${title}</h1></div>${languageButton}</header>`;

/** A page of results with their plots, in one file that needs nothing else. */
export function benchPage({ outcome, contenders, roofs, context, models, steps }: BenchReport): Html {
  const { results } = outcome;
  const plots = [
    sweepPlot(results, contenders, roofs),
    rooflinePlot(results, contenders, roofs),
    ...contenders.map((name) => heatMap(results, name, roofs)),
    ...steps.map(sharesPlot),
  ];
  const title = both('Kernels', '核函数');
  return page(
    both('bertgrad bench', 'bertgrad 基准测试'),
    `${head(words(title))}${plots.join('')}${modelTable(models)}<h2>${words(both('All figures', '全部数据'))}</h2>${tableOf(results)}${remarks(outcome)}${contextOf(context)}`,
  );
}

/** A page of two runs held against each other. */
export function comparePage(outcome: ComparisonOutcome, names: readonly [before: string, after: string]): Html {
  const list = outcome.differences.map((text) => `<li>${esc(text)}</li>`).join('');
  return page(
    both('bertgrad bench compare', 'bertgrad 基准对比'),
    `${head(esc(`${names[0]} → ${names[1]}`))}${list === '' ? '' : `<ul>${list}</ul>`}${dumbbells(outcome.rows)}`,
  );
}

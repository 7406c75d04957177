import { basename, join } from 'node:path';
import { DataError } from '../core/errors.js';
import { writeFileAtomic } from '../io/files.js';
import type { JsonObject } from '../io/json.js';
import { readJsonl } from '../io/jsonl.js';
import { openRun, RUN } from '../io/run-folder.js';
import type { EvalMetrics, FillSample, Remark, RunStart, StepMetrics } from './events.js';
import type { SessionLine } from './recorder.js';
import { figuresOf } from './report/charts.js';
import { headOf } from './report/head.js';
import { both, esc, type Html, isNumber, words } from './report/html.js';
import { page } from './report/page.js';
import { dataCard, machineCard, modelParts, nextSteps, remarkList, sampleTable, section } from './report/sections.js';

/** All that a run folder tells of a run. */
export interface ReportInput {
  /** run.json */
  readonly run: JsonObject;
  readonly sessions: readonly SessionLine[];
  readonly metrics: readonly StepMetrics[];
  readonly evals: readonly EvalMetrics[];
  readonly samples: readonly FillSample[];
  readonly remarks: readonly Remark[];
}

/** Numbers that were not finite are null in a file; keys that are missing count as such. */
function numbers<T extends object>(record: JsonObject, keys: Readonly<Record<keyof T & string, true>>): T {
  const entries = Object.keys(keys).map((key) => [key, isNumber(record[key]) ? record[key] : Number.NaN]);
  return Object.fromEntries(entries) as T;
}

const STEP: Readonly<Record<keyof StepMetrics, true>> = {
  step: true,
  tokens: true,
  loss: true,
  masked_lm_loss: true,
  masked_lm_accuracy: true,
  next_sentence_loss: true,
  next_sentence_accuracy: true,
  lr: true,
  grad_norm: true,
  tokens_per_second: true,
  mfu: true,
  seconds: true,
  rss_mb: true,
};
const EVAL: Readonly<Record<keyof Omit<EvalMetrics, 'eval'>, true>> = {
  step: true,
  eval_masked_lm_loss: true,
  eval_masked_lm_accuracy: true,
  eval_next_sentence_loss: true,
  eval_next_sentence_accuracy: true,
};

/** A number that is missing though the loss is there was never measured: no pairs in this part of the run, no peak. */
function stepOf(record: JsonObject): StepMetrics {
  const step = numbers<StepMetrics>(record, STEP);
  const absent = (['next_sentence_loss', 'next_sentence_accuracy', 'mfu'] as const).filter(
    (key) => Number.isFinite(step.loss) && !isNumber(record[key]),
  );
  return { ...step, ...Object.fromEntries(absent.map((key) => [key, null])) };
}

async function records<T>(folder: string, name: string): Promise<T[]> {
  const all: T[] = [];
  for await (const record of readJsonl(join(folder, name))) all.push(record as T);
  return all;
}

/** A session repeats what it found before its first step; once is enough. */
function withoutRepeats(remarks: readonly Remark[]): Remark[] {
  const seen = new Map(remarks.map((remark) => [`${remark.kind}\n${remark.text}`, remark] as const).reverse());
  return [...seen.values()].reverse();
}

/** Reads a run folder, finished or not. @throws {InputError} no run; {DataError} a run that never began */
export async function readReportInput(folder: string): Promise<ReportInput> {
  const run = await openRun(folder);
  const metrics: StepMetrics[] = [];
  const evals: EvalMetrics[] = [];
  for await (const record of readJsonl(join(folder, RUN.metrics))) {
    if (!isNumber(record.step)) continue;
    if (record.eval === true) evals.push({ ...numbers<Omit<EvalMetrics, 'eval'>>(record, EVAL), eval: true });
    else metrics.push(stepOf(record));
  }
  return {
    run,
    sessions: await records<SessionLine>(folder, RUN.sessions),
    metrics,
    evals,
    samples: await records<FillSample>(folder, RUN.samples),
    remarks: withoutRepeats(await records<Remark>(folder, RUN.remarks)),
  };
}

function startOf({ sessions }: ReportInput): RunStart {
  const start = sessions.findLast((line) => line.start !== undefined)?.start;
  if (start !== undefined) return start;
  throw new DataError('the run has not begun: sessions.jsonl names no session', {
    code: 'RUN-NOT-BEGUN',
    where: RUN.sessions,
    fix: 'let it train first',
  });
}

/** run.json as `options.data.maskUnit: word` and so on. */
function* flattened(value: JsonObject, prefix = ''): Generator<[string, string]> {
  for (const [key, inner] of Object.entries(value)) {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) yield* flattened(inner, name);
    else yield [name, typeof inner === 'string' ? inner : JSON.stringify(inner)];
  }
}

function settings(run: JsonObject): Html {
  const rows = [...flattened(run)].map(([key, value]) => {
    return `<tr><td class="k"><code>${esc(key)}</code></td><td><code>${esc(value.slice(0, 300))}</code></td></tr>`;
  });
  const title = words(both(`run.json, ${rows.length} settings`, `run.json，共 ${rows.length} 项`));
  return `<details><summary>${title}</summary><table>${rows.join('')}</table></details>`;
}

function clipOf({ options }: JsonObject): number | null {
  const clip = typeof options === 'object' && options !== null && !Array.isArray(options) ? options.clip : null;
  return isNumber(clip) ? clip : null;
}

/**
 * A run as one page: curves, remarks, samples, data, model, machine. Needs no network, no server and no script.
 * @throws {DataError} a run that never began
 */
export function renderReport(input: ReportInput): Html {
  const start = startOf(input);
  const { metrics, evals, samples, remarks, sessions, run } = input;
  const last = sessions.at(-1)?.end ?? null;
  const name = basename(start.folder);
  const curves = { start, metrics, evals, remarks, clip: clipOf(run) };
  const rss = metrics.reduce((most, m) => Math.max(most, isNumber(m.rss_mb) ? m.rss_mb : 0), 0);
  const body = [
    headOf(name, curves, last),
    section(both('Curves', '曲线'), figuresOf(curves)),
    section(both('Remarks', '提示'), remarkList(remarks)),
    section(both('Fill in the mask', '填词'), sampleTable(samples)),
    section(both('Data', '数据'), dataCard(start)),
    section(both('Model', '模型'), modelParts(start)),
    section(both('Machine and sessions', '机器与运行记录'), machineCard(start, sessions, rss)),
    section(both('How to go on', '接下来'), nextSteps(start, last, samples.at(-1)?.text)),
    section(both('Settings', '设置'), settings(run)),
  ];
  return page(both(`${name}: a BERT in training`, `${name}：BERT 预训练`), `<main>${body.join('')}</main>`);
}

/**
 * Writes report.html into a run folder, finished or not.
 * @returns its path
 * @throws {InputError} no run; {DataError} a run that never began; {IoError} a full disk
 */
export async function writeReport(folder: string): Promise<string> {
  const path = join(folder, RUN.report);
  await writeFileAtomic(path, renderReport(await readReportInput(folder)));
  return path;
}

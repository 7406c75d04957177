import type { FillSample, Remark, RunEnd, RunStart } from '../events.js';
import type { SessionLine } from '../recorder.js';
import { type Both, both, clock, esc, figure, grouped, type Html, isNumber, percent, scaled, words } from './html.js';

export const section = (title: Both, body: Html): Html =>
  body === '' ? '' : `<section><h2>${words(title)}</h2>${body}</section>`;

/** A table of names and values. */
export const facts = (rows: readonly (readonly [Both, string])[]): Html =>
  `<table>${rows.map(([name, value]) => `<tr><td class="k">${words(name)}</td><td>${esc(value)}</td></tr>`).join('')}</table>`;

const stepOf = (step: number): Both => both(`step ${grouped(step)}`, `第 ${grouped(step)} 步`);

const MOST_REMARKS = 200;
const SEVERITIES = { info: both('note', '说明'), warning: both('warning', '警告'), error: both('error', '错误') };

export function remarkList(remarks: readonly Remark[]): Html {
  const items = remarks.slice(0, MOST_REMARKS).map(({ step, severity, text }, i) => {
    const tone = severity in SEVERITIES ? severity : 'info';
    const head = `<span><b>${words(SEVERITIES[tone])}</b> <span class="mute">${words(stepOf(step))}</span></span>`;
    return `<li class="${tone}"><span class="mute">${i + 1}</span>${head}<span>${esc(text)}</span></li>`;
  });
  const more = remarks.length - items.length;
  const rest = more > 0 ? `<p class="mute">+ ${more}</p>` : '';
  return items.length === 0 ? '' : `<ol class="remarks">${items.join('')}</ol>${rest}`;
}

const clip = (text: string, most: number): string => {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most).join('')} …`;
};
const withMasks = (text: string): Html =>
  `<bdi>${esc(clip(text, 240)).replace(/\[MASK\]/g, '<mark>[MASK]</mark>')}</bdi>`;

function guesses(sample: FillSample): Html {
  const head = `<div class="phone note">${words(stepOf(sample.step))}</div>`;
  const rows = sample.predictions.slice(0, 4).map(({ token, probability }, i) => {
    const width = isNumber(probability) ? Math.max(0, Math.min(100, probability * 100)) : 0;
    const bar = `<span class="bar" style="width:${width.toFixed(1)}%"></span>`;
    return `<div class="guess${i === 0 ? ' first' : ''}"><bdi>${esc(clip(token, 24))}</bdi><span class="mute">${percent(probability, probability < 0.01 ? 2 : 1)}</span><span>${bar}</span></div>`;
  });
  return head + rows.join('');
}

/** How the best guess changed, with the step of each change; at most eight. */
function changes(samples: readonly FillSample[]): Html {
  const tops = samples.map(({ step, predictions }) => ({ step, token: predictions[0]?.token ?? '' }));
  const turns = tops.filter(({ token }, i) => i === 0 || token !== tops[i - 1].token);
  const shown = turns.length <= 8 ? turns : [turns[0], ...turns.slice(-7)];
  return shown
    .map(({ step, token }, i) => `<bdi>${esc(clip(token, 24))}</bdi>${i === 0 ? '' : ` (${grouped(step)})`}`)
    .join(' → ');
}

/** The same sentences at the beginning and at the end. */
export function sampleTable(samples: readonly FillSample[]): Html {
  const byText = new Map<string, FillSample[]>();
  for (const sample of samples) byText.set(sample.text, [...(byText.get(sample.text) ?? []), sample]);
  const rows = [...byText.values()].slice(0, 24).map((list) => {
    const [first, last] = [list[0], list.at(-1) ?? list[0]];
    const before = list.length > 1 ? guesses(first) : '';
    return `<tr><td>${withMasks(first.text)}<div class="note">${changes(list)}</div></td><td>${before}</td><td>${guesses(last)}</td></tr>`;
  });
  if (rows.length === 0) return '';
  const steps = samples.map((s) => s.step);
  const head = (step: number): Html => `<th>${words(stepOf(step))}</th>`;
  const [from, to] = [steps[0], steps.at(-1) ?? steps[0]];
  const widths = '<colgroup><col style="width:40%"><col style="width:30%"><col style="width:30%"></colgroup>';
  const note = both(
    'What the model puts in the place of [MASK], best first, with its probability. Below each sentence: how the best guess changed, and at which step.',
    '模型在 [MASK] 处填入的词及其概率，按概率排列。句子下方：首选词的变化及其步数。',
  );
  return `<p class="note">${words(note)}</p><table class="fills">${widths}<tr><th></th>${head(from)}${head(to)}</tr>${rows.join('')}</table>`;
}

export function dataCard({ data, rows, lossPositions, positions, sentenceTask }: RunStart): Html {
  const table: [Both, string][] = [
    [both('documents', '文档'), grouped(data.documents)],
    [both('held back for evaluation', '留作评测'), grouped(data.heldOutDocuments)],
    [both('sentences', '句子'), grouped(data.sentences)],
    [both('tokens', '词元'), grouped(data.tokens)],
    [both('unknown tokens [UNK]', '未知词元 [UNK]'), percent(data.unkShare, 2)],
    [both('repeated lines', '重复行'), percent(data.duplicateLineShare)],
    [both('padding (not computed)', '填充（不参与计算）'), percent(data.paddingShare)],
    [both('places with a loss', '计算损失的位置'), `${grouped(lossPositions)} / ${grouped(positions)}`],
  ];
  if (sentenceTask !== 'none') table.push([both('pairs with label 1', '标签为 1 的句对'), percent(data.label1Share)]);
  const shown = rows.slice(0, 3).map((row) => {
    return `<pre><bdi>${esc(clip(row, 420)).replace(/\[MASK[^\]]*\]/g, '<mark>$&</mark>')}</bdi></pre>`;
  });
  const title = words(both('Training rows; in brackets what the model must find', '训练样例；方括号内是要猜的词'));
  return `<div class="two-columns"><div>${facts(table)}</div><div><h3>${title}</h3>${shown.join('')}</div></div>`;
}

/** A row per part with its share as a bar. */
function shares(head: Both, unit: Both, rows: readonly { name: string; share: number; value: string }[]): Html {
  const body = rows.map(({ name, share, value }) => {
    const bar = `<span class="bar" style="width:${(100 * share).toFixed(1)}%"></span>`;
    return `<tr><td>${esc(name)}</td><td class="n">${esc(value)}</td><td class="n">${percent(share)}</td><td style="width:28%">${bar}</td></tr>`;
  });
  return `<table><tr><th>${words(head)}</th><th class="n">${words(unit)}</th><th></th><th></th></tr>${body.join('')}</table>`;
}

export function modelParts({ parts, parameters, memory }: RunStart): Html {
  const bytes = memory.reduce((sum, m) => sum + m.bytes, 0);
  const left = shares(both(`${scaled(parameters)} parameters`, `参数共 ${scaled(parameters)}`), both('', ''), [
    ...parts.map((p) => ({ name: p.part, share: p.share, value: grouped(p.parameters) })),
  ]);
  const right = shares(
    both(`about ${scaled(bytes, 'B')} of memory`, `内存约 ${scaled(bytes, 'B')}`),
    both('', ''),
    memory.map((m) => ({ name: m.owner, share: m.bytes / bytes, value: scaled(m.bytes, 'B') })),
  );
  return `<div class="two-columns"><div>${left}</div><div>${right}</div></div>`;
}

const REASONS: Readonly<Record<RunEnd['reason'], Both>> = {
  done: both('done', '完成'),
  signal: both('stopped by a signal', '被信号中止'),
  'max-time': both('stopped by --max-time', '到达 --max-time'),
};
/** How a session ended; one without an end was killed, or is still running. */
export const reasonOf = (end: RunEnd | null): Both =>
  end === null ? both('running, or cut off', '进行中或被中断') : REASONS[end.reason];

export function machineCard(start: RunStart, sessions: readonly SessionLine[], rss: number): Html {
  const table = facts([
    [both('backend', '后端'), start.backend],
    [both('measured peak', '实测峰值'), start.peakGflops === null ? '–' : `${figure(start.peakGflops)} GFLOP/s`],
    [both('work of a step', '每步计算量'), scaled(start.flopsPerStep, 'FLOP')],
    [both('tokens of a step', '每步词元'), grouped(start.tokensPerStep)],
    [both('batch', '批'), `${start.batch} × ≤ ${start.maxSeq}`],
    [both('memory used, at most', '最大内存占用'), rss > 0 ? scaled(rss * 1e6, 'B') : '–'],
  ]);
  const rows = sessions.flatMap((line, i) => {
    if (line.start === undefined) return [];
    const end = sessions[i + 1]?.end ?? null;
    const to = end === null ? '' : grouped(end.step);
    return `<tr><td>${esc(line.at.slice(0, 16).replace('T', ' '))}</td><td class="n">${grouped(line.step)} → ${to}</td><td>${words(reasonOf(end))}</td><td class="n">${end === null ? '' : clock(end.seconds)}</td></tr>`;
  });
  const head = [
    both('session began (UTC)', '开始时间（UTC）'),
    both('steps', '步'),
    both('', ''),
    both('time', '总时间'),
  ];
  const heads = head.map((h, i) => `<th${i % 2 === 1 ? ' class="n"' : ''}>${words(h)}</th>`).join('');
  return `<div class="two-columns"><div>${table}</div><div class="scroll"><table><tr>${heads}</tr>${rows.join('')}</table></div></div>`;
}

/** A shell argument, quoted where it must be. */
const quoted = (text: string): string => (/^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** What to do with what the run left. */
export function nextSteps(start: RunStart, end: RunEnd | null, probe: string | undefined): Html {
  const folder = quoted(start.folder);
  const command = (what: Both, line: string): Html => `<h3>${words(what)}</h3><pre>${esc(line)}</pre>`;
  const unfinished = end === null || end.step < start.totalSteps;
  const model = JSON.stringify(end?.checkpoint ?? `${start.folder}/checkpoints/step-N`);
  const python = [
    'from transformers import AutoTokenizer, BertForPreTraining',
    `tokenizer = AutoTokenizer.from_pretrained(${model})`,
    `model = BertForPreTraining.from_pretrained(${model})`,
  ].join('\n');
  return [
    unfinished ? command(both('Go on training', '继续训练'), `npx bertgrad pretrain --resume ${folder}`) : '',
    command(
      both('Ask the model', '向模型提问'),
      `npx bertgrad fill-mask ${folder} ${quoted(probe ?? 'Paris is the [MASK] of France.')}`,
    ),
    command(both('Open it in Python', '在 Python 中打开'), python),
    command(both('Compare runs in TensorBoard', '用 TensorBoard 比较多次训练'), `tensorboard --logdir ${folder}`),
  ].join('');
}

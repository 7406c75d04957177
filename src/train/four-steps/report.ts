import { type Both, both, esc, figure, type Html, percent, words } from '../report/html.js';
import { languageButton, page } from '../report/page.js';
import { spreadOf } from '../tasks/results.js';
import { ARMS, type Arm, type Claim, type FourStepsResults } from './results.js';

/** Names of the arms, for people. */
export const ARM_NAMES: Readonly<Record<Arm, Both>> = {
  random: both('random weights', '随机权重'),
  general: both('general', '通用预训练'),
  longer: both('general, longer', '通用预训练（更久）'),
  dapt: both('+ DAPT (domain)', '+ DAPT（领域）'),
  tapt: both('+ TAPT (task)', '+ TAPT（任务）'),
  'dapt+tapt': both('+ DAPT + TAPT', '+ DAPT + TAPT'),
};

const WIDTH = 640;
const LEFT = 170;
const ROW = 34;
const px = (value: number): string => value.toFixed(1);

/** A row an arm: a dot a seed, a bar over mean and deviation; what needs no encoder as lines through all. */
function plot(results: FourStepsResults, limit: number): Html {
  const arms = results.arms.filter((arm) => arm.limit === limit);
  const levels = results.baselines.filter((baseline) => baseline.limit === limit);
  const all = [...arms.flatMap(({ macroF1 }) => macroF1), ...levels.map(({ macroF1 }) => macroF1)];
  const [low, high] = [Math.max(0, Math.min(...all) - 0.03), Math.min(1, Math.max(...all) + 0.03)];
  const x = (value: number): number => LEFT + ((value - low) / (high - low)) * (WIDTH - LEFT - 60);
  const height = ROW * (arms.length + 1) + 26;
  const ticks = Array.from({ length: 5 }, (_, i) => low + ((high - low) * i) / 4);
  const grid = ticks.map(
    (t) =>
      `<path class="grid" d="M${px(x(t))} 20V${height - 20}"/><text class="tick" x="${px(x(t))}" y="${height - 4}" text-anchor="middle">${t.toFixed(2)}</text>`,
  );
  const lines = levels.map(({ name, macroF1 }) => {
    return `<path class="level" d="M${px(x(macroF1))} 20V${height - 20}"/><text class="level" x="${px(x(macroF1))}" y="14" text-anchor="middle">${esc(name)} ${macroF1.toFixed(3)}</text>`;
  });
  const rows = arms.map(({ arm, macroF1 }, i) => {
    const y = 20 + ROW * (i + 0.7);
    const { mean, deviation } = spreadOf(macroF1);
    const dots = macroF1.map(
      (value) => `<circle class="two" cx="${px(x(value))}" cy="${px(y)}" r="3" opacity="0.55"/>`,
    );
    const bar = `<path class="line one" d="M${px(x(mean - deviation))} ${px(y)}H${px(x(mean + deviation))}"/><circle class="one" cx="${px(x(mean))}" cy="${px(y)}" r="4.5"/>`;
    const { en, zh } = ARM_NAMES[arm];
    const label = `<text lang="en" x="${LEFT - 12}" y="${px(y)}" dy=".32em" text-anchor="end">${esc(en)}</text><text lang="zh" x="${LEFT - 12}" y="${px(y)}" dy=".32em" text-anchor="end">${esc(zh)}</text>`;
    return `${label}${dots.join('')}${bar}<text class="one" x="${px(x(mean))}" y="${px(y - 9)}" text-anchor="middle">${mean.toFixed(3)}</text>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="macro-F1">${grid.join('')}${lines.join('')}${rows.join('')}</svg>`;
}

const cell = (text: string, number = true): Html => `<td${number ? ' class="n"' : ''}>${esc(text)}</td>`;

function table(results: FourStepsResults): Html {
  const { limits } = results.plan;
  const title = (limit: number): string =>
    `<th class="n">${words(both(`macro-F1, ${limit} examples`, `宏 F1，${limit} 例`))}</th>`;
  const head = `<tr><th></th><th class="n">${words(both('masked words: general', '填词损失：通用'))}</th><th class="n">${words(both('domain', '领域'))}</th><th class="n">${words(both('task', '任务'))}</th>${limits.map(title).join('')}</tr>`;
  const rows = ARMS.map((arm) => {
    const losses = results.losses[arm];
    const scores = limits.map((limit) => {
      const { mean, deviation } = spreadOf(results.arms.find((r) => r.arm === arm && r.limit === limit)?.macroF1 ?? []);
      return cell(`${mean.toFixed(3)} ± ${deviation.toFixed(3)}`);
    });
    const masked = (['general', 'domain', 'task'] as const).map((of) => cell(figure(losses?.[of])));
    return `<tr><td>${words(ARM_NAMES[arm])}</td>${masked.join('')}${scores.join('')}</tr>`;
  });
  const floors = (['majority', 'bag of words'] as const).map((name) => {
    const scores = limits.map((limit) =>
      cell((results.baselines.find((b) => b.name === name && b.limit === limit)?.macroF1 ?? 0).toFixed(3)),
    );
    return `<tr><td class="mute">${esc(name)}</td><td></td><td></td><td></td>${scores.join('')}</tr>`;
  });
  return `<div class="scroll"><table>${head}${rows.join('')}${floors.join('')}</table></div>`;
}

/** `general beats random weights with 200 examples: +0.052 ± 0.011 (supported)` */
export function claimText({ better, than, limit, difference, supported }: Claim): Both {
  const sign = `${difference.mean >= 0 ? '+' : ''}${difference.mean.toFixed(3)} ± ${difference.deviation.toFixed(3)}`;
  const [a, b] = [ARM_NAMES[better], ARM_NAMES[than]];
  return both(
    `${a.en} over ${b.en}, ${limit} examples: ${sign}, ${supported ? 'supported' : 'not supported'}`,
    `${a.zh} 优于 ${b.zh}，${limit} 例：${sign}，${supported ? '成立' : '不成立'}`,
  );
}

/** The whole experiment as one page, without a script or a server. */
export function renderFourSteps(results: FourStepsResults, title: string): Html {
  const { limits } = results.plan;
  const figures = limits.map((limit) => {
    const caption = words(
      both(
        `Macro-F1 on dev from ${limit} training examples; a dot a seed, a bar one deviation`,
        `${limit} 个训练样例时开发集上的宏 F1；每点一个种子，横条为一个标准差`,
      ),
    );
    return `<figure><figcaption>${caption}</figcaption>${plot(results, limit)}</figure>`;
  });
  const claims = results.claims.map((claim) => `<li>${words(claimText(claim))}</li>`).join('');
  const leak = words(
    both(
      `${results.leaked} of ${results.dev} dev texts stand in a corpus word for word (${percent(results.leaked / Math.max(1, results.dev))}).`,
      `开发集 ${results.dev} 条文本中有 ${results.leaked} 条逐字出现在语料里。`,
    ),
  );
  const rule = words(
    both(
      'A claim is supported when the mean difference over the seeds is above two standard errors. The last evaluation counts, not the best one.',
      '种子间差值的均值超过两倍标准误，论断才算成立；取最后一次评测，不挑最好的一次。',
    ),
  );
  const stages = Object.entries(results.seconds).map(
    ([name, seconds]) => `<tr><td>${esc(name)}</td>${cell(`${(seconds / 60).toFixed(1)} min`)}</tr>`,
  );
  const body = [
    `<header><h1>${esc(title)}</h1>${languageButton}</header>`,
    table(results),
    `<div class="charts">${figures.join('')}</div>`,
    `<h2>${words(both('What holds', '结论'))}</h2><ul>${claims}</ul><p class="note">${rule} ${leak}</p>`,
    `<h2>${words(both('Time', '用时'))}</h2><table>${stages.join('')}</table>`,
    `<h2>${words(both('Settings', '设置'))}</h2><pre>${esc(JSON.stringify(results.plan, null, 1))}</pre>`,
  ];
  return page(both(title, title), `<main>${body.join('')}</main>`);
}

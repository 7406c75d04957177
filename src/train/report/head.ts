import type { EvalMetrics, RunEnd, StepMetrics } from '../events.js';
import { pairGuess } from '../guessing.js';
import type { Curves } from './charts.js';
import { totals } from './charts.js';
import { type Both, both, esc, grouped, type Html, isNumber, percent, words } from './html.js';
import { languageButton } from './page.js';
import { reasonOf } from './sections.js';

/** The measures a run is judged by: held out where there are such, else of the last steps. */
interface Standing {
  readonly heldOut: boolean;
  readonly loss: number;
  readonly accuracy: number;
  readonly pairs: number;
}

const mean = (values: readonly number[]): number => {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, v) => sum + v, 0) / finite.length;
};

function standingOf(metrics: readonly StepMetrics[], e: EvalMetrics | undefined): Standing {
  if (e !== undefined) {
    const { eval_masked_lm_loss: loss, eval_masked_lm_accuracy: accuracy, eval_next_sentence_accuracy: pairs } = e;
    return { heldOut: true, loss, accuracy, pairs };
  }
  const last = metrics.slice(-Math.max(1, Math.round(metrics.length / 50)));
  return {
    heldOut: false,
    loss: mean(last.map((m) => m.masked_lm_loss)),
    accuracy: mean(last.map((m) => m.masked_lm_accuracy)),
    pairs: mean(last.flatMap((m) => m.next_sentence_accuracy ?? [])),
  };
}

const tile = (name: Both, value: string, below: Both): Html =>
  `<div class="tile"><small>${words(name)}</small><b>${esc(value)}</b><small>${words(below)}</small></div>`;

const nats = (x: number): string => (isNumber(x) ? x.toFixed(2) : '–');

/** What the loss says about what the model has learnt, in a sentence. */
function verdict({ start: { floors } }: Curves, { loss, heldOut }: Standing): Both {
  const where = heldOut ? both('On documents it never saw, the', '在从未见过的文档上，') : both('The', '');
  const below = nats(floors.bigram - loss);
  if (!isNumber(loss)) return both('There is no finite loss to judge by.', '没有可供判断的有限损失。');
  if (loss > floors.unigram + 0.1) {
    return both(
      `${where.en} loss is still above that of word frequencies (${nats(floors.unigram)}): the model has only just begun.`,
      `${where.zh}损失仍高于词频水平（${nats(floors.unigram)}）：模型刚刚起步。`,
    );
  }
  if (loss > floors.unigram - 0.05) {
    return both(
      `${where.en} loss is that of word frequencies (${nats(floors.unigram)}): the model does not use context yet.`,
      `${where.zh}损失停在词频水平（${nats(floors.unigram)}）：模型还没有利用上下文。`,
    );
  }
  if (loss > floors.bigram) {
    return both(
      `${where.en} loss is ${nats(floors.unigram - loss)} nats below that of word frequencies: the model uses context, though less than a table of word pairs would (${nats(floors.bigram)}).`,
      `${where.zh}损失比词频水平低 ${nats(floors.unigram - loss)} 奈特：模型在利用上下文，但还不如一张二元词表（${nats(floors.bigram)}）。`,
    );
  }
  return both(
    `${where.en} loss is ${below} nats below what the word before can tell: the model uses context from both sides.`,
    `${where.zh}损失比只看前一个词低 ${below} 奈特：模型在利用两侧的上下文。`,
  );
}

function tiles(curves: Curves, now: Standing, pace: string): Html {
  const { floors, sentenceTask } = curves.start;
  const where = now.heldOut ? both('held out', '留出') : both('training', '训练');
  const task = sentenceTask.toUpperCase();
  const mfu = curves.metrics.flatMap((m) => (isNumber(m.mfu) ? [m.mfu] : []));
  const used =
    mfu.length === 0
      ? both('', '')
      : both(`${percent(mean(mfu))} of the measured peak`, `实测峰值的 ${percent(mean(mfu))}`);
  const list = [
    tile(
      both(`loss on masked words, ${where.en}`, `掩码词损失（${where.zh}）`),
      nats(now.loss),
      both(
        `bigram ${nats(floors.bigram)}, unigram ${nats(floors.unigram)}`,
        `二元 ${nats(floors.bigram)}，一元 ${nats(floors.unigram)}`,
      ),
    ),
    tile(
      both(`masked words right, ${where.en}`, `掩码词准确率（${where.zh}）`),
      percent(now.accuracy),
      both(
        `always the top word: ${percent(floors.mostFrequentShare)}`,
        `总猜最常见词：${percent(floors.mostFrequentShare)}`,
      ),
    ),
  ];
  if (sentenceTask !== 'none') {
    const name = both(`${task} right, ${where.en}`, `${task} 准确率（${where.zh}）`);
    const guess = percent(pairGuess(curves.start.data.label1Share).accuracy, 0);
    list.push(tile(name, percent(now.pairs), both(`guessing: ${guess}`, `随机猜：${guess}`)));
  }
  return `<div class="tiles">${[...list, tile(both('tokens per second', '每秒词元'), pace, used)].join('')}</div>`;
}

/** Title, state, the figures that matter, and what they say. */
export function headOf(name: string, curves: Curves, end: RunEnd | null): Html {
  const { start, metrics, evals } = curves;
  const now = standingOf(metrics, evals.at(-1));
  const step = metrics.at(-1)?.step ?? start.resumedFrom ?? 0;
  const { time, tokens, pace } = totals(curves);
  const state = reasonOf(end);
  const line = both(
    `${state.en}: step ${grouped(step)} of ${grouped(start.totalSteps)}, ${tokens} tokens, ${time}`,
    `${state.zh}：第 ${grouped(step)} 步，共 ${grouped(start.totalSteps)} 步，${tokens} 词元，用时 ${time}`,
  );
  const title = words(both('BERT pre-training', 'BERT 预训练'));
  return `<header><div><p class="sub">${title}</p><h1>${esc(name)}</h1><p class="sub">${words(line)}</p></div>${languageButton}</header>${tiles(curves, now, pace)}<p class="verdict">${words(verdict(curves, now))}</p>`;
}

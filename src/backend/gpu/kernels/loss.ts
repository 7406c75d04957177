import type { Buf, CrossEntropyInPlaceCall } from '../../backend.js';
import { line, type PlainKernel, type PlainRunner, table } from '../spec.js';
import { reduce, topAndSum } from './rows.js';
import { withScratch } from './scratch.js';

const LSE: PlainKernel = {
  name: 'logSumExp',
  params: { top: 'f32', sum: 'f32' },
  rank: 1,
  text: 'function (top, sum) { return top[this.thread.x] + Math.log(sum[this.thread.x]); }',
};

const LOSS: PlainKernel = {
  name: 'crossEntropy',
  params: { logits: 'f32', labels: 'i32', lse: 'f32', ignoreIndex: 'float', scale: 'float' },
  rank: 1,
  text: `function (logits, labels, lse, ignoreIndex, scale) {
  const label = labels[this.thread.x];
  let loss = 0;
  if (label != ignoreIndex) { loss = scale * (lse[this.thread.x] - logits[this.thread.x][label]); }
  return loss;
}`,
};

export function crossEntropy(
  runner: PlainRunner,
  [logits, labels]: readonly [Buf, Buf],
  [losses, lse]: readonly [Buf, Buf],
  rows: number,
  cols: number,
  ignoreIndex: number,
): void {
  runner.checkIds(labels, rows, cols, ignoreIndex);
  logSumExp(runner, logits, lse, rows, cols);
  runner.run(LOSS, [table(logits, rows, cols), line(labels), line(lse), ignoreIndex, 1], [rows, 1, 1], losses);
}

function logSumExp(runner: PlainRunner, logits: Buf, lse: Buf, rows: number, cols: number): void {
  topAndSum(runner, logits, rows, cols, (top, sum) => {
    runner.run(LSE, [line(top), line(sum)], [rows, 1, 1], lse);
  });
}

/** The softmax minus the one-hot label. */
const GRAD: PlainKernel = {
  name: 'crossEntropyGrad',
  params: { logits: 'f32', labels: 'i32', lse: 'f32', dLosses: 'f32', ignoreIndex: 'float' },
  rank: 2,
  text: `function (logits, labels, lse, dLosses, ignoreIndex) {
  const label = labels[this.thread.y];
  const p = Math.exp(logits[this.thread.y][this.thread.x] - lse[this.thread.y]);
  const hit = label == this.thread.x ? 1 : 0;
  return label == ignoreIndex ? 0 : dLosses[this.thread.y] * (p - hit);
}`,
};

export function crossEntropyGrad(
  runner: PlainRunner,
  [logits, labels, lse, dLosses]: readonly [Buf, Buf, Buf, Buf],
  dLogits: Buf,
  rows: number,
  cols: number,
  ignoreIndex: number,
): void {
  runner.checkIds(labels, rows, cols, ignoreIndex);
  const args = [table(logits, rows, cols), line(labels), line(lse), line(dLosses), ignoreIndex];
  runner.run(GRAD, args, [cols, rows, 1], dLogits);
}

/** 1 where the label has the largest logit, the first one of equals. */
const HITS: PlainKernel = {
  name: 'crossEntropy hits',
  params: { logits: 'f32', labels: 'i32', cols: 'int', ignoreIndex: 'float' },
  rank: 1,
  text: `function (logits, labels, cols, ignoreIndex) {
  let best = logits[this.thread.x][0];
  let at = 0;
  for (let i = 1; i < cols; i++) {
    const v = logits[this.thread.x][i];
    if (v > best) { best = v; at = i; }
  }
  const label = labels[this.thread.x];
  return label != ignoreIndex && label == at ? 1 : 0;
}`,
};

const GRAD_IN_PLACE: PlainKernel = {
  name: 'crossEntropyGrad in place',
  params: { logits: 'f32', labels: 'i32', lse: 'f32', ignoreIndex: 'float', scale: 'float' },
  rank: 2,
  inPlace: 'logits',
  text: `function (logits, labels, lse, ignoreIndex, scale) {
  const label = labels[this.thread.y];
  const p = Math.exp(logits[this.thread.y][this.thread.x] - lse[this.thread.y]);
  const hit = label == this.thread.x ? 1 : 0;
  return label == ignoreIndex ? 0 : scale * (p - hit);
}`,
};

export function crossEntropyInPlace(runner: PlainRunner, call: CrossEntropyInPlaceCall): void {
  const { logits, labels, results, sums, rows, cols, ignoreIndex, scale } = call;
  runner.checkIds(labels, rows, cols, ignoreIndex);
  const [xs, ids] = [table(logits, rows, cols), line(labels)];
  withScratch(runner, [rows], ([lse]) => {
    logSumExp(runner, logits, lse, rows, cols);
    runner.window(results, 0, rows, (losses) =>
      runner.run(LOSS, [xs, ids, line(lse), ignoreIndex, scale], [rows, 1, 1], losses),
    );
    runner.window(results, rows, rows, (hits) => runner.run(HITS, [xs, ids, cols, ignoreIndex], [rows, 1, 1], hits));
    runner.run(GRAD_IN_PLACE, [xs, ids, line(lse), ignoreIndex, scale], [cols, rows, 1], logits);
  });
  reduce(runner, 'sum', logits, sums, 1, rows, cols);
}

import type { Buf, CrossEntropyInPlaceCall } from '../../backend.js';
import { type FastKernel, line, Memo } from '../spec.js';
import { reduce } from './reduce.js';
import { type FastRunner, fold, rowMain, threadsFor } from './runner.js';
import { peak } from './softmax.js';

const kernels = new Memo<FastKernel>();

/** lse of the row in every thread. */
const LSE = (threads: number): string => `
  let first = row * params.cols;
  let label = labels_at(row);
  var pair = NOTHING;
  for (var c = t; c < params.cols; c += ${threads}u) { pair = with_element(pair, logits_at(first + c)); }
  pair = peak(t, pair);
  let lse = pair.x + log(pair.y);`;

const lossKernel = (threads: number): FastKernel => {
  const name = `crossEntropy ${threads}`;
  return kernels.get([name], () => ({
    name,
    params: { logits: 'f32', labels: 'i32', rows: 'int', cols: 'int', ignoreIndex: 'int' },
    outputs: { losses: 'f32', lse: 'f32' },
    wgsl: `${peak(threads)}${rowMain(threads)}${LSE(threads)}
  if (t == 0u) {
    set_lse(row, lse);
    var loss = 0.0;
    if (label != bitcast<i32>(params.ignoreIndex)) { loss = lse - logits_at(first + u32(label)); }
    set_losses(row, loss);
  }
}`,
  }));
};

export function crossEntropy(
  runner: FastRunner,
  [logits, labels]: readonly [Buf, Buf],
  [losses, lse]: readonly [Buf, Buf],
  rows: number,
  cols: number,
  ignoreIndex: number,
): void {
  if (rows * cols === 0) return;
  runner.checkIds(labels, rows, cols, ignoreIndex);
  const args = [line(logits), line(labels), rows, cols, ignoreIndex];
  runner.launch(lossKernel(threadsFor(runner, cols)), args, [line(losses), line(lse)], fold(rows));
}

/** The row's largest logit, the first one of equals, and with lse known its gradient in the place of the logits. */
const inPlaceKernel = (threads: number): FastKernel => {
  const name = `crossEntropyInPlace ${threads}`;
  return kernels.get([name], () => ({
    name,
    params: { labels: 'i32', rows: 'int', cols: 'int', ignoreIndex: 'int', scale: 'float' },
    outputs: { logits: 'f32', results: 'f32' },
    wgsl: `${peak(threads)}
var<workgroup> firsts : array<u32, ${threads}>;
${rowMain(threads)}${LSE(threads)}
  // Where the largest logit stands: the lowest of the threads' own firsts.
  var at = 0xffffffffu;
  for (var c = t; c < params.cols; c += ${threads}u) {
    if (at == 0xffffffffu && logits_at(first + c) == pair.x) { at = c; }
  }
  firsts[t] = at;
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { firsts[t] = min(firsts[t], firsts[t + half]); }
  }
  let ignored = label == bitcast<i32>(params.ignoreIndex);
  if (t == 0u) {
    var loss = 0.0;
    if (!ignored) { loss = params.scale * (lse - logits_at(first + u32(label))); }
    set_results(row, loss);
    set_results(params.rows + row, select(0.0, 1.0, !ignored && firsts[0] == u32(label)));
  }
  // The gradient takes the place of the logits only after thread 0 has read the label's.
  storageBarrier();
  workgroupBarrier();
  for (var c = t; c < params.cols; c += ${threads}u) {
    let p = exp_of(logits_at(first + c) - lse);
    let d = params.scale * (p - select(0.0, 1.0, i32(c) == label));
    set_logits(first + c, select(d, 0.0, ignored));
  }
}`,
  }));
};

export function crossEntropyInPlace(runner: FastRunner, call: CrossEntropyInPlaceCall): void {
  const { logits, labels, results, sums, rows, cols, ignoreIndex, scale } = call;
  if (rows * cols > 0) {
    runner.checkIds(labels, rows, cols, ignoreIndex);
    const args = [line(labels), rows, cols, ignoreIndex, scale];
    runner.launch(inPlaceKernel(threadsFor(runner, cols)), args, [line(logits), line(results)], fold(rows));
  }
  reduce(runner, 'sum', logits, sums, 1, rows, cols);
}

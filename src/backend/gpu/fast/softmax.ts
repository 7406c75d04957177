import type { Buf } from '../../backend.js';
import { type FastKernel, line, Memo } from '../spec.js';
import { type FastRunner, fold, rowMain, threadsFor, total } from './runner.js';

const kernels = new Memo<FastKernel>();

/**
 * `peak(t, pair)`: over the workgroup's threads, the largest element and the sum of exponentials from it on, from those
 * of each thread. Two pairs meet as in Milakov and Gimelshein 2018 (arXiv:1805.02867), alg. 3, in a fixed order. NaN is
 * larger than all, and stays.
 */
export const peak = (threads: number): string => `
fn join_peaks(a : vec2<f32>, b : vec2<f32>) -> vec2<f32> {
  let top = select(select(a.x + b.x, b.x, a.x <= b.x), a.x, a.x > b.x);
  return vec2<f32>(top, scaled(a, top) + scaled(b, top));
}
// A pair of a thread that saw nothing, (lowest, 0), adds nothing.
fn scaled(a : vec2<f32>, top : f32) -> f32 { return select(a.y * exp_of(a.x - top), 0.0, a.y == 0.0); }
fn exp_of(x : f32) -> f32 { return select(x, exp(x), x == x); }
fn with_element(a : vec2<f32>, v : f32) -> vec2<f32> { return join_peaks(a, vec2<f32>(v, 1.0)); }
const NOTHING = vec2<f32>(-3.4028234e38, 0.0);
var<workgroup> peaks : array<vec2<f32>, ${threads}>;
fn peak(t : u32, pair : vec2<f32>) -> vec2<f32> {
  peaks[t] = pair;
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { peaks[t] = join_peaks(peaks[t], peaks[t + half]); }
  }
  return workgroupUniformLoad(&peaks[0]);
}`;

const softmaxKernel = (threads: number, log: boolean): FastKernel => {
  const name = `${log ? 'logSoftmax' : 'softmax'} ${threads}`;
  return kernels.get([name], () => ({
    name,
    params: { x: 'f32', rows: 'int', cols: 'int' },
    outputs: { y: 'f32' },
    wgsl: `${peak(threads)}${rowMain(threads)}
  let first = row * params.cols;
  var pair = NOTHING;
  for (var c = t; c < params.cols; c += ${threads}u) { pair = with_element(pair, x_at(first + c)); }
  pair = peak(t, pair);
  for (var c = t; c < params.cols; c += ${threads}u) {
    let d = x_at(first + c) - pair.x;
    set_y(first + c, ${log ? 'd - log(pair.y)' : 'exp_of(d) / pair.y'});
  }
}`,
  }));
};

export function softmax(runner: FastRunner, x: Buf, y: Buf, rows: number, cols: number, log = false): void {
  if (rows * cols === 0) return;
  runner.launch(softmaxKernel(threadsFor(runner, cols), log), [line(x), rows, cols], [line(y)], fold(rows));
}

const gradKernel = (threads: number, log: boolean): FastKernel => {
  const name = `${log ? 'logSoftmaxGrad' : 'softmaxGrad'} ${threads}`;
  return kernels.get([name], () => ({
    name,
    params: { y: 'f32', dY: 'f32', rows: 'int', cols: 'int' },
    outputs: { dX: 'f32' },
    wgsl: `${total(threads)}${rowMain(threads)}
  let first = row * params.cols;
  var sum = 0.0;
  for (var c = t; c < params.cols; c += ${threads}u) { sum += ${log ? '' : 'y_at(first + c) * '}dY_at(first + c); }
  sum = total(t, sum);
  for (var c = t; c < params.cols; c += ${threads}u) {
    let y = y_at(first + c);
    let d = dY_at(first + c);
    set_dX(first + c, ${log ? 'd - exp(y) * sum' : 'y * (d - sum)'});
  }
}`,
  }));
};

export function softmaxGrad(
  runner: FastRunner,
  y: Buf,
  dY: Buf,
  dX: Buf,
  rows: number,
  cols: number,
  log = false,
): void {
  if (rows * cols === 0) return;
  runner.launch(gradKernel(threadsFor(runner, cols), log), [line(y), line(dY), rows, cols], [line(dX)], fold(rows));
}

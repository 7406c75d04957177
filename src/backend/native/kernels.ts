import { DtypeError } from '../../core/errors.js';
import { type RandomKey, seedWords } from '../../core/random.js';
import type { Shape } from '../../core/shape.js';
import type { AdamWCall, AttentionCall, BinaryFn, Buf, Kernels, MatmulCall, UnaryFn, Walk } from '../backend.js';
import { fewAxes } from './axes.js';
import { BINARY_CODES, REDUCE_CODES, UNARY_CODES } from './codes.js';
import type { NativeMemory } from './memory.js';
import type { Queue } from './queue.js';

function codeOf(codes: ReadonlyMap<string, number>, name: string): number {
  const code = codes.get(name);
  if (code === undefined) throw new DtypeError(`native: no function "${name}"; native/kernels.h lists those there are`);
  return code;
}

/** The numbers in front of a kernel that draws random words. */
const keyWords = ({ seed, stream, step, row }: RandomKey): readonly number[] => [
  ...seedWords(seed),
  stream >>> 0,
  step >>> 0,
  row,
];

const NO_DROPOUT = { rate: 0, key: { seed: 0, stream: 0, step: 0, row: 0 } } as const;

/** Every kernel as one command: sizes and constants, and where its buffers lie. Nothing is computed here. */
export class NativeKernels implements Kernels {
  private readonly at: (buf: Buf) => number;
  private readonly ids: (buf: Buf) => number;

  constructor(
    private readonly memory: NativeMemory,
    private readonly queue: Queue,
  ) {
    this.at = (buf) => memory.floats(buf);
    this.ids = (buf) => memory.ints(buf);
  }

  fill(y: Buf, value: number): void {
    if (y.dtype === 'i32') this.queue.push('fillI32', y.length, this.ids(y), value | 0);
    else this.queue.push('fill', y.length, this.at(y), value);
  }

  copy(x: Buf, y: Buf, shape: Shape, from: Walk, to: Walk): void {
    const { memory } = this;
    const [at, target] = [memory.words(x), memory.words(y)];
    if (x.dtype !== y.dtype) throw new DtypeError(`native: a copy of ${x.dtype} to ${y.dtype}`);
    const axes = fewAxes(shape, from.strides, to.strides);
    const [fromStrides, toStrides] = axes.strides;
    this.queue.push(
      'copy',
      axes.shape.length,
      ...axes.shape,
      from.offset,
      ...fromStrides,
      to.offset,
      ...toStrides,
      at,
      target,
    );
  }

  accumulate(x: Buf, y: Buf): void {
    this.queue.push('accumulate', y.length, this.at(x), this.at(y));
  }

  unary(fn: UnaryFn, x: Buf, y: Buf, c: number): void {
    this.queue.push('unary', codeOf(UNARY_CODES, fn.name), y.length, this.at(x), this.at(y), c);
  }

  unaryGrad(fn: UnaryFn, x: Buf, y: Buf, dY: Buf, dX: Buf, c: number): void {
    const { at } = this;
    this.queue.push('unaryGrad', codeOf(UNARY_CODES, fn.name), dX.length, at(x), at(y), at(dY), at(dX), c);
  }

  binary(
    fn: BinaryFn,
    a: Buf,
    b: Buf,
    y: Buf,
    shape: Shape,
    stridesA: readonly number[],
    stridesB: readonly number[],
  ): void {
    const { at } = this;
    const axes = fewAxes(shape, stridesA, stridesB);
    const code = codeOf(BINARY_CODES, fn.name);
    this.queue.push('binary', code, axes.shape.length, ...axes.shape, ...axes.strides.flat(), at(a), at(b), at(y));
  }

  where(condition: Buf, a: Buf, b: Buf, y: Buf): void {
    const { at } = this;
    this.queue.push('where', y.length, at(condition), at(a), at(b), at(y));
  }

  reduce(fn: 'sum' | 'max' | 'min', x: Buf, y: Buf, outer: number, size: number, inner: number): void {
    this.queue.push('reduce', codeOf(REDUCE_CODES, fn), outer, size, inner, this.at(x), this.at(y));
  }

  argmax(x: Buf, y: Buf, rows: number, cols: number): void {
    this.queue.push('argmax', rows, cols, this.at(x), this.ids(y));
  }

  matmul(call: MatmulCall): void {
    const { at } = this;
    const { m, n, k, transposeA, transposeB, batch, strideA, strideB, bias } = call;
    const sizes = [m, n, k, Number(transposeA), Number(transposeB), batch, strideA, strideB];
    this.queue.push('matmul', ...sizes, at(call.a), at(call.b), at(call.y), bias === undefined ? -1 : at(bias));
  }

  softmax(x: Buf, y: Buf, rows: number, cols: number): void {
    this.queue.push('softmax', rows, cols, this.at(x), this.at(y));
  }

  softmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
    this.queue.push('softmaxGrad', rows, cols, this.at(y), this.at(dY), this.at(dX));
  }

  logSoftmax(x: Buf, y: Buf, rows: number, cols: number): void {
    this.queue.push('logSoftmax', rows, cols, this.at(x), this.at(y));
  }

  logSoftmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
    this.queue.push('logSoftmaxGrad', rows, cols, this.at(y), this.at(dY), this.at(dX));
  }

  layerNorm(
    x: Buf,
    gamma: Buf,
    beta: Buf,
    y: Buf,
    mean: Buf,
    rstd: Buf,
    rows: number,
    cols: number,
    eps: number,
  ): void {
    const { at } = this;
    this.queue.push('layerNorm', rows, cols, at(x), at(gamma), at(beta), at(y), at(mean), at(rstd), eps);
  }

  layerNormGrad(
    x: Buf,
    gamma: Buf,
    mean: Buf,
    rstd: Buf,
    dY: Buf,
    dX: Buf,
    dGamma: Buf,
    dBeta: Buf,
    rows: number,
    cols: number,
  ): void {
    const { at } = this;
    const gradients = [at(dX), at(dGamma), at(dBeta)];
    this.queue.push('layerNormGrad', rows, cols, at(x), at(gamma), at(mean), at(rstd), at(dY), ...gradients);
  }

  crossEntropy(logits: Buf, labels: Buf, losses: Buf, lse: Buf, rows: number, cols: number, ignoreIndex: number): void {
    const { at, ids } = this;
    this.queue.push('crossEntropy', rows, cols, ignoreIndex, at(logits), ids(labels), at(losses), at(lse));
  }

  crossEntropyGrad(
    logits: Buf,
    labels: Buf,
    lse: Buf,
    dLosses: Buf,
    dLogits: Buf,
    rows: number,
    cols: number,
    ignoreIndex: number,
  ): void {
    const { at, ids } = this;
    const bufs = [at(logits), ids(labels), at(lse), at(dLosses), at(dLogits)];
    this.queue.push('crossEntropyGrad', rows, cols, ignoreIndex, ...bufs);
  }

  gather(table: Buf, ids: Buf, y: Buf, rows: number, width: number): void {
    const tableRows = width === 0 ? 0 : Math.floor(table.length / width);
    this.queue.push('gather', rows, width, tableRows, this.at(table), this.ids(ids), this.at(y));
  }

  scatterAdd(ids: Buf, dY: Buf, dTable: Buf, rows: number, width: number, tableRows: number): void {
    this.queue.push('scatterAdd', rows, width, tableRows, this.ids(ids), this.at(dY), this.at(dTable));
  }

  dropout(x: Buf, y: Buf, rows: number, cols: number, rate: number, key: RandomKey): void {
    this.queue.push('dropout', rows, cols, rate, ...keyWords(key), this.at(x), this.at(y));
  }

  attention(call: AttentionCall, y: Buf, lse: Buf): void {
    this.queue.push('attention', ...this.attentionWords(call), this.at(y), this.at(lse));
  }

  attentionGrad(call: AttentionCall, y: Buf, lse: Buf, dY: Buf, dQ: Buf, dK: Buf, dV: Buf): void {
    const { at } = this;
    this.queue.push('attentionGrad', ...this.attentionWords(call), at(y), at(lse), at(dY), at(dQ), at(dK), at(dV));
  }

  sumSquares(x: Buf, out: Buf): void {
    this.queue.push('sumSquares', x.length, this.at(x), this.at(out));
  }

  adamw(call: AdamWCall): void {
    const { at } = this;
    const { gradScale, maxNorm, lr, beta1, beta2, eps, weightDecay, correction1, correction2 } = call;
    const constants = [gradScale, maxNorm, lr, beta1, beta2, eps, weightDecay, correction1, correction2];
    const bufs = [at(call.param), at(call.m), at(call.v), at(call.grad), at(call.sumSquares)];
    this.queue.push('adamw', call.param.length, ...constants, ...bufs);
  }

  private attentionWords(call: AttentionCall): readonly number[] {
    const { at } = this;
    const { rows, sequences, heads, headDim, maxSeq, scale } = call;
    const { rate, key } = call.dropout ?? NO_DROPOUT;
    const bufs = [at(call.q), at(call.k), at(call.v), at(call.keyBias), this.ids(call.offsets)];
    return [rows, sequences, heads, headDim, maxSeq, scale, rate, ...keyWords(key), ...bufs];
  }
}

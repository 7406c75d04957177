import { DtypeError } from '../../core/errors.js';
import type { RandomKey } from '../../core/random.js';
import { numel, type Shape } from '../../core/shape.js';
import type {
  AdamWCall,
  AttentionCall,
  Backend,
  BinaryFn,
  Buf,
  CrossEntropyInPlaceCall,
  Kernels,
  MatmulCall,
  Precision,
  UnaryFn,
  Walk,
} from '../backend.js';
import { checkInt8 } from '../precision.js';
import { fewAxes, reach } from './axes.js';
import { BINARY_CODES, EPILOGUE_CODES, PRECISION_CODES, REDUCE_CODES, UNARY_CODES } from './codes.js';
import type { NativeMemory } from './memory.js';
import { NO_DROPOUT, NONE, NormKernels } from './norm-kernels.js';
import type { Queue } from './queue.js';

function codeOf(codes: ReadonlyMap<string, number>, name: string): number {
  const code = codes.get(name);
  if (code === undefined) throw new DtypeError(`native: no function "${name}"; native/kernels.h lists those there are`);
  return code;
}

/** In place of an offset: no such buffer. */
const NOWHERE = -1;
/** A packed matrix is filled up to whole tiles, and none is wider than this (native/gemm.inl). */
const STRIP = 64;
const precisionCode = (precision: Precision = 'f32'): number => PRECISION_CODES.get(precision) as number;

/**
 * Every kernel as one command: where its buffers lie, sizes and constants, in the order of native/kernels.h. Nothing is
 * computed here, but each buffer is held against the size that the kernel will use.
 */
export class NativeKernels extends NormKernels implements Kernels {
  constructor(
    memory: NativeMemory,
    queue: Queue,
    private readonly multipliers: NonNullable<Backend['multipliers']>,
  ) {
    super(memory, queue);
  }

  fill(y: Buf, value: number): void {
    const n = y.length;
    if (y.dtype === 'i32') this.queue.push('fillI32', this.ids(y, n), n, value | 0);
    else this.queue.push('fill', this.at(y, n), n, value);
  }

  copy(x: Buf, y: Buf, shape: Shape, from: Walk, to: Walk): void {
    if (numel(shape) === 0) return;
    const at = x.dtype === 'i32' ? this.ids : this.at; // y must be of the same type
    const bufs = [at(x, reach(shape, from)), at(y, reach(shape, to))];
    const { shape: axes, strides } = fewAxes(shape, from.strides, to.strides);
    this.queue.push('copy', ...bufs, axes.length, ...axes, from.offset, ...strides[0], to.offset, ...strides[1]);
  }

  accumulate(x: Buf, y: Buf): void {
    const n = y.length;
    this.queue.push('accumulate', this.at(x, n), this.at(y, n), n);
  }

  unary(fn: UnaryFn, x: Buf, y: Buf, c: number): void {
    const n = y.length;
    this.queue.push('unary', codeOf(UNARY_CODES, fn.name), this.at(x, n), this.at(y, n), n, c);
  }

  unaryGrad(fn: UnaryFn, x: Buf, y: Buf, dY: Buf, dX: Buf, c: number): void {
    const { at } = this;
    const n = dX.length;
    this.queue.push('unaryGrad', codeOf(UNARY_CODES, fn.name), at(x, n), at(y, n), at(dY, n), at(dX, n), n, c);
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
    const n = numel(shape);
    if (n === 0) return;
    const code = codeOf(BINARY_CODES, fn.name);
    const places = [
      this.at(a, reach(shape, { offset: 0, strides: stridesA })),
      this.at(b, reach(shape, { offset: 0, strides: stridesB })),
      this.at(y, n),
    ];
    const { shape: axes, strides } = fewAxes(shape, stridesA, stridesB);
    this.queue.push('binary', code, ...places, axes.length, ...axes, ...strides[0], ...strides[1]);
  }

  where(condition: Buf, a: Buf, b: Buf, y: Buf): void {
    const { at } = this;
    const n = y.length;
    this.queue.push('where', at(condition, n), at(a, n), at(b, n), at(y, n), n);
  }

  reduce(fn: 'sum' | 'max' | 'min', x: Buf, y: Buf, outer: number, size: number, inner: number): void {
    const places = [this.at(x, outer * size * inner), this.at(y, outer * inner)];
    this.queue.push('reduce', codeOf(REDUCE_CODES, fn), ...places, outer, size, inner);
  }

  argmax(x: Buf, y: Buf, rows: number, cols: number): void {
    this.queue.push('argmax', this.at(x, rows * cols), this.ids(y, rows), rows, cols);
  }

  matmul(call: MatmulCall): void {
    const { at } = this;
    const { m, n, k, transposeA, transposeB, batch, strideA, strideB, precision } = call;
    if (precision === 'int8') checkInt8(call);
    const transposes = [Number(transposeA), Number(transposeB)];
    const last = batch - 1;
    const a = at(call.a, batch === 0 ? 0 : last * strideA + m * k);
    const b = at(call.b, batch === 0 ? 0 : last * strideB + k * n);
    const y = at(call.y, batch * m * n);
    const given = (buf: Buf | undefined, count: number): number => (buf === undefined ? NOWHERE : at(buf, count));
    const packed = given(call.packed, this.packedLength(k, n, precision));
    const [kind, fn, x] = this.epilogueWords(call.epilogue, batch * m * n);
    const rest = [given(call.bias, n), kind, fn, x, given(call.sums, m), packed, precisionCode(precision)];
    this.queue.push('matmul', a, b, y, m, n, k, ...transposes, batch, strideA, strideB, ...rest);
  }

  private epilogueWords(epilogue: MatmulCall['epilogue'], length: number): readonly [number, number, number] {
    if (epilogue === undefined) return [0, 0, NOWHERE];
    const kind = EPILOGUE_CODES.get(epilogue.kind) as number;
    if (epilogue.kind === 'add') return [kind, 0, NOWHERE];
    const x = epilogue.kind === 'slope' ? epilogue.x : epilogue.pre;
    return [kind, codeOf(UNARY_CODES, epilogue.fn.name), x === undefined ? NOWHERE : this.at(x, length)];
  }

  packedLength(k: number, n: number, precision: Precision = 'f32'): number {
    // Bytes are laid out in words of four, with a scale and a sum for each column; bf16 numbers in pairs, or as floats.
    if (precision === 'int8') return (Math.ceil(k / 4) + 2) * (n + STRIP);
    return (precision === 'bf16' && this.multipliers.bf16 !== null ? Math.ceil(k / 2) : k) * (n + STRIP);
  }

  pack(b: Buf, y: Buf, k: number, n: number, transposeB: boolean, precision?: Precision): void {
    const places = [this.at(b, k * n), this.at(y, this.packedLength(k, n, precision))];
    this.queue.push('pack', precisionCode(precision), ...places, k, n, Number(transposeB));
  }

  unpack(packed: Buf, b: Buf, k: number, n: number, transposeB: boolean): void {
    const places = [this.at(packed, this.packedLength(k, n)), this.at(b, k * n)];
    this.queue.push('unpack', ...places, k, n, Number(transposeB));
  }

  softmax(x: Buf, y: Buf, rows: number, cols: number): void {
    const n = rows * cols;
    this.queue.push('softmax', this.at(x, n), this.at(y, n), rows, cols);
  }

  softmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
    const n = rows * cols;
    this.queue.push('softmaxGrad', this.at(y, n), this.at(dY, n), this.at(dX, n), rows, cols);
  }

  logSoftmax(x: Buf, y: Buf, rows: number, cols: number): void {
    const n = rows * cols;
    this.queue.push('logSoftmax', this.at(x, n), this.at(y, n), rows, cols);
  }

  logSoftmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void {
    const n = rows * cols;
    this.queue.push('logSoftmaxGrad', this.at(y, n), this.at(dY, n), this.at(dX, n), rows, cols);
  }

  crossEntropy(logits: Buf, labels: Buf, losses: Buf, lse: Buf, rows: number, cols: number, ignoreIndex: number): void {
    const { at } = this;
    const ids = this.checkedIds(labels, rows, cols, ignoreIndex);
    const places = [at(logits, rows * cols), ids, at(losses, rows), at(lse, rows)];
    this.queue.push('crossEntropy', ...places, rows, cols, ignoreIndex);
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
    const { at } = this;
    const n = rows * cols;
    const ids = this.checkedIds(labels, rows, cols, ignoreIndex);
    const places = [at(logits, n), ids, at(lse, rows), at(dLosses, rows), at(dLogits, n)];
    this.queue.push('crossEntropyGrad', ...places, rows, cols, ignoreIndex);
  }

  crossEntropyInPlace(call: CrossEntropyInPlaceCall): void {
    const { at } = this;
    const { rows, cols, ignoreIndex, scale } = call;
    const ids = this.checkedIds(call.labels, rows, cols, ignoreIndex);
    const places = [at(call.logits, rows * cols), ids, at(call.results, 2 * rows), at(call.sums, cols)];
    this.queue.push('crossEntropyInPlace', ...places, rows, cols, ignoreIndex, scale);
  }

  gather(table: Buf, ids: Buf, y: Buf, rows: number, width: number): void {
    const index = this.checkedIds(ids, rows, width === 0 ? NONE : Math.floor(table.length / width), NONE);
    this.queue.push('gather', this.at(table, 0), index, this.at(y, rows * width), rows, width);
  }

  scatterAdd(ids: Buf, dY: Buf, dTable: Buf, rows: number, width: number, tableRows: number): void {
    const index = this.checkedIds(ids, rows, tableRows, NONE);
    const places = [index, this.at(dY, rows * width), this.at(dTable, tableRows * width)];
    this.queue.push('scatterAdd', ...places, rows, width, tableRows);
  }

  dropout(x: Buf, y: Buf, rows: number, cols: number, rate: number, key: RandomKey): void {
    const n = rows * cols;
    this.queue.push('dropout', this.at(x, n), this.at(y, n), rows, cols, rate, ...this.keyWords(key));
  }

  attention(call: AttentionCall, y: Buf, lse: Buf): void {
    const { queryRows, heads, headDim } = call;
    const outputs = [this.at(y, queryRows * heads * headDim), this.at(lse, queryRows * heads)];
    this.queue.push('attention', Number(call.precision === 'bf16'), ...this.attentionWords(call), ...outputs);
  }

  attentionGrad(call: AttentionCall, y: Buf, lse: Buf, dY: Buf, dQ: Buf, dK: Buf, dV: Buf): void {
    const { at } = this;
    const { rows, queryRows, heads, headDim } = call;
    const [n, m] = [rows * heads * headDim, queryRows * heads * headDim];
    const places = [at(y, m), at(lse, queryRows * heads), at(dY, m), at(dQ, m), at(dK, n), at(dV, n)];
    this.queue.push('attentionGrad', ...this.attentionWords(call), ...places);
  }

  sumSquares(x: Buf, out: Buf): void {
    this.queue.push('sumSquares', this.at(x, x.length), x.length, this.at(out, 1));
  }

  adamw(call: AdamWCall): void {
    const { at } = this;
    const { gradScale, maxNorm, lr, beta1, beta2, eps, weightDecay, correction1, correction2 } = call;
    const n = call.param.length;
    const places = [at(call.param, n), at(call.m, n), at(call.v, n), at(call.grad, n), at(call.sumSquares, 1)];
    const { queue } = this;
    const rates = [gradScale, maxNorm, queue.live('lr', lr), beta1, beta2, eps, weightDecay];
    const corrections = [queue.live('correction1', correction1), queue.live('correction2', correction2)];
    queue.push('adamw', ...places, n, ...rates, ...corrections);
  }

  private attentionWords(call: AttentionCall): readonly number[] {
    const { at } = this;
    const { queries, rows, queryRows, sequences, heads, headDim, maxSeq, scale } = call;
    const { rate, key } = call.dropout ?? NO_DROPOUT;
    const n = rows * heads * headDim;
    const bufs = [at(call.q, queryRows * heads * headDim), at(call.k, n), at(call.v, n), at(call.keyBias, rows)];
    const offsets = this.ids(call.offsets, sequences + 1);
    const starts = queries === null ? offsets : this.ids(queries.offsets, sequences + 1);
    const places = queries === null ? 0 : this.ids(queries.places, queryRows);
    const some = [Number(queries !== null), offsets, starts, places];
    return [...bufs, ...some, rows, queryRows, sequences, heads, headDim, maxSeq, scale, rate, ...this.keyWords(key)];
  }
}

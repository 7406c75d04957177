import type { DType, FloatDType, TypedData } from '../core/dtype.js';
import type { RandomKey } from '../core/random.js';
import type { Shape } from '../core/shape.js';
import type { CallLog } from './trace.js';

/** Memory of a backend: contiguous, row-major, opaque to everyone but the backend that made it. */
export interface Buf {
  readonly dtype: DType;
  /** Number of elements. */
  readonly length: number;
}

/** An elementwise function of one input; `c` is its constant, where it has one. A row of `ops/elementwise.ts`. */
export interface UnaryFn {
  readonly name: string;
  /** y = f(x). */
  js(x: number, c: number): number;
  /** f'(x), which may use y = f(x). */
  dJs(x: number, y: number, c: number): number;
}

/** An elementwise function of two inputs. */
export interface BinaryFn {
  readonly name: string;
  js(a: number, b: number): number;
}

/** How a kernel walks a buffer: element (i0, i1, ...) lies at offset + sum of i * stride. Stride 0 repeats. */
export interface Walk {
  readonly offset: number;
  readonly strides: readonly number[];
}

/**
 * Numbers that products multiply:
 * - `f32`: floats;
 * - `bf16`: both operands rounded to the nearest number with 8 significant bits, ties to even, sums in f32. Subnormal
 *   numbers may count as 0;
 * - `int8`: each column of op(b) rounded to -127 .. 127 times a scale, each row of op(a) to 0 .. 255, less an integer,
 *   times a scale; sums are integers, exact and the same on every backend (`js/int8.ts`). For inference: a not
 *   transposed, one b under all of it, k up to 65,536, no `sums`. A row or column that is not finite gives NaN.
 */
export type Precision = 'f32' | 'bf16' | 'int8';

/**
 * What a product's elements go through before they are stored, while they are still in registers. With t an element of
 * op(a) op(b) + bias:
 * - `activate`: y = fn(t), and `pre` [batch, m, n], where given, receives t: what the gradient will ask for;
 * - `slope`: y = t fn'(x), x [batch, m, n] being what fn was applied to: dOut times weights becomes the gradient of x;
 * - `add`: y += t, where y holds a gradient that is summed over several calls.
 * fn is gelu, geluTanh or relu, functions whose slope needs x alone.
 */
export type Epilogue =
  | { readonly kind: 'activate'; readonly fn: UnaryFn; readonly pre?: Buf }
  | { readonly kind: 'slope'; readonly fn: UnaryFn; readonly x: Buf }
  | { readonly kind: 'add' };

/** y[b] = op(a[b]) op(b[b]) (+ bias) for every b of the batch, through the epilogue; op transposes or not. */
export interface MatmulCall {
  /** [batch, m, k], or [batch, k, m] when `transposeA`. */
  readonly a: Buf;
  /** [batch, k, n], or [batch, n, k] when `transposeB`. */
  readonly b: Buf;
  /** [batch, m, n]. */
  readonly y: Buf;
  /** [n], added to every row; absent: nothing is added. */
  readonly bias?: Buf;
  readonly epilogue?: Epilogue;
  /** [m]: receives the sum over k of each row of op(a) (a bias's gradient); added to, with `add`. For a batch of 1. */
  readonly sums?: Buf;
  /** What `pack` made of b in the same precision, for many products with one matrix. For strideB 0; in f32 b may be any buffer then. */
  readonly packed?: Buf;
  /** Absent: f32. */
  readonly precision?: Precision;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly batch: number;
  /** Elements from one matrix of the batch to the next; 0 reads the same matrix again. */
  readonly strideA: number;
  readonly strideB: number;
}

/** A product that a program will run: [m, k] by [k, n]. */
export type ProductSize = Pick<MatmulCall, 'm' | 'n' | 'k'>;

/**
 * Multi-head attention over sequences laid end to end. Sequence s occupies rows offsets[s] .. offsets[s + 1] - 1 of
 * k and v, both [rows, heads * headDim]; head h occupies columns h * headDim .. (h + 1) * headDim - 1. Its queries are
 * the same rows of q and y, or those that `queries` names.
 */
export interface AttentionCall {
  readonly q: Buf;
  readonly k: Buf;
  readonly v: Buf;
  /** [rows]: added to every score of that key: 0 keeps it, -10000 hides it. */
  readonly keyBias: Buf;
  /** i32 [sequences + 1], rising from 0 to rows. */
  readonly offsets: Buf;
  /** Where not every row asks: q, y [queryRows, heads * headDim] and lse [queryRows, heads] hold those alone. */
  readonly queries: {
    /** i32 [sequences + 1], rising from 0 to queryRows. */
    readonly offsets: Buf;
    /** i32 [queryRows]: which row of its sequence a query is, from 0. */
    readonly places: Buf;
  } | null;
  readonly rows: number;
  /** `rows` where every row asks. */
  readonly queryRows: number;
  readonly sequences: number;
  readonly heads: number;
  readonly headDim: number;
  /** The longest sequence. */
  readonly maxSeq: number;
  readonly scale: number;
  /** Dropout on the probabilities: row (s * heads + h) * maxSeq + i of its random numbers belongs to the query at place i. */
  readonly dropout: { readonly rate: number; readonly key: RandomKey } | null;
  /** bf16: on the way forward both products may round what they multiply, where that is faster. Absent: f32. */
  readonly precision?: Exclude<Precision, 'int8'>;
}

/** Dropout within a fused kernel: row i draws the random numbers of row i of the key's tensor, or of row rows[i]. */
export interface RowDropout {
  readonly rate: number;
  readonly key: RandomKey;
  /** i32 [rows] for rows taken out of a larger tensor; null: they are all of it, in order. */
  readonly rows: Buf | null;
}

/** LayerNorm over rows of a sum that is never stored: x (through dropout, where there is any) + residual. */
export interface ResidualNormCall {
  readonly x: Buf;
  readonly residual: Buf;
  readonly gamma: Buf;
  readonly beta: Buf;
  readonly rows: number;
  readonly cols: number;
  readonly eps: number;
  readonly dropout: RowDropout | null;
}

/** LayerNorm over sums of a row from each of three tables, dropout behind it. */
export interface EmbeddingNormCall {
  /** [entries, cols] each. */
  readonly tables: readonly [words: Buf, positions: Buf, types: Buf];
  /** i32 [rows] each: which row of its table. */
  readonly ids: readonly [words: Buf, positions: Buf, types: Buf];
  readonly gamma: Buf;
  readonly beta: Buf;
  readonly rows: number;
  readonly cols: number;
  readonly eps: number;
  readonly dropout: RowDropout | null;
}

/** Cross-entropy of rows of logits that become their own gradient: nothing reads them as logits afterwards. */
export interface CrossEntropyInPlaceCall {
  /** [rows, cols]: logits; afterwards scale * (softmax - [c = label]), 0 in ignored rows. */
  readonly logits: Buf;
  /** i32 [rows] */
  readonly labels: Buf;
  /** [2, rows]: scale * loss; 1 where the label has the largest logit (the first one of equals). 0 in ignored rows. */
  readonly results: Buf;
  /** [cols]: sums of the gradient over all rows. */
  readonly sums: Buf;
  readonly rows: number;
  readonly cols: number;
  readonly ignoreIndex: number;
  readonly scale: number;
}

/** One AdamW update of a flat run of parameters, moments included, in place. */
export interface AdamWCall {
  readonly param: Buf;
  readonly grad: Buf;
  /** First moment. */
  readonly m: Buf;
  /** Second moment. */
  readonly v: Buf;
  /** [1]: sum of the squares of all gradients of the model, before `gradScale`. */
  readonly sumSquares: Buf;
  /** Multiplies every gradient first (1 / number of micro-batches, or 1). */
  readonly gradScale: number;
  /** Gradients are scaled down so that their global norm is at most this; Infinity: never. */
  readonly maxNorm: number;
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** 1 / (1 - beta1^t) and 1 / (1 - beta2^t); both 1 without bias correction. */
  readonly correction1: number;
  readonly correction2: number;
}

/**
 * What a backend computes. Inputs are never written, outputs never alias an input and need not be initialised; only
 * `accumulate`, `scatterAdd`, `crossEntropyInPlace` and `adamw` update in place. Shapes have been checked by the op: kernels trust them.
 * Sums are taken in an order fixed by the shape alone, so any number of threads gives the same bits, and an element
 * of a row does not depend on the other rows. `rows` and `cols` see a tensor as [rows, cols].
 */
export interface Kernels {
  /** y[i] = value. */
  fill(y: Buf, value: number): void;
  /** y at `to` = x at `from`, for every index of `shape`: permute, slice, concat and expand. */
  copy(x: Buf, y: Buf, shape: Shape, from: Walk, to: Walk): void;
  /** y += x. */
  accumulate(x: Buf, y: Buf): void;
  /** y = fn(x). */
  unary(fn: UnaryFn, x: Buf, y: Buf, c: number): void;
  /** dX = dY * fn'(x, y). */
  unaryGrad(fn: UnaryFn, x: Buf, y: Buf, dY: Buf, dX: Buf, c: number): void;
  /** y = fn(a, b), each read with its strides over `shape`. */
  binary(
    fn: BinaryFn,
    a: Buf,
    b: Buf,
    y: Buf,
    shape: Shape,
    stridesA: readonly number[],
    stridesB: readonly number[],
  ): void;
  /** y = condition != 0 ? a : b; all four have one shape. */
  where(condition: Buf, a: Buf, b: Buf, y: Buf): void;
  /** x [outer, size, inner] -> y [outer, inner]. */
  reduce(fn: 'sum' | 'max' | 'min', x: Buf, y: Buf, outer: number, size: number, inner: number): void;
  /** y[r] = index of the largest x[r, :], the first one of equals; y is i32. */
  argmax(x: Buf, y: Buf, rows: number, cols: number): void;
  matmul(call: MatmulCall): void;
  /** Elements that `pack` needs for op(b) [k, n]; 0 where matmul reads b best as it is, and `pack` need not be called. */
  packedLength(k: number, n: number, precision?: Precision): number;
  /** y = op(b) in the order in which this backend's matmul reads it: pays where b meets few rows a call, many times. */
  pack(b: Buf, y: Buf, k: number, n: number, transposeB: boolean, precision?: Precision): void;
  /** b = what `pack` made the f32 matrix `packed` of, bit for bit. */
  unpack(packed: Buf, b: Buf, k: number, n: number, transposeB: boolean): void;
  softmax(x: Buf, y: Buf, rows: number, cols: number): void;
  /** dX = y * (dY - sum(dY * y)). */
  softmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void;
  logSoftmax(x: Buf, y: Buf, rows: number, cols: number): void;
  /** dX = dY - exp(y) * sum(dY). */
  logSoftmaxGrad(y: Buf, dY: Buf, dX: Buf, rows: number, cols: number): void;
  /** y = (x - mean) * rstd * gamma + beta; mean and rstd [rows] are kept for the gradient. Biased variance. */
  layerNorm(x: Buf, gamma: Buf, beta: Buf, y: Buf, mean: Buf, rstd: Buf, rows: number, cols: number, eps: number): void;
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
  ): void;
  /** losses[r] = lse[r] - logits[r, labels[r]], 0 where labels[r] = ignoreIndex; lse[r] = log sum exp. */
  crossEntropy(logits: Buf, labels: Buf, losses: Buf, lse: Buf, rows: number, cols: number, ignoreIndex: number): void;
  /** dLogits[r, c] = dLosses[r] * (exp(logits[r, c] - lse[r]) - [c = labels[r]]), 0 in ignored rows. */
  crossEntropyGrad(
    logits: Buf,
    labels: Buf,
    lse: Buf,
    dLosses: Buf,
    dLogits: Buf,
    rows: number,
    cols: number,
    ignoreIndex: number,
  ): void;
  /** Loss, hits and gradient in one visit to each row, while it is in a cache. */
  crossEntropyInPlace(call: CrossEntropyInPlaceCall): void;
  /** y = LayerNorm(dropout(x) + residual); mean and rstd [rows] of the sum are kept for the gradient. */
  residualNorm(call: ResidualNormCall, y: Buf, mean: Buf, rstd: Buf): void;
  /** The sum is computed again, with the same random numbers: dResidual is its gradient, dX what dropout leaves of it. */
  residualNormGrad(
    call: ResidualNormCall,
    mean: Buf,
    rstd: Buf,
    dY: Buf,
    dX: Buf,
    dResidual: Buf,
    dGamma: Buf,
    dBeta: Buf,
  ): void;
  /** y = dropout(LayerNorm(words[ids] + types[ids] + positions[ids])); mean and rstd [rows] as above. */
  embeddingNorm(call: EmbeddingNormCall, y: Buf, mean: Buf, rstd: Buf): void;
  /** dSum [rows, cols]: the gradient of a sum, which is that of all three rows it was taken of. */
  embeddingNormGrad(call: EmbeddingNormCall, mean: Buf, rstd: Buf, dY: Buf, dSum: Buf, dGamma: Buf, dBeta: Buf): void;
  /** y[r, :] = table[ids[r], :]. */
  gather(table: Buf, ids: Buf, y: Buf, rows: number, width: number): void;
  /** dTable[ids[r], :] += dY[r, :], in rising order of r: no update is lost and the sum is deterministic. */
  scatterAdd(ids: Buf, dY: Buf, dTable: Buf, rows: number, width: number, tableRows: number): void;
  /** y = x / (1 - rate) where kept, else 0 (`core/random.ts`, `randomRow`); its own gradient kernel. */
  dropout(x: Buf, y: Buf, rows: number, cols: number, rate: number, key: RandomKey): void;
  /** y = softmax(scale q k^T + keyBias) v per sequence and head; lse [queryRows, heads] is kept for the gradient. */
  attention(call: AttentionCall, y: Buf, lse: Buf): void;
  /** Probabilities are computed again from lse, so none of [seq, seq] size is ever stored. */
  attentionGrad(call: AttentionCall, y: Buf, lse: Buf, dY: Buf, dQ: Buf, dK: Buf, dV: Buf): void;
  /** out[0] = sum of x[i]^2. */
  sumSquares(x: Buf, out: Buf): void;
  adamw(call: AdamWCall): void;
}

/** What may differ from one run of a recording to the next, besides the content of its inputs. */
export interface Moment {
  /** In place of the step of every `RandomKey`. */
  readonly step: number;
  /** In place of the same numbers of every `AdamWCall`. */
  readonly lr: number;
  readonly correction1: number;
  readonly correction2: number;
}

/** Kernels that were enqueued once, in memory of their own, to be run again and again. */
export interface Recording {
  /** What was uploaded while it was made: memory that may be written before each run. */
  readonly inputs: ReadonlyMap<TypedData, Buf>;
  /** Runs all of its kernels, after all that was enqueued. Results lie in buffers that were there before. */
  run(moment: Moment): void;
  /** Gives its memory back. */
  free(): void;
}

/** Rates that no kernel on a device can exceed, measured with kernels that do nothing else. */
export interface DeviceRoofs {
  /** GFLOP/s of multiply-adds in registers. */
  multiplyAdds(): Promise<number>;
  /** GB/s of copying within so many bytes; absent: the backend's own `copy` is the best there is. */
  copy?(bytes: number): Promise<number>;
}

/**
 * A place where tensors live and kernels run. Kernel calls enqueue and return at once; `read` waits for them.
 * Freed memory may be handed out again at once: kernels run in the order of the calls.
 */
export interface Backend {
  readonly name: string;
  /** What really executes, for people and for benchmark reports: "avx512, 2 threads". */
  readonly runsOn: string;
  /** Element type of float tensors when the user names none. */
  readonly float: FloatDType;
  readonly kernels: Kernels;
  /** Bytes in buffers that have not been freed. */
  readonly liveBytes: number;
  /** The most `liveBytes` has been. */
  readonly peakBytes: number;
  /** Uninitialised memory. @throws {BackendError} out of memory; {DtypeError} a type this backend has not */
  alloc(length: number, dtype: DType): Buf;
  upload(data: TypedData): Buf;
  /** Replaces a buffer's content, after all kernels enqueued so far. */
  write(buf: Buf, data: TypedData): void;
  read(buf: Buf): Promise<TypedData>;
  /** A window of a buffer. It keeps the memory alive and is freed like any buffer. */
  view(buf: Buf, offset: number, length: number): Buf;
  /** Lets the system have memory that is free: after much was freed that will not be wanted again. Absent: it has it. */
  trim?(): void;
  /** Called by scope, by the tape and by `ops/scratch.ts` alone. @throws {BackendError} when already freed */
  free(buf: Buf): void;
  /**
   * Records what `body` enqueues, and runs nothing of it yet: the same kernels in the same order, so the same bits.
   * `body` frees all buffers that it allocates, uploads no array twice and reads none. Absent: this backend cannot.
   * @param lent buffers that `body` writes before it reads them: until then they may hold anything, and after that they
   *   must lie where they are as long as the recording
   */
  record?(body: () => void, lent?: readonly Buf[]): Recording;
  /** Whether a recording lays its own buffers into memory that is lent to it, and so takes less. */
  readonly borrows?: boolean;
  /** Waits until all enqueued kernels have run. */
  flush(): Promise<void>;
  /** Kernels are timed while it holds a trace; with null, nothing is paid. Absent: this backend cannot. */
  trace?: CallLog | null;
  /** Measured GFLOP/s of multiply-adds in registers: what no kernel can exceed. Takes a part of a second. */
  readonly fmaPeak?: (threads?: number, precision?: Precision) => number;
  /** Measured GB/s of the fastest way to move memory over and over within so many bytes. Takes some tenths of a second. */
  readonly movePeak?: (bytes: number) => number;
  /** Both on a device, which has to be waited for. */
  readonly deviceRoofs?: DeviceRoofs;
  /** How much it has chosen by trials, and where that is kept: words for people. */
  readonly trials?: string;
  /** What a device sets limits to, in bytes, in words for people. */
  readonly limits?: Readonly<Record<string, number>>;
  /** The instruction that multiplies numbers of fewer bits; null where there is none, and f32 is as fast or faster. */
  readonly multipliers?: Readonly<Record<Exclude<Precision, 'f32'>, string | null>>;
}

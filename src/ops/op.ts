import type { Backend, Buf } from '../backend/backend.js';
import type { DType } from '../core/dtype.js';
import type { Shape } from '../core/shape.js';
import type { Factor } from './factor.js';

/** A tensor as ops see it: memory and shape, no history. */
export interface Arg {
  readonly buf: Buf;
  readonly shape: Shape;
  readonly dtype: DType;
  /** How products multiply it, where they do and it is not as a float. */
  readonly factor?: Factor | null;
}

/** What a learner reads, and the gradient check proves. */
export interface OpDoc {
  readonly formula: string;
  readonly gradient: string;
  /** Why it is done this way, in English and Chinese. */
  readonly why: { readonly en: string; readonly zh: string };
  readonly source: string;
}

/** Work of one call: multiply and add count as two flops; bytes count each operand once (f32). */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** An input of a sample: its shape, and where its values come from when not from the sample's range. */
export interface SampleInput {
  readonly shape: Shape;
  /** Integer ids in 0 .. ids - 1 (i32 input). */
  readonly ids?: number;
  /** Exact values. */
  readonly values?: readonly number[];
  /** Uniform values in [low, high]. */
  readonly range?: readonly [low: number, high: number];
  /** Index of an earlier input that this one is: the same tensor twice. */
  readonly same?: number;
  /** Values 0.02 apart, none nearer to 0 than 0.02 times this (up to 0.5): for functions with kinks and for maxima. */
  readonly apart?: number;
}

/** One case to test, benchmark and show: inputs and attributes. Default range [-2, 2]. */
export interface Sample<Attrs> {
  /** Which of the sample classes it is: "scalar", "odd", "broadcast", "bert". */
  readonly name: string;
  readonly inputs: readonly (SampleInput | Shape)[];
  readonly attrs: Attrs;
  /** False where finite differences say nothing: ties, kinks, magnitudes that swamp them. */
  readonly smooth?: false;
}

/** Sizes that a BERT asks of its ops. */
export interface BertSizes {
  readonly batch: number;
  readonly seq: number;
  /** batch * seq: rows of every activation. */
  readonly tokens: number;
  readonly hidden: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly vocab: number;
  /** Places whose word is predicted. */
  readonly masked: number;
}

/** What an op is benchmarked at. */
export interface Workload<Attrs> {
  /** What each size counts: "rows", "in", "out". */
  readonly axes: readonly string[];
  /** Inputs and attributes of these sizes. */
  at(sizes: readonly number[]): Omit<Sample<Attrs>, 'name'>;
  /** Where a BERT meets it, and at what sizes. */
  bert(sizes: BertSizes): readonly (readonly [where: string, sizes: readonly number[]])[];
}

/** Inputs that must be refused. */
export interface BadSample<Attrs> {
  readonly name: string;
  readonly inputs: readonly (SampleInput | Shape)[];
  readonly attrs: Attrs;
}

/** Says that an op has no gradient, and why. */
export interface NotDifferentiable {
  readonly reason: string;
}
export const notDifferentiable = (reason: string): NotDifferentiable => ({ reason });

/** A computation inside a backward pass: kernels of its own, no gradient of its own, tested through its op. */
export interface GradOp<Attrs extends object = object> {
  readonly name: string;
  /** Shapes of all outputs. */
  shapes(inputs: readonly Shape[], attrs: Attrs): readonly Shape[];
  forward(backend: Backend, inputs: readonly Arg[], outs: readonly Arg[], attrs: Attrs): void;
}

/** Memory in which a step of the walk back may leave a gradient itself. */
export interface Target {
  readonly arg: Arg;
  /** Part of the gradient is there already: add to it. False: write it. */
  readonly add: boolean;
}

/** What `backward` works with. Everything that `run` and `runGrad` make is freed by the tape. */
export interface BackwardCtx<Attrs> {
  readonly inputs: readonly Arg[];
  readonly out: Arg;
  readonly aux: readonly Arg[];
  readonly attrs: Attrs;
  /** Gradient of the loss with respect to `out`. */
  readonly dOut: Arg;
  /** Whether input i wants a gradient; the work for the others can be left out. */
  needs(i: number): boolean;
  /**
   * Where the gradient of input i is gathered, if there is such a place by now: whoever asks enqueues what it adds or
   * writes there before it asks again, and gives null in place of the gradient.
   */
  into(i: number): Target | null;
  run<A extends object>(op: Op<A>, inputs: readonly Arg[], attrs: A): Arg;
  /** @param outs memory for some of the outputs, which then are no news to the tape; null: it is allocated */
  runGrad<A extends object>(
    op: GradOp<A>,
    inputs: readonly Arg[],
    attrs: A,
    outs?: readonly (Arg | null)[],
  ): readonly Arg[];
}

/** What `compose` works with: the same result from smaller ops. */
export interface ComposeCtx<Attrs> {
  readonly inputs: readonly Arg[];
  readonly attrs: Attrs;
  /** What integer input i holds, on the host: where sequences begin, which class is right. */
  ids(i: number): ArrayLike<number>;
  run<A extends object>(op: Op<A>, inputs: readonly Arg[], attrs: A): Arg;
}

/**
 * All there is to know about one operation. Conformance, gradient check, benchmarks, documentation and the page read
 * these objects; nobody keeps a second list.
 */
export interface Op<Attrs extends object = object> {
  readonly name: string;
  readonly doc: OpDoc;
  /** Shape of the result; the only place that checks shapes. @throws {ShapeError} */
  shape(inputs: readonly Shape[], attrs: Attrs): Shape;
  /** Element types the inputs must have; absent: all of one float type. */
  readonly inputTypes?: readonly ('float' | 'i32')[];
  /** Float inputs that have no gradient by design (masks): one that requires a gradient is refused. */
  readonly constants?: readonly number[];
  /** Element type of the result; absent: that of the first float input. */
  readonly outType?: DType;
  /** The result is the first input's memory under another shape: nothing is copied (reshape, a leading slice). */
  readonly view?: (inputs: readonly Shape[], attrs: Attrs) => { readonly offset: number } | null;
  /** Shapes of what `forward` leaves behind for `backward` besides its result (statistics of a row, say). */
  readonly aux?: (inputs: readonly Shape[], attrs: Attrs) => readonly Shape[];
  /** `forward` leaves nothing behind where it is given no `aux`: there will be no way back. */
  readonly auxOptional?: true;
  cost(inputs: readonly Shape[], attrs: Attrs): Cost;
  forward(backend: Backend, inputs: readonly Arg[], out: Arg, attrs: Attrs, aux: readonly Arg[]): void;
  /** Gradients with respect to each input; null where none is defined (ids, masks) or none is needed. */
  readonly backward: ((ctx: BackwardCtx<Attrs>) => readonly (Arg | null)[]) | NotDifferentiable;
  /** Fused ops: the same result from small ops, against which value and gradient are tested. */
  readonly compose?: (ctx: ComposeCtx<Attrs>) => Arg;
  /** Made when they are asked for, as `badSamples` are: a program that only computes asks for none. */
  readonly samples: readonly Sample<Attrs>[];
  /** Absent: nothing runs that could be timed (a view). */
  readonly workload?: Workload<Attrs>;
  readonly badSamples: readonly BadSample<Attrs>[];
}

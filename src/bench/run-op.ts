import { allocate, execute } from '../autograd/apply.js';
import type { Backend, Buf, Kernels } from '../backend/backend.js';
import { newData, type TypedData } from '../core/dtype.js';
import { Rng } from '../core/random.js';
import { numel, type Shape } from '../core/shape.js';
import type { Arg, BackwardCtx, GradOp, Op } from '../ops/op.js';
import { type SampleData, sampleData } from '../ops/sample-data.js';
import type { BenchCase } from './case.js';

/** What one call does at least: arithmetic, where it is counted, and memory, each buffer once. */
export interface Work {
  /** Multiply and add count as two; null: not counted. */
  readonly flops: number | null;
  readonly bytes: number;
}

/** A case with its values: the same for everyone that is measured. */
export interface CaseData {
  readonly inputs: readonly SampleData[];
  readonly outShape: Shape;
  /** dOut, of every element of the result. */
  readonly dOut: Float64Array;
}

const SEED = 1;
const STREAM_DOUT = 911;

const held = new Map<string, CaseData>();

/** Values of a case; those of the last two sizes are kept, since both ways and every contender work on the same. */
export function dataOf(c: BenchCase): CaseData {
  const key = `${c.op.name} ${c.sizes.join('x')}`;
  const data = held.get(key) ?? drawData(c);
  held.delete(key);
  held.set(key, data);
  for (const oldest of [...held.keys()].slice(0, -2)) held.delete(oldest);
  return data;
}

function drawData({ op, sample }: BenchCase): CaseData {
  const inputs = sampleData(sample.inputs, SEED);
  const outShape = op.shape(
    inputs.map((input) => input.shape),
    sample.attrs,
  );
  const rng = new Rng(SEED, STREAM_DOUT);
  const dOut = new Float64Array(numel(outShape));
  for (let i = 0; i < dOut.length; i++) dOut[i] = Math.fround(2 * rng.uniform() - 1);
  return { inputs, outShape, dOut };
}

/** Whether input i gets a gradient: a float, and no mask. */
export const wantsGradient = ({ op }: BenchCase, { inputs }: CaseData, i: number): boolean =>
  inputs[i]?.data instanceof Float64Array && !(op.constants ?? []).includes(i);

function upload(backend: Backend, data: TypedData, shape: Shape): Arg {
  if (data instanceof Int32Array) return { buf: backend.upload(data), shape, dtype: 'i32' };
  const host = newData(backend.float, data.length);
  host.set(data);
  return { buf: backend.upload(host), shape, dtype: backend.float };
}

/** An op on a backend, ready to be called again and again. */
export class PreparedOp {
  private readonly args: Arg[] = [];
  private lastGradients: readonly (Arg | null)[] = [];
  /** Result, statistics and dOut of the backward pass; null: forward is measured. */
  private readonly back: { out: Arg; aux: readonly Arg[]; dOut: Arg } | null;

  private readonly liveBefore: number;

  constructor(
    private readonly backend: Backend,
    private readonly c: BenchCase,
    private readonly data: CaseData,
  ) {
    this.liveBefore = backend.liveBytes;
    for (const input of data.inputs) {
      const earlier = input.same === undefined ? undefined : this.args[input.same];
      this.args.push(earlier ?? upload(backend, input.data, input.shape));
    }
    this.back = c.direction === 'forward' ? null : this.prepareBack();
  }

  private prepareBack(): { out: Arg; aux: readonly Arg[]; dOut: Arg } {
    const { out, aux } = execute(this.backend, this.c.op, this.args, this.c.sample.attrs);
    return { out, aux, dOut: upload(this.backend, this.data.dOut, this.data.outShape) };
  }

  /** Calls the op `times` times and waits for all of them. */
  async run(times: number): Promise<void> {
    for (let i = 0; i < times; i++) this.enqueue();
    await this.backend.flush();
  }

  /** One call, its results given back at once: kernels run in the order of the calls. */
  enqueue(): void {
    for (const arg of this.call()) this.backend.free(arg.buf);
  }

  /** Bytes of tensors at the end of a call: inputs, results, and what the op needs in between. */
  memory(): number {
    const made = this.call();
    const bytes = this.backend.liveBytes - this.liveBefore;
    for (const arg of made) this.backend.free(arg.buf);
    return bytes;
  }

  /** What it computes: the result, or the gradient of each input (null where there is none). */
  async results(): Promise<(TypedData | null)[]> {
    const made = this.call();
    const found = this.back === null ? made.slice(0, 1) : this.lastGradients;
    const values = await Promise.all(found.map(async (arg) => (arg === null ? null : this.backend.read(arg.buf))));
    for (const arg of made) this.backend.free(arg.buf);
    return values;
  }

  /** One call; @returns all that it allocated. */
  private call(): readonly Arg[] {
    const { op, sample } = this.c;
    if (this.back !== null) return this.callBack(this.back);
    const { out, aux } = execute(this.backend, op, this.args, sample.attrs);
    return [out, ...aux];
  }

  private callBack({ out, aux, dOut }: { out: Arg; aux: readonly Arg[]; dOut: Arg }): readonly Arg[] {
    const { backend } = this;
    const made: Arg[] = [];
    const ctx: BackwardCtx<object> = {
      inputs: this.args,
      out,
      aux,
      attrs: this.c.sample.attrs,
      dOut,
      needs: (i) => wantsGradient(this.c, this.data, i),
      into: () => null, // nothing gathers: every gradient is memory of its own
      run<A extends object>(inner: Op<A>, inputs: readonly Arg[], attrs: A): Arg {
        const executed = execute(backend, inner, inputs, attrs);
        made.push(executed.out, ...executed.aux);
        return executed.out;
      },
      runGrad<A extends object>(
        inner: GradOp<A>,
        inputs: readonly Arg[],
        attrs: A,
        given: readonly (Arg | null)[] = [],
      ): readonly Arg[] {
        const shapes = inner.shapes(
          inputs.map((input) => input.shape),
          attrs,
        );
        const outs = shapes.map((shape, i) => given[i] ?? allocate(backend, shape, dOut.dtype));
        inner.forward(backend, inputs, outs, attrs);
        made.push(...outs.filter((_, i) => (given[i] ?? null) === null));
        return outs;
      },
    };
    this.lastGradients = (this.c.op.backward as (ctx: BackwardCtx<object>) => readonly (Arg | null)[])(ctx);
    return made;
  }

  free(): void {
    const back = this.back === null ? [] : [this.back.out, ...this.back.aux, this.back.dOut];
    for (const { buf } of new Set([...this.args, ...back])) this.backend.free(buf);
  }
}

/** All buffers among a kernel's arguments, those inside a call's description included. */
function* buffersIn(value: unknown): Generator<Buf> {
  if (typeof value !== 'object' || value === null) return;
  if ('length' in value && 'dtype' in value) yield value as Buf;
  else if (!Array.isArray(value)) for (const inner of Object.values(value)) yield* buffersIn(inner);
}

/** A backend that notes each kernel it is given, and passes it on. */
function watched(backend: Backend, see: (kernel: string, args: readonly unknown[]) => void): Backend {
  const kernels = new Proxy(backend.kernels, {
    get: (target, name) => {
      const kernel = Reflect.get(target, name);
      if (typeof kernel !== 'function') return kernel;
      return (...args: unknown[]) => {
        see(String(name), args);
        return Reflect.apply(kernel, target, args);
      };
    },
  });
  return new Proxy(backend, {
    get: (target, name) => {
      if (name === 'kernels') return kernels as Kernels;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Operations a byte from which arithmetic says something: below it memory alone decides, and exp counts as one. */
const LEAST_INTENSITY = 2;

/** Operations of a kernel that multiplies matrices; 0 of others. */
function productFlops(kernel: string, [call]: readonly unknown[]): number {
  if (kernel !== 'matmul') return 0;
  const { m, n, k, batch } = call as { m: number; n: number; k: number; batch: number };
  return 2 * m * n * k * batch;
}

/** Where a slope is looked at, to see what it depends on: on both sides of a kink, and where c x^(c - 1) varies. */
const PROBES = [-1.5, 0.25, 3] as const;

/** What a kernel reads and writes: of a slope's input and result (y = x^2: dX = 2 x dOut) only what its formula has. */
function touched(kernel: string, args: readonly unknown[]): readonly unknown[] {
  if (kernel !== 'unaryGrad') return args;
  const [fn, x, y, dY, dX, c] = args as Parameters<Kernels['unaryGrad']>;
  const varies = (slopes: readonly number[]): boolean => slopes.some((slope) => !Object.is(slope, slopes[0]));
  const readsX = PROBES.some((at) => varies(PROBES.map((probe) => fn.dJs(probe, at, c))));
  const readsY = PROBES.some((at) => varies(PROBES.map((probe) => fn.dJs(at, probe, c))));
  return [...(readsX ? [x] : []), ...(readsY ? [y] : []), dY, dX];
}

/**
 * The work of one call. Forward it is what the op says; backward the buffers that its kernels read and write, each once,
 * and the products among them (attention: five in place of two, Dao et al. 2022, appendix B.4).
 */
export function workOf(backend: Backend, c: BenchCase, data: CaseData): Work {
  const shapes = data.inputs.map((input) => input.shape);
  const forward = c.op.cost(shapes, c.sample.attrs);
  const counts = forward.flops >= LEAST_INTENSITY * forward.bytes;
  if (c.direction === 'forward') return { flops: counts ? forward.flops : null, bytes: forward.bytes };
  const seen = new Map<Buf, number>();
  let flops = 0;
  const spy = watched(backend, (kernel, args) => {
    flops += productFlops(kernel, args);
    for (const arg of touched(kernel, args)) for (const buf of buffersIn(arg)) seen.set(buf, buf.length);
  });
  const prepared = new PreparedOp(spy, c, data);
  seen.clear();
  flops = 0;
  prepared.enqueue();
  prepared.free();
  const bytes = 4 * [...seen.values()].reduce((sum, length) => sum + length, 0);
  if (!counts) return { flops: null, bytes };
  return { flops: flops > 0 ? flops : 2.5 * forward.flops, bytes };
}

import type { RandomKey } from '../../core/random.js';
import type { Buf } from '../backend.js';

/** Columns, rows and layers, as gpu.js counts them: the innermost first. */
export type Dims = readonly [x: number, y: number, z: number];

/** `f32`, `i32`: an array of floats, of ids; `int`, `float`: one number. */
export type ParamKind = 'f32' | 'i32' | 'int' | 'float';

/**
 * Tier 1: a kernel as gpu.js translates it for every mode. Each thread computes one element of the result.
 * Integers are exact where they are written inside the brackets of an index; through a local they become floats, which
 * hold whole numbers up to 2^24.
 */
export interface PlainKernel {
  readonly name: string;
  /** In the order of the text's own parameters. */
  readonly params: Readonly<Record<string, ParamKind>>;
  /** Axes of the result, 1 to 3. */
  readonly rank: 1 | 2 | 3;
  /** A JavaScript function, as text: whatever minifies or instruments a program leaves it alone. */
  readonly text: string;
  /** Type of the result; absent: f32. */
  readonly result?: 'i32';
  /** The parameter that says how often the longest loop runs: a number, or the columns of an array. Absent: not often. */
  readonly loop?: string;
  /** The parameter that is the result itself, updated in place. A thread reads its own element of it and no other. */
  readonly inPlace?: string;
}

/** The same, and vectors of four floats, or bits. */
export type FastKind = 'f32' | 'i32' | 'u32' | 'vec4';

/** Tier 2: a compute shader of our own, within the bindings and parameters of gpu.js. */
export interface FastKernel {
  readonly name: string;
  /** Inputs, then numbers. In the shader x[i] is `x_at(i)` and a number `params.n`, whole ones as u32. */
  readonly params: Readonly<Record<string, FastKind | 'int' | 'float'>>;
  /** Results, at least one: `set_y(i, value)`, and `y_at(i)`, as they may be updated in place. */
  readonly outputs: Readonly<Record<string, FastKind>>;
  /** Whether it makes use of subgroups. */
  readonly subgroups?: true;
  /** Declarations, and `main` with its workgroup size. */
  readonly wgsl: string;
}

/** A buffer as a kernel sees it. */
export interface Operand {
  readonly buf: Buf;
  readonly dims: Dims;
}

/** What a kernel is given for its parameters, in their order. */
export type Args = readonly (Operand | number)[];

export const line = (buf: Buf, length = buf.length): Operand => ({ buf, dims: [length, 1, 1] });
export const table = (buf: Buf, rows: number, cols: number): Operand => ({ buf, dims: [cols, rows, 1] });
export const block = (buf: Buf, layers: number, rows: number, cols: number): Operand => ({
  buf,
  dims: [cols, rows, layers],
});

/**
 * What runs plain kernels: the queue of the mode webgpu, or textures in webgl2. Whatever it is, calls take effect in
 * their order.
 */
export interface PlainRunner {
  /** y = kernel(args), as large as `output`. */
  run(kernel: PlainKernel, args: Args, output: Dims, y: Buf): void;
  alloc(length: number, dtype: 'f32' | 'i32'): Buf;
  free(buf: Buf): void;
  upload(data: Float32Array | Int32Array): Buf;
  /** A window of `buf`, lent for the length of `use`. */
  window(buf: Buf, offset: number, length: number, use: (window: Buf) => void): void;
  /**
   * keep [rows, cols]: 0 where dropout drops an element, 1 / (1 - rate) where it keeps it. Philox needs 32-bit integers,
   * which plain kernels have not: a mode draws it by other means.
   * @param places i32 [rows]: the row of the random numbers for each row; null: its own
   */
  keepFactors(keep: Buf, rows: number, cols: number, rate: number, key: RandomKey, places: Buf | null): void;
  /**
   * Has the next read or flush fail where one of the first `count` ids is neither in 0 .. limit - 1 nor `other`; what is
   * looked up with it meanwhile lies within the table all the same.
   * @param other absent: there is none
   */
  checkIds(ids: Buf, count: number, limit: number, other?: number): void;
}

export const isArray = (kind: string): boolean => kind !== 'int' && kind !== 'float';

/** Multiplications and additions of a plain kernel, roughly. */
export function workOf({ params, loop }: PlainKernel, args: Args, [x, y, z]: Dims): number {
  const arg = loop === undefined ? 1 : args[Object.keys(params).indexOf(loop)];
  return 2 * x * y * z * (typeof arg === 'object' ? arg.dims[0] : arg);
}

/** What was made for lists of keys: a tree with a key a level, so that no text is put together to find it again. */
export class Memo<V extends object> {
  private readonly next = new Map<unknown, Memo<V>>();
  private value: V | undefined;
  /** How many were made. */
  size = 0;

  get(keys: readonly unknown[], make: () => V): V {
    let node: Memo<V> = this;
    for (const key of keys) node = node.child(key);
    if (node.value === undefined) {
      node.value = make();
      this.size++;
    }
    return node.value;
  }

  clear(): void {
    this.next.clear();
    this.size = 0;
  }

  private child(key: unknown): Memo<V> {
    const found = this.next.get(key);
    if (found !== undefined) return found;
    const made = new Memo<V>();
    this.next.set(key, made);
    return made;
  }
}

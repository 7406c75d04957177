import type { Tensor } from '../../src/tensor/tensor.js';

export interface Value {
  readonly name: string;
  readonly dtype: string;
  readonly shape: number[];
  readonly data: (number | string | boolean)[];
}
export interface Node {
  readonly op: string;
  readonly inputs: string[];
  readonly outputs: string[];
  readonly attributes: Readonly<Record<string, unknown>>;
}
export interface Case {
  readonly name: string;
  readonly opset: number;
  readonly nodes: Node[];
  readonly inputs: Value[];
  readonly initializers: Value[];
  readonly outputs: Value[];
}

/** A case that asks for what no op here does; `why` says what. */
export class NotOurs extends Error {}
export function not(why: string): never {
  throw new NotOurs(why);
}

/** The inputs of one node: tensors, or whole numbers where an operator takes its settings as a tensor. */
export class Call {
  constructor(
    readonly node: Node,
    private readonly values: ReadonlyMap<string, Tensor>,
    private readonly raw: ReadonlyMap<string, Value>,
    readonly opset: number,
  ) {}

  get count(): number {
    return this.node.inputs.length;
  }
  has = (i: number): boolean => (this.node.inputs[i] ?? '') !== '';
  x(i = 0): Tensor {
    return this.values.get(this.node.inputs[i]) ?? not('numbers that are not float32');
  }
  get all(): Tensor[] {
    return this.node.inputs.map((_, i) => this.x(i));
  }
  stored(i: number): Value {
    return this.raw.get(this.node.inputs[i]) ?? not('settings that are computed');
  }
  numbers(i: number): number[] | null {
    return this.has(i) ? this.stored(i).data.map(Number) : null;
  }
  attr(name: string, otherwise: number): number;
  attr(name: string, otherwise: string): string;
  attr<T>(name: string, otherwise: T): T;
  attr<T>(name: string, otherwise: T): T {
    return (this.node.attributes[name] as T | undefined) ?? otherwise;
  }
  /** Axes by input or by attribute, counted from the front; null: all. */
  axes(i: number, rank: number): number[] {
    const given = this.numbers(i) ?? this.attr<number[] | null>('axes', null);
    const list = given === null || given.length === 0 ? null : given;
    if (list === null && this.attr('noop_with_empty_axes', 0) === 1) return [];
    return (list ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) => (axis < 0 ? axis + rank : axis));
  }
}

/** An operator by methods of Tensor. */
export type Run = (c: Call) => Tensor | Tensor[];

/** Along another axis than the last: turned there and back. */
export function along(x: Tensor, axis: number, f: (x: Tensor) => Tensor): Tensor {
  const at = axis < 0 ? axis + x.rank : axis;
  return at === x.rank - 1 ? f(x) : f(x.transpose(at, -1)).transpose(at, -1);
}

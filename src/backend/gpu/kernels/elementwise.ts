import { DtypeError } from '../../../core/errors.js';
import { numel, type Shape } from '../../../core/shape.js';
import { joined } from '../../axes.js';
import type { BinaryFn, Buf, UnaryFn, Walk } from '../../backend.js';
import { eachBlock, isDense } from '../axes.js';
import { line, Memo, type PlainKernel, type PlainRunner } from '../spec.js';
import { BINARY, UNARY } from './functions.js';

/** The text of a function. @throws {DtypeError} one that is not in the table */
function textOf<T>(table: Readonly<Record<string, T>>, name: string): T {
  if (!Object.hasOwn(table, name)) {
    throw new DtypeError(`gpu: no function "${name}"; src/backend/gpu/kernels/functions.ts lists those there are`);
  }
  return table[name];
}

const kernels = new Memo<PlainKernel>();

const FILL: PlainKernel = {
  name: 'fill',
  params: { value: 'float' },
  rank: 1,
  text: 'function (value) { return value; }',
};
const FILL_IDS: PlainKernel = { ...FILL, name: 'fillIds', result: 'i32' };

export function fill(runner: PlainRunner, y: Buf, value: number): void {
  runner.run(y.dtype === 'i32' ? FILL_IDS : FILL, [value], [y.length, 1, 1], y);
}

const ACCUMULATE: PlainKernel = {
  name: 'accumulate',
  params: { x: 'f32', y: 'f32' },
  rank: 1,
  inPlace: 'y',
  text: 'function (x, y) { return y[this.thread.x] + x[this.thread.x]; }',
};

export function accumulate(runner: PlainRunner, x: Buf, y: Buf): void {
  runner.run(ACCUMULATE, [line(x), line(y)], [y.length, 1, 1], y);
}

export function unary(runner: PlainRunner, fn: UnaryFn, x: Buf, y: Buf, c: number): void {
  const name = `unary ${fn.name}`;
  const kernel = kernels.get([name], () => ({
    name,
    params: { x: 'f32', c: 'float' },
    rank: 1,
    text: `function (x, c) { const v = x[this.thread.x]; ${textOf(UNARY, fn.name).value} }`,
  }));
  runner.run(kernel, [line(x), c], [y.length, 1, 1], y);
}

/** gpu.js has `return` end a kernel, so the slope is its own kernel's result, times dY. */
export function unaryGrad(runner: PlainRunner, fn: UnaryFn, x: Buf, y: Buf, dY: Buf, dX: Buf, c: number): void {
  const name = `unaryGrad ${fn.name}`;
  const kernel = kernels.get([name], () => ({
    name,
    params: { x: 'f32', y: 'f32', dY: 'f32', c: 'float' },
    rank: 1,
    text: `function (x, y, dY, c) {
  const v = x[this.thread.x];
  const w = y[this.thread.x];
  const g = dY[this.thread.x];
  ${textOf(UNARY, fn.name).slope.replaceAll(/return (.*?);/g, 'return g * ($1);')}
}`,
  }));
  runner.run(kernel, [line(x), line(y), line(dY), c], [dX.length, 1, 1], dX);
}

/** Elements in a row, or three axes with a stride each: what is in the brackets is computed with integers. */
function binaryKernel(fn: string, flat: boolean): PlainKernel {
  const name = `binary ${fn} ${flat ? 1 : 3}`;
  return kernels.get([name], () => binaryText(name, textOf(BINARY, fn), flat));
}

function binaryText(name: string, value: string, flat: boolean): PlainKernel {
  const strides = flat ? ['0'] : ['2', '1', '0'];
  const place = (array: string): string =>
    strides.map((axis) => `this.thread.${'xyz'[Number(axis)]} * ${array}${axis}`).join(' + ');
  const numbers = [...strides.map((axis) => `as${axis}`), ...strides.map((axis) => `bs${axis}`)];
  return {
    name,
    params: { as: 'f32', bs: 'f32', ...Object.fromEntries(numbers.map((n) => [n, 'int'])) },
    rank: flat ? 1 : 3,
    text: `function (as, bs, ${numbers.join(', ')}) {
  const a = as[${place('as')}];
  const b = bs[${place('bs')}];
  return ${value};
}`,
  };
}

/** The last of three numbers, filled up in front. */
const three = (values: readonly number[], first: number): number[] => [first, first, ...values].slice(-3);
/** Three lengths as gpu.js counts axes. */
const dims = (shape: readonly number[]): [number, number, number] => {
  const [z, y, x] = three(shape, 1);
  return [x, y, z] as [number, number, number];
};

export function binary(
  runner: PlainRunner,
  fn: BinaryFn,
  [a, b, y]: readonly [Buf, Buf, Buf],
  shape: Shape,
  stridesA: readonly number[],
  stridesB: readonly number[],
): void {
  if (numel(shape) === 0) return;
  const axes = joined(shape, stridesA, stridesB);
  let at = 0;
  eachBlock(axes, 3, (block, [atA, atB]) => {
    const flat = block.shape.length === 1;
    const kernel = binaryKernel(fn.name, flat);
    const count = numel(block.shape);
    const strides = block.strides.flatMap((s) => (flat ? s : three(s, 0)));
    runner.window(a, atA, a.length - atA, (partA) =>
      runner.window(b, atB, b.length - atB, (partB) =>
        runner.window(y, at, count, (part) =>
          runner.run(kernel, [line(partA), line(partB), ...strides], dims(block.shape), part),
        ),
      ),
    );
    at += count;
  });
}

const WHERE: PlainKernel = {
  name: 'where',
  params: { condition: 'f32', a: 'f32', b: 'f32' },
  rank: 1,
  text: `function (condition, a, b) {
  const first = a[this.thread.x];
  const second = b[this.thread.x];
  return condition[this.thread.x] == 0 ? second : first;
}`,
};

export function where(runner: PlainRunner, condition: Buf, a: Buf, b: Buf, y: Buf): void {
  runner.run(WHERE, [line(condition), line(a), line(b)], [y.length, 1, 1], y);
}

const kind = (buf: Buf): 'f32' | 'i32' => (buf.dtype === 'i32' ? 'i32' : 'f32');

/** Reads with strides, writes without gaps. */
const gatherWalk = (type: 'f32' | 'i32'): PlainKernel => ({
  name: `copy ${type}`,
  params: { x: type, s2: 'int', s1: 'int', s0: 'int' },
  rank: 3,
  ...(type === 'i32' ? { result: 'i32' } : {}),
  text: 'function (x, s2, s1, s0) { return x[this.thread.z * s2 + this.thread.y * s1 + this.thread.x * s0]; }',
});

/**
 * Writes with gaps: every element of y asks whether it is one of those, and which. The strides of y fall; divisions are
 * those of floats, exact up to 2^24 elements.
 */
const scatterWalk = (type: 'f32' | 'i32'): PlainKernel => ({
  name: `copy ${type} with gaps`,
  params: {
    x: type,
    y: type,
    ...Object.fromEntries(['n2', 'n1', 'n0', 'to2', 'to1', 'to0', 'from2', 'from1', 'from0'].map((n) => [n, 'int'])),
  },
  rank: 1,
  inPlace: 'y',
  ...(type === 'i32' ? { result: 'i32' } : {}),
  text: `function (x, y, n2, n1, n0, to2, to1, to0, from2, from1, from0) {
  const at = this.thread.x;
  const i2 = Math.floor((at + 0.5) / to2);
  const in2 = at - i2 * to2;
  const i1 = Math.floor((in2 + 0.5) / to1);
  const in1 = in2 - i1 * to1;
  const i0 = Math.floor((in1 + 0.5) / to0);
  let value = y[this.thread.x];
  if (i2 < n2 && i1 < n1 && i0 < n0 && i0 * to0 == in1) {
    value = x[i2 * from2 + i1 * from1 + i0 * from0];
  }
  return value;
}`,
});

/** Largest stride of y first: then an element's index along each axis follows by division. */
function fallingAxes(shape: readonly number[], from: readonly number[], to: readonly number[]): number[][] {
  const order = shape.map((_, axis) => axis).sort((p, q) => to[q] - to[p]);
  return [shape, to, from].map((values) => order.map((axis) => values[axis]));
}

export function copy(runner: PlainRunner, x: Buf, y: Buf, shape: Shape, from: Walk, to: Walk): void {
  if (numel(shape) === 0) return;
  const type = kind(x);
  eachBlock(joined(shape, from.strides, to.strides), 3, ({ shape: part, strides: [source, target] }, [atX, atY]) => {
    const dense = isDense(part, target);
    const begin = to.offset + atY;
    const count = dense ? numel(part) : y.length - begin;
    runner.window(x, from.offset + atX, x.length - from.offset - atX, (xs) =>
      runner.window(y, begin, count, (ys) => {
        if (dense) {
          runner.run(gatherWalk(type), [line(xs), ...three(source, 0)], dims(part), ys);
          return;
        }
        const [n, steps, places] = fallingAxes(part, source, target);
        const far = 2 ** 30; // an axis that is not there: longer than any buffer
        const numbers = [three(n, 1), three(steps, far), three(places, 0)].flat();
        runner.run(scatterWalk(type), [line(xs), line(ys), ...numbers], [count, 1, 1], ys);
      }),
    );
  });
}

const LINE: Walk = { offset: 0, strides: [1] };

/** y = x, both without gaps. */
export const copyLine = (runner: PlainRunner, x: Buf, y: Buf): void => copy(runner, x, y, [x.length], LINE, LINE);

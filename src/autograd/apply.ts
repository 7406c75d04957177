import type { Backend } from '../backend/backend.js';
import { type DType, isFloat } from '../core/dtype.js';
import { BackendError, DtypeError, UsageError } from '../core/errors.js';
import { numel, type Shape } from '../core/shape.js';
import type { Arg, Op } from '../ops/op.js';
import type { Value } from './value.js';

let recording = true;
let nextId = 0;
let observer: Observer | null = null;

/** Told of every result: the name of the op, or of the step of a backward pass, that made it. */
export type Observer = (op: { readonly name: string }, out: Arg) => void;

/** Shows a result to the observer, where there is one. */
export const observe: Observer = (op, out) => observer?.(op, out);

/** Whether somebody is shown results. */
export const isObserved = (): boolean => observer !== null;

/** Runs `body` without recording: its results have no history and need no memory for a walk back. */
export function noGrad<T>(body: () => T): T {
  const before = recording;
  recording = false;
  try {
    return body();
  } finally {
    recording = before;
  }
}

/** Whether calls are recorded; not within `noGrad`. */
export const isRecording = (): boolean => recording;

/** Runs `body` and shows every result, forward and backward, to `see`. Used to find the op that made a NaN. */
export function withObserver<T>(see: Observer, body: () => T): T {
  const before = observer;
  observer = see;
  try {
    return body();
  } finally {
    observer = before;
  }
}

/** What an op left behind. `shared`: the result is a window of the first input's memory. */
export interface Executed {
  readonly out: Arg;
  readonly aux: readonly Arg[];
  readonly shared: boolean;
}

/** Checks, allocates and runs one op; records nothing. @param back whether its gradient may be asked for */
export function execute<A extends object>(
  backend: Backend,
  op: Op<A>,
  inputs: readonly Arg[],
  attrs: A,
  back = true,
): Executed {
  const shapes = inputs.map((input) => input.shape);
  const shape = op.shape(shapes, attrs);
  const dtype = resultType(op, inputs, backend);
  const window = op.view?.(shapes, attrs) ?? null;
  if (window !== null) {
    const buf = backend.view((inputs[0] as Arg).buf, window.offset, numel(shape));
    return { out: { buf, shape, dtype }, aux: [], shared: true };
  }
  const out = allocate(backend, shape, dtype);
  const left = back || !op.auxOptional ? op.aux?.(shapes, attrs) : undefined;
  const aux = (left ?? []).map((s) => allocate(backend, s, dtype));
  const outside = backend.trace?.enter(op.name);
  op.forward(backend, inputs, out, attrs, aux);
  if (outside !== undefined) backend.trace?.leave(outside);
  observe(op, out);
  return { out, aux, shared: false };
}

export function allocate(backend: Backend, shape: Shape, dtype: DType): Arg {
  return { buf: backend.alloc(numel(shape), dtype), shape, dtype };
}

/** Runs an op on tensors and, when one of them wants a gradient, records it for the walk back. */
export function apply<T extends Value, A extends object>(op: Op<A>, inputs: readonly T[], attrs: A): T {
  const first = inputs[0] as T;
  for (const i of op.constants ?? []) {
    if (inputs[i]?.requiresGrad) {
      throw new UsageError(`${op.name}: input ${i} is a mask and has no gradient`, { fix: 'pass its detach()' });
    }
  }
  for (const input of inputs) {
    if (input.backend !== first.backend) {
      throw new BackendError(`${op.name}: inputs live on ${first.backend.name} and on ${input.backend.name}`, {
        code: 'BACKEND-MIXED',
        fix: 'create all tensors of one computation on one backend',
      });
    }
  }
  const back = recording && typeof op.backward === 'function' && inputs.some((input) => input.requiresGrad);
  const { out, aux } = execute(first.backend, op, inputs, attrs, back);
  const result = first.wrap(out.buf, out.shape) as T;
  if (back) {
    result.requiresGrad = true;
    const versions = inputs.map((input) => input.version);
    result.node = { id: nextId++, op: op as unknown as Op, inputs, attrs, aux, versions };
  } else {
    for (const arg of aux) first.backend.free(arg.buf);
  }
  return result;
}

/** Checks the inputs' element types and gives that of the result. */
function resultType<A extends object>(op: Op<A>, inputs: readonly Arg[], backend: Backend): DType {
  let float: DType | null = null;
  inputs.forEach((input, i) => {
    const want = op.inputTypes?.[i] ?? 'float';
    const fits =
      want === 'i32' ? input.dtype === 'i32' : isFloat(input.dtype) && (float ?? input.dtype) === input.dtype;
    if (!fits) {
      throw new DtypeError(
        `${op.name}: input ${i} must be ${want === 'i32' ? 'i32' : (float ?? 'a float')}; got ${input.dtype}`,
      );
    }
    if (want === 'float') float = input.dtype;
  });
  return op.outType ?? float ?? backend.float;
}

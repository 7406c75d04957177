import type { Backend } from '../backend/backend.js';
import { BackendError, ShapeError, UsageError } from '../core/errors.js';
import { numel } from '../core/shape.js';
import type { Arg, BackwardCtx, GradOp, Op, Target } from '../ops/op.js';
import { allocate, execute, noGrad, observe } from './apply.js';
import type { TapeNode, Value } from './value.js';

/** A gradient on its way. `exclusive`: nobody else reads this memory, so a sum may be taken in place. */
interface Gradient {
  readonly arg: Arg;
  readonly exclusive: boolean;
}

/**
 * Walks back from a scalar and adds to `grad` of every leaf that requires one (reverse mode, Linnainmaa 1976).
 * Activations are freed as soon as their last reader is done, unless they were kept.
 * @param loss one element, with a history
 * @param options.retainGraph keeps history and activations for a second walk
 * @throws {ShapeError} when `loss` is not one element or has no history
 */
export function backward(loss: Value, options: { retainGraph?: boolean } = {}): void {
  if (numel(loss.shape) !== 1) throw new ShapeError('backward', 'starts from one number, a loss', [loss.shape]);
  if (loss.node === null) {
    throw new ShapeError(
      'backward',
      'this tensor has no history: nothing it was made from requires a gradient, or it was walked back before',
    );
  }
  const { backend } = loss;
  const order = recordedBefore(loss);
  const pending = new Map<Value, Gradient>();
  const seed = allocate(backend, loss.shape, loss.dtype);
  backend.kernels.fill(seed.buf, 1);
  pending.set(loss, { arg: seed, exclusive: true });
  noGrad(() => {
    for (const value of order) {
      const gradient = pending.get(value);
      if (gradient !== undefined) {
        pending.delete(value);
        stepBack(value, gradient, pending);
      }
      if (!options.retainGraph) release(value, value === loss);
    }
  });
}

const WALKED = {
  code: 'BACKEND-FREED',
  where: 'two losses made from one tensor; the first backward() freed what led to it',
  fix: 'add the losses and walk back once, or use backward(first, { retainGraph: true })',
};

/**
 * All values with a history that lead to `root`, the last made first; an explicit stack, so depth has no limit.
 * @throws {BackendError} when part of the way was walked before: its gradients would silently end there
 */
function recordedBefore(root: Value): Value[] {
  const seen = new Set<Value>([root]);
  const stack = [root];
  const found: Value[] = [];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    found.push(value);
    checkUnchanged(value);
    for (const input of (value.node as TapeNode).inputs) {
      if (input.walked) throw new BackendError(`backward: tensor ${nameOf(input)} was walked back before`, WALKED);
      if (input.node === null || seen.has(input)) continue;
      seen.add(input);
      stack.push(input);
    }
  }
  return found.sort((a, b) => (b.node as TapeNode).id - (a.node as TapeNode).id);
}

const nameOf = (value: Value): string => `[${value.shape.join(', ')}]`;

/** @throws {UsageError} when what an op read, or what it made, was written since: its gradient would be a wrong one */
function checkUnchanged(value: Value): void {
  const { op, inputs, versions } = value.node as TapeNode;
  const changed = value.version > 0 ? value : inputs.find((input, i) => input.version !== versions[i]);
  if (changed === undefined) return;
  throw new UsageError(`backward: tensor ${nameOf(changed)} was assigned to after ${op.name} had used it`, {
    fix: 'assign before the forward pass, or after backward()',
  });
}

/** Turns the gradient of one result into gradients of its inputs. */
function stepBack(value: Value, gradient: Gradient, pending: Map<Value, Gradient>): void {
  const { backend } = value;
  const node = value.node as TapeNode;
  const made = new Map<Arg, boolean>(); // what this step allocated, and whether its memory is its own
  const outside = backend.trace?.enter(node.op.name, 'backward');
  const results = differentiate(value, gradient.arg, made, pending);
  if (outside !== undefined) backend.trace?.leave(outside);
  node.inputs.forEach((input, i) => {
    const result = results[i];
    if (!input.requiresGrad || result === null || result === undefined) return;
    const usedOnce = results.indexOf(result) === results.lastIndexOf(result);
    const exclusive = usedOnce && made.get(result) === true;
    if (exclusive) made.delete(result);
    const arg = exclusive ? result : { ...result, buf: backend.view(result.buf, 0, result.buf.length) };
    deliver(input, { arg, exclusive }, pending);
  });
  for (const arg of made.keys()) backend.free(arg.buf);
  if (value.retainsGrad) setGrad(value, gradient);
  else backend.free(gradient.arg.buf);
}

/** What a step back works with; `made` and `gathered` note what it leaves. */
function contextOf(
  value: Value,
  dOut: Arg,
  { made, gathered, pending }: { made: Map<Arg, boolean>; gathered: Arg[]; pending: Map<Value, Gradient> },
): BackwardCtx<object> {
  const { backend } = value;
  const { inputs: given, aux, attrs: own } = value.node as TapeNode;
  return {
    inputs: given,
    out: value,
    aux,
    attrs: own,
    dOut,
    needs: (i) => given[i]?.requiresGrad ?? false,
    into: (i) => {
      const target = targetOf(given[i], pending);
      if (target !== null) gathered.push(target.arg);
      return target;
    },
    run<A extends object>(op: Op<A>, inputs: readonly Arg[], attrs: A): Arg {
      const { out, aux: left, shared } = execute(backend, op, inputs, attrs);
      for (const arg of left) backend.free(arg.buf);
      made.set(out, !shared);
      return out;
    },
    runGrad<A extends object>(op: GradOp<A>, inputs: readonly Arg[], attrs: A, places: readonly (Arg | null)[] = []) {
      const shapes = op.shapes(
        inputs.map((input) => input.shape),
        attrs,
      );
      const outs = shapes.map((shape, i) => places[i] ?? allocate(backend, shape, dOut.dtype));
      op.forward(backend, inputs, outs, attrs);
      for (const out of outs.filter((_, i) => !places[i])) {
        made.set(out, true);
        observe(op, out);
      }
      return outs;
    },
  };
}

function differentiate(
  value: Value,
  dOut: Arg,
  made: Map<Arg, boolean>,
  pending: Map<Value, Gradient>,
): readonly (Arg | null)[] {
  const { op } = value.node as TapeNode;
  const gathered: Arg[] = [];
  const ctx = contextOf(value, dOut, { made, gathered, pending });
  const results = (op.backward as (c: BackwardCtx<object>) => readonly (Arg | null)[])(ctx);
  for (const arg of gathered) observe(op, arg);
  return results;
}

/** Memory that the gradient of `input` may be added to, or written to when nothing is there yet. */
function targetOf(input: Value | undefined, pending: Map<Value, Gradient>): Target | null {
  if (!input?.requiresGrad) return null;
  if (input.node !== null) {
    const waiting = pending.get(input);
    return waiting?.exclusive ? { arg: waiting.arg, add: true } : null;
  }
  if (input.grad === null) return null;
  const add = !input.gradEmpty;
  input.gradEmpty = false;
  return { arg: input.grad, add };
}

/** Adds a gradient to what has reached `input` so far. */
function deliver(input: Value, gradient: Gradient, pending: Map<Value, Gradient>): void {
  if (input.node === null) setGrad(input, gradient);
  else {
    const earlier = pending.get(input);
    pending.set(input, earlier === undefined ? gradient : sum(input.backend, earlier, gradient));
  }
}

/** Leaves a gradient in `grad`, where it outlives the walk. */
function setGrad(value: Value, gradient: Gradient): void {
  const { backend } = value;
  if (value.grad !== null) {
    if (value.gradEmpty) copyInto(backend, gradient.arg, value.grad);
    else backend.kernels.accumulate(gradient.arg.buf, value.grad.buf);
    value.gradEmpty = false;
    backend.free(gradient.arg.buf);
    return;
  }
  const own = gradient.exclusive ? gradient.arg : copyOf(backend, gradient.arg);
  if (!gradient.exclusive) backend.free(gradient.arg.buf);
  value.grad = value.wrap(own.buf, value.shape).keep();
}

function sum(backend: Backend, a: Gradient, b: Gradient): Gradient {
  const [into, from] = a.exclusive
    ? [a, b]
    : b.exclusive
      ? [b, a]
      : [{ arg: copyOf(backend, a.arg), exclusive: true }, b];
  backend.kernels.accumulate(from.arg.buf, into.arg.buf);
  backend.free(from.arg.buf);
  if (!a.exclusive && !b.exclusive) backend.free(a.arg.buf);
  return into;
}

function copyOf(backend: Backend, arg: Arg): Arg {
  const copy = allocate(backend, arg.shape, arg.dtype);
  copyInto(backend, arg, copy);
  return copy;
}

function copyInto(backend: Backend, from: Arg, to: Arg): void {
  const line = { offset: 0, strides: [1] };
  backend.kernels.copy(from.buf, to.buf, [numel(from.shape)], line, line);
}

/** Forgets the history of a value that has been walked over, and frees its memory unless someone keeps it. */
function release(value: Value, isLoss: boolean): void {
  if (!isLoss && !value.kept) value.dispose();
  for (const aux of value.node?.aux ?? []) value.backend.free(aux.buf);
  value.node = null;
  value.walked = true;
}

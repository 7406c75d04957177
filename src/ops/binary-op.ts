import type { BinaryFn } from '../backend/backend.js';
import { broadcastShapes, broadcastStrides, numel } from '../core/shape.js';
import { takes } from './check.js';
import type { Arg, BackwardCtx, NotDifferentiable, Op, OpDoc } from './op.js';
import { bytesOf, unbroadcast } from './reduction.js';
import { type BinarySampling, binaryBadSamples, binarySamples, rowsWorkload } from './samples.js';

/** dOut times the derivative with respect to one input, in the shape of the result. */
type Slope = (ctx: BackwardCtx<object>) => Arg;

/** A function of two elements, with broadcasting. */
export interface BinaryRow extends BinaryFn {
  readonly doc: OpDoc;
  readonly slopes: readonly [a: Slope, b: Slope] | NotDifferentiable;
  readonly samples: BinarySampling;
}

/** The op of one row of a table: y = f(a, b), sizes equal or 1, aligned at the last axis. */
export function binaryOp(row: BinaryRow): Op {
  const { slopes } = row;
  return {
    name: row.name,
    doc: row.doc,
    shape: (inputs) => {
      takes(row.name, inputs, 2);
      return broadcastShapes(row.name, inputs[0], inputs[1]);
    },
    cost: ([a, b]) => {
      const out = broadcastShapes(row.name, a, b);
      return { flops: numel(out), bytes: bytesOf(a, b, out) };
    },
    forward: ({ kernels }, [a, b], y) => {
      const strides = [a, b].map((input) => broadcastStrides(input.shape, y.shape));
      kernels.binary(row, a.buf, b.buf, y.buf, y.shape, strides[0], strides[1]);
    },
    backward:
      'reason' in slopes
        ? slopes
        : (ctx) => slopes.map((slope, i) => (ctx.needs(i) ? unbroadcast(ctx, slope(ctx), ctx.inputs[i].shape) : null)),
    get samples() {
      return binarySamples(row.samples);
    },
    workload: rowsWorkload({}, (...shape) => [shape, { shape, range: row.samples.rangeB ?? [-2, 2] }]),
    get badSamples() {
      return binaryBadSamples;
    },
  };
}
